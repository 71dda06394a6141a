# SPDX-License-Identifier: Apache-2.0
"""Yosys as a synthesis tool: native where there is one, else the WebAssembly wheel."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..hdl.errors import CimpleError
from .programs import find_program

__all__ = ["Yosys", "find_yosys"]

#: The first version whose `stat -json` and ECP5 flow are as they are used here.
_OLDEST = "0.40"


@dataclass(frozen=True)
class Yosys:
    """An installed Yosys."""

    command: str
    """What starts it."""
    version: str
    """As `0.70`."""

    def run(self, script: str, directory: Path, timeout: float | None = None) -> None:
        """Run a script, with `directory` as the working directory; leave `yosys.log` there.

        Raises:
            CimpleError: Yosys ends with an error; the text holds it.
            TimeoutExpired: it was ended after `timeout` seconds.
        """
        # The log is whole, where a WebAssembly program that fails may lose the end of its output.
        log = directory / "yosys.log"
        log.unlink(missing_ok=True)
        result = subprocess.run(
            [self.command, "-q", "-l", log.name, "-p", script],
            cwd=directory, capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip
        if result.returncode:
            logged = log.read_text(encoding="utf-8") if log.exists() else ""
            reason = _reason(logged, result.stderr)
            raise CimpleError(f"{self.command} ended with an error: {reason}")


def find_yosys(say: Callable[[str], None] = lambda message: None) -> Yosys:
    """The Yosys to use.

    The first start of the wheel compiles it for this computer, which takes about a minute: `say` is
    told.

    Raises:
        CimpleError: there is none, or only one that is too old.
    """
    return Yosys(*find_program("yosys", "-V", r"^Yosys (\d+\.\d+)", _OLDEST, say))


def _reason(logged: str, said: str) -> str:
    """The error in a log; failing that, the last that was said."""
    if found := re.search(r"^ERROR: (.*)", logged, re.MULTILINE):
        return found[1]
    return " ".join((said.strip() or logged.strip()).splitlines()[-3:])
