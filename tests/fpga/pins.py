# SPDX-License-Identifier: Apache-2.0
"""The top level of a board's bitstream under Verilator, driven by its pins alone."""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cimple.fpga.boards import Board
from cimple.fpga.build import Sources
from cimple.hdl.generate.verilog import emit_verilog
from cimple.host.devices.build import run_tool
from cimple.host.devices.host_link import HostLink, LinkPace
from cimple.host.devices.pipe import LineProcess
from cimple.verif.bench.cache import cached_build
from cimple.verif.bench.simulators import find_simulator

__all__ = ["BoardPins", "PinDevice", "open_pins"]

HERE = Path(__file__).resolve().parent
FLAGS = (
    "--cc", "--exe", "--build", "-j", "2", "--prefix", "Vboard", "-O3", "--noassert",
    "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint", "-Wno-style",
    "-CFLAGS", "-std=c++17", "--top-module", "board", "-MAKEFLAGS", "OPT_FAST=-O1",
)

#: What a board's pins are called for the driver, with lights and buttons that are high when they
#: are on.
WRAPPER = """
module board(input clk, input button, input rx, output tx, output light);
  // Wires, as pads of some parts are of both directions.
  wire clk_pin = clk, rx_pin = rx, button_pin = button ^ 1'd{button_low}, tx_pin, light_pin;
  assign tx = tx_pin, light = light_pin ^ 1'd{light_low};
  top top ({connections});
endmodule
"""
#: Beginnings of the names of pads, and what is there.
PADS = {
    "clk": "clk_pin", "uart_0__rx": "rx_pin", "uart_0__tx": "tx_pin", "button": "button_pin",
    "rst": "button_pin", "rgb_led_0__g": "light_pin", "rgb_led": "", "led": "light_pin",
}


@dataclass
class Seen:
    """What came in a while."""

    data: bytes
    changes: int
    """Times the light went on or off."""
    light: bool
    cycles: int


class BoardPins(LineProcess):
    """The simulation. Use it in a `with` statement."""

    divisor = 1

    def run(self, cycles: int, data: bytes = b"", *, pressed: bool = False) -> Seen:
        """Run so many cycles of the clock, and on until `data` has been sent."""
        words = [cycles, self.divisor, int(pressed), *data]
        came, _, rest = self.ask(" ".join(f"{word:x}" for word in words)).partition("-")
        assert "!" not in came, f"a stop bit is missing: {came}"
        changes, light, ran = rest.split()
        data = bytes(int(byte, 16) for byte in came.split())
        return Seen(data, int(changes, 16), light == "1", int(ran, 16))


class PinDevice:
    """The NPU behind the pins, as `host.client` wants a device; time is that of the simulation."""

    name = "pins"
    cycles_by = "the NPU's counters"

    def __init__(self, pins: BoardPins, clock_hz: float, baud: int, session: int = 1) -> None:
        self.pins = pins
        self.clock_hz = clock_hz
        self.cycles = 0
        self.link = HostLink(self.name, session, LinkPace(10 / baud, 0.002, 0.005))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Whoever opened the pins closes them."""

    def transact(self, words: Sequence[int]) -> list[int]:
        self.link.commands.add(words)
        self._pump(lambda: bool(self.link.answers.packets))
        return self.link.answers.packets.popleft()

    def notes(self) -> tuple[str, ...]:
        return ()

    def load_external(self, data: bytes) -> None:
        raise AssertionError("there is no external memory")

    def _pump(self, done: Callable[[], bool]) -> None:
        while not done():
            frame = self.link.poll(self.cycles / self.clock_hz)
            # A byte's time, where nothing is sent.
            seen = self.pins.run(10 * self.pins.divisor, frame)
            self.cycles += seen.cycles
            if seen.data:
                self.link.receive(seen.data, self.cycles / self.clock_hz)


def open_pins(board: Board, sources: Sources, baud: int, netlist: str = "") -> BoardPins:
    """The bitstream's Verilog between models of the pads; or a netlist of it, with its cells."""
    simulator = find_simulator("verilator")
    top = netlist or emit_verilog(sources.top, "top")
    files = {
        "board.v": wrapper(top, board, sources.constraints), "top.v": top,
        "pads.v": (HERE / "pads.v").read_text(), "pins.cpp": (HERE / "pins.cpp").read_text(),
    }
    if not netlist:
        files["core.v"] = sources.core

    def build(directory: Path) -> None:
        work = directory / "work"
        work.mkdir()
        for name, text in files.items():
            (work / name).write_text(text)
        command: Sequence[str | Path] = [simulator.executable, *FLAGS, *files]
        run_tool(command, work, simulator.environment(), "verilator")
        (work / "obj_dir" / "Vboard").rename(directory / "board")
        shutil.rmtree(work)

    parts = ("pins", simulator.fingerprint, *FLAGS, *files.values())
    program = cached_build(parts, build) / "board"
    pins = BoardPins("pins", [program], simulator.environment())
    pins.divisor = round(sources.clock_hz / baud)
    return pins


def wrapper(top: str, board: Board, constraints: str) -> str:
    """The wrapper of a top level, whose pads must be those that the constraints give a pin."""
    header = re.search(r"^module top\(([^)]*)\)", top, re.MULTILINE)
    assert header is not None
    ports = re.findall(r"\w+", header[1])
    assert set(re.findall(r"\w+__io\b", constraints)) == set(ports)
    platform = board.make_platform()
    light, button = (platform.lookup(name, 0).ios for name in (board.light, board.button))
    pins = [pad.ios[0] if board.light == "rgb_led" else pad for pad in light]
    connections = [f".{port}({_pin(port)})" for port in ports]
    return WRAPPER.format(
        connections=", ".join(connections), light_low=int(pins[0].invert),
        button_low=int(button[0].invert),
    )


def _pin(port: str) -> str:
    return next(pin for start, pin in PADS.items() if port.startswith(start))
