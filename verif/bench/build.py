# SPDX-License-Identifier: Apache-2.0
"""Builds a simulation of some Verilog that a cocotb bench can run in."""

import json
import re
import shutil
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ...hdl.errors import CimpleError
from .cache import cached_build
from .process import after, run_job
from .simulators import Simulator

__all__ = ["bench_key", "build_bench", "build_environment", "build_once", "compile_bench"]

_BUILD_ARGS = {
    # What Verilator would lint was linted when the Verilog was generated.
    "verilator": ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--no-public-flat-rw"],
    # The Verilog is that of 2005, and the runner asks for SystemVerilog: the last one counts.
    "icarus": ["-g2005"],
}

#: What the bench of an NPU behind a serial line watches besides the ports: what reaches the NPU.
NPU_STREAM = ["command__payload", "command__valid", "command__ready"]

#: Main program of a simulation by Verilator, instead of cocotb's.
_MAIN = Path(__file__).resolve().parent / "clocked.cpp"

#: Characters of Verilog up to which all C++ is compiled as one unit: in half the time, as the
#: headers are read once, but with memory for all of it.
_ONE_UNIT = 2_000_000

#: Longest time for a build, in seconds.
_BUILD_TIMEOUT = 3600


def build_bench(verilog: str, top: str, simulator: Simulator) -> Path:
    """The directory with the simulation of module `top`, built now or taken from the cache.

    Raises:
        CimpleError: a part of the simulator is missing, or the Verilog does not build.
    """
    key = ["bench", *bench_key(verilog, top, simulator)]
    return cached_build(key, lambda entry: build_once(entry, verilog, top, simulator))


def bench_key(verilog: str, top: str, simulator: Simulator) -> list[str]:
    """All that what `compile_bench` makes depends on."""
    require_cocotb()
    from cocotb_tools import config

    # The simulation is linked to cocotb's libraries by their path.
    cocotb = f"{config.libs_dir} {metadata.version('cocotb')}"
    arguments = json.dumps(_BUILD_ARGS[simulator.name])
    main = _MAIN.read_text(encoding="utf-8") if simulator.name == "verilator" else ""
    return [simulator.fingerprint, cocotb, top, verilog, arguments, main]


def require_cocotb() -> None:
    """Raise CimpleError, which says what to install, where cocotb cannot run."""
    if find_spec("cocotb") is None:
        raise CimpleError("simulation needs the package cocotb: pip install 'cimple[sim]'")
    from find_libpython import find_libpython

    if find_libpython() is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise CimpleError(f"cocotb needs Python's shared library: apt install libpython{version}")


def build_once(entry: Path, verilog: str, top: str, simulator: Simulator) -> None:
    """As `build_bench`, but into the directory `entry`, and kept nowhere else."""
    with tempfile.TemporaryDirectory(prefix="cimple-build-") as scratch:
        built = compile_bench(Path(scratch), verilog, top, simulator)
        shutil.copy2(built, entry / built.name)


def compile_bench(work: Path, verilog: str, top: str, simulator: Simulator) -> Path:
    """As `build_bench`, in the directory `work`; what runs, among all that it was made of."""
    require_cocotb()
    job = {
        "simulator": simulator.name,
        "sources": _write_sources(work, verilog, top, simulator),
        "top": top,
        "build_args": _BUILD_ARGS[simulator.name],
        "build_dir": str(work / "build"),
    }
    environment = build_environment(simulator, verilog)
    if simulator.name == "verilator":
        environment["MAKEFLAGS"] += f" VM_USER_CLASSES={_MAIN.stem} VM_USER_DIR=.."
    end = run_job("build", job, work, environment, after(_BUILD_TIMEOUT))
    if end.code != 0:
        raise CimpleError(f"{simulator.name} cannot build {top}:\n{_errors_of(end.output)}")
    return work / "build" / {"verilator": top, "icarus": "sim.vvp"}[simulator.name]


def build_environment(simulator: Simulator, verilog: str) -> dict[str, str]:
    """The environment for building some Verilog, with variables of Verilator's makefile."""
    environment = simulator.environment()
    if simulator.name == "verilator" and len(verilog) < _ONE_UNIT:
        environment["MAKEFLAGS"] += " VM_PARALLEL_BUILDS=0"
    return environment


def _write_sources(work: Path, verilog: str, top: str, simulator: Simulator) -> list[str]:
    sources = {f"{top}.v": verilog}
    if simulator.name == "verilator":
        ports = _ports(verilog, top)
        if "rx" in ports:
            ports += NPU_STREAM
        clock = "aclk" if "aclk" in ports else "clk"
        main = _MAIN.read_text(encoding="utf-8").replace("top->clk", f"top->{clock}")
        sources = {"ports.vlt": _visible_ports(ports, top), **sources, _MAIN.name: main}
    for name, text in sources.items():
        (work / name).write_text(text, encoding="utf-8")
    return [str(work / name) for name in sources if name != _MAIN.name]


def _ports(verilog: str, top: str) -> list[str]:
    """The ports of the top-level module."""
    header = re.search(rf"^module {re.escape(top)}\s*\(([^)]*)\)", verilog, re.MULTILINE)
    if header is None:
        raise CimpleError(f"the Verilog has no module {top}; name its top-level module so")
    return re.findall(r"\w+", header[1])


def _visible_ports(ports: list[str], top: str) -> str:
    """Verilator's control file that lets cocotb see the ports and, for speed, nothing else."""
    lines = [f'public_flat_rw -module "{top}" -var "{port}"' for port in ports]
    return "\n".join(["`verilator_config", *lines, ""])


def _errors_of(output: str) -> str:
    """The lines of a build's output that say what is wrong."""
    lines = output.splitlines()
    errors = [line for line in lines if re.search(r"error|not found|No space", line, re.IGNORECASE)]
    return "\n".join(errors[:12] or lines[-12:])
