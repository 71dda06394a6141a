# SPDX-License-Identifier: Apache-2.0
"""What the simulators' builds share: where the drivers are, and running a tool."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .device import DeviceError

__all__ = ["DRIVERS", "Progress", "run_tool"]

#: The sources of the drivers.
DRIVERS = Path(__file__).resolve().parent / "drivers"

#: Told what takes time.
Progress = Callable[[str], None]

#: Lines of a tool's complaint that are shown.
_SHOWN = 8


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
