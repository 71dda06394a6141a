# SPDX-License-Identifier: Apache-2.0
"""Where the programs of FPGA flows are: native on the PATH, or WebAssembly wheels."""

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator

from ..hdl.errors import CimpleError

__all__ = ["find_program", "version_numbers"]


def find_program(name: str, version_option: str, pattern: str, oldest: str) -> tuple[str, str]:
    """Command and version of a program: native if it is recent enough, else the YoWASP wheel's.

    Parameters
    ----------
    name : str
        What the native program is called; the wheel's has `yowasp-` before it.
    version_option : str
        What makes it print its version.
    pattern : str
        Regular expression of what it prints then, with the version as its only group.
    oldest : str
        The first version that will do.

    Raises
    ------
    CimpleError
        There is none, or only one that is too old.
    """
    for command in _commands(name):
        found = _version(command, version_option, pattern)
        if found and version_numbers(found) >= version_numbers(oldest):
            return command, found
    raise CimpleError(
        f"{name} {oldest} or newer is needed: pip install 'cimple[fpga]', or put {name} on the PATH"
    )


def version_numbers(version: str) -> tuple[int, ...]:
    """A version as numbers, which compare as they should: `0.9` is before `0.40`."""
    return tuple(int(number) for number in version.split("."))


def _commands(name: str) -> Iterator[str]:
    wheel = f"yowasp-{name}"
    places = ((name, None), (wheel, sysconfig.get_path("scripts")), (wheel, None))
    for program, place in places:
        if command := shutil.which(program, path=place):
            yield command


def _version(command: str, option: str, pattern: str) -> str | None:
    result = subprocess.run([command, option], capture_output=True, text=True, check=False)
    found = re.search(pattern, result.stdout + result.stderr)
    return found[1] if found else None
