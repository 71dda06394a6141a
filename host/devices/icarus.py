# SPDX-License-Identifier: Apache-2.0
"""The generated Verilog under Icarus Verilog, behind a small bench that speaks through pipes."""

import shutil
from pathlib import Path

from ...hdl.errors import CimpleError
from ...hdl.npu.config import NpuConfig
from ...verif.bench.cache import cached_build
from ...verif.bench.simulators import find_simulator
from .build import DRIVERS, Progress, external_defines, run_tool, verilog_of
from .pipe import DEFAULT_TIMEOUT, PipeDevice

__all__ = ["build_icarus", "icarus_device"]


def icarus_device(
    config: NpuConfig, *, timeout: int = DEFAULT_TIMEOUT,
    progress: Progress = lambda message: None,
) -> PipeDevice:
    """The NPU's Verilog under Icarus: quick to build, slow to run.

    Args:
        config: the NPU.
        timeout: most clock cycles that an answer may take.
        progress: told what takes time.

    Raises:
        CimpleError: the simulator is missing or does not take the design.
    """
    command, environment = build_icarus(config, "driver.v", progress)
    return PipeDevice(
        "icarus", [*command, f"+timeout={timeout}"], environment,
        has_external=bool(config.external_port),
    )


def build_icarus(
    config: NpuConfig, driver: str, progress: Progress
) -> tuple[list[str | Path], dict[str, str]]:
    """The command that simulates an NPU, and its environment; `driver` is what drives it.

    Raises CimpleError as `icarus_device` does.
    """
    simulator = find_simulator("icarus")
    verilog = verilog_of(config, progress)
    source = (DRIVERS / driver).read_text(encoding="utf-8")
    defines = [f"-DNPU={config.name}", *external_defines(config)]
    flags = ["-g2005", *defines, "-s", "driver", "-o", "npu.vvp"]

    def build(directory: Path) -> None:
        progress("building the simulation with Icarus Verilog")
        (directory / "npu.v").write_text(verilog, encoding="utf-8")
        (directory / "driver.v").write_text(source, encoding="utf-8")
        command = [simulator.executable, *flags, "driver.v", "npu.v"]
        run_tool(command, directory, simulator.environment(), "icarus")

    entry = cached_build(("device", simulator.fingerprint, *flags, verilog, source), build)
    runner = shutil.which("vvp")
    if runner is None:
        raise CimpleError("icarus needs vvp, which is not on the PATH: apt install iverilog")
    return [runner, "-n", entry / "npu.vvp"], simulator.environment()
