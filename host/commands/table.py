# SPDX-License-Identifier: Apache-2.0
"""Every command: its name, where it is, what it needs. The only place that knows them all."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

__all__ = ["COMMANDS", "Command"]


class Command(NamedTuple):
    """One command, whose module is imported when it is called."""

    name: str
    """What the user types."""
    place: str
    """``module:function`` in this package; the function's parameters are the options."""
    summary: str
    """The line in `cimple --help`."""
    extra: str = ""
    """The optional dependencies without which its module cannot be imported or run."""

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        module, _, function = self.place.partition(":")
        return getattr(import_module(f".{module}", __package__), function)


COMMANDS: tuple[Command, ...] = (
    Command("presets", "presets:presets", "List the configurations that come with Cimple."),
    Command("generate", "generate:generate", "Write Verilog of a macro or an NPU."),
    Command("verify", "verify:verify", "Run the benches on a configuration.", "sim"),
    Command("prove", "prove:prove", "Prove properties of a macro formally.", "formal"),
    Command("compile", "compile:compile_", "Turn a network into a program file.", "onnx,tflite"),
    Command("run", "run:run", "Run a program file on a device.", "sim"),
    Command("demo", "demo:demo", "Draw a digit in the browser, see an NPU read it.", "onnx"),
    Command("networks", "networks:networks", "Record a network's cycles by layer.", "sim"),
    Command("layers", "layers:layers", "Run a network's layers alone on a device.", "judge"),
    Command("boards", "boards:boards", "List the boards that bitstreams can be made for."),
    Command("build", "build:build_", "Make a board's bitstream.", "fpga,onnx"),
    Command("flash", "flash:flash", "Load a bitstream into a board."),
    Command("info", "info:info", "Describe a program file."),
    Command("cover", "cover:cover", "Run the macro's bench on all pairs of field values.", "sim"),
    Command("gates", "gates:gates", "Run the benches on netlists of presets.", "sim,fpga"),
    Command("fuzz", "fuzz:fuzz", "Send hostile packets to an NPU, compare memories.", "sim"),
    Command("noise", "noise:noise", "Put faults on an NPU's serial line.", "sim,axi,serial"),
    Command("mutate", "mutate:mutate", "Run the benches on mutants of a design.", "sim,fpga"),
    Command("speed", "speed:speed", "Time idle benches against C++.", "sim"),
    Command("scale", "scale:scale", "Time generation and synthesis by size.", "fpga"),
    Command("resources", "resources:resources", "Count FPGA resources, time, estimate.", "fpga"),
    Command("budget", "budget:budget", "What NPUs take of an FPGA, by block.", "fpga,onnx"),
    Command("explore", "explore:explore", "Variants of an NPU: size and speed.", "fpga,onnx"),
)
