# SPDX-License-Identifier: Apache-2.0
"""The generated Verilog under Verilator, compiled with a small driver and kept by content."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...hdl.npu.config import NpuConfig
from ...verif.bench.cache import cached_build
from ...verif.bench.simulators import Simulator, find_simulator
from .build import DRIVERS, Progress, external_defines, run_tool, verilog_of
from .pipe import DEFAULT_TIMEOUT, PipeDevice

__all__ = ["build_verilator", "verilator_device"]

# OPT_FAST=-O1: higher levels take longer to compile than they save in some hundred images.
_FLAGS = (
    "--cc", "--exe", "--build", "-j", "2", "--prefix", "Vdevice", "-O3", "--noassert",
    "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-CFLAGS", "-std=c++17",
    "--top-module", "device", "-MAKEFLAGS", "OPT_FAST=-O1",
)


def verilator_device(
    config: NpuConfig, *, timeout: int = DEFAULT_TIMEOUT,
    progress: Progress = lambda message: None,
) -> PipeDevice:
    """The NPU's Verilog under Verilator.

    The first build of a configuration takes up to a few minutes, later ones are found in the
    cache.

    Args:
        config: the NPU.
        timeout: most clock cycles that an answer may take.
        progress: told what takes time.

    Raises:
        CimpleError: the simulator is missing or does not take the design.
    """
    program, environment = build_verilator(config, "main.cpp", progress)
    return PipeDevice(
        "verilator", [program, str(timeout)], environment, has_external=bool(config.external_port)
    )


def build_verilator(
    config: NpuConfig, driver: str, progress: Progress
) -> tuple[Path, dict[str, str]]:
    """The program that simulates an NPU, and its environment; `driver` is what drives it.

    Raises CimpleError as `verilator_device` does.
    """
    simulator = find_simulator("verilator")
    verilog = verilog_of(config, progress)
    names = ("device.v", driver, *["external.h"] * bool(config.external_port))
    drivers = {name: (DRIVERS / name).read_text(encoding="utf-8") for name in names}
    defines = external_defines(config)

    def build(directory: Path) -> None:
        progress("building the simulation with Verilator (the first time takes a minute or more)")
        _build(directory, simulator, config.name, {"npu.v": verilog, **drivers}, defines)

    parts = ("device", simulator.fingerprint, *_FLAGS, *defines, verilog, *drivers.values())
    return cached_build(parts, build) / "npu", simulator.environment()


def _build(
    directory: Path, simulator: Simulator, top: str, sources: Mapping[str, str],
    defines: Sequence[str],
) -> None:
    """Only the program itself is kept."""
    work = directory / "work"
    work.mkdir()
    for name, text in sources.items():
        (work / name).write_text(text, encoding="utf-8")
    # They are for C++ as for Verilog; headers are found in the directory.
    compiler = [word for define in defines for word in ("-CFLAGS", define)]
    files = [name for name in sources if not name.endswith(".h")]
    command = [
        simulator.executable, *_FLAGS, *defines, *compiler, f"-DNPU={top}", *files,
    ]
    run_tool(command, work, simulator.environment(), "verilator")
    (work / "obj_dir" / "Vdevice").rename(directory / "npu")
    shutil.rmtree(work)
