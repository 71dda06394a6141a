# SPDX-License-Identifier: Apache-2.0
"""Where the programs of FPGA flows are: native on the PATH, or WebAssembly wheels."""

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

from ..hdl.errors import CimpleError

__all__ = ["find_program", "find_tool", "version_numbers"]

#: What a wheel says before it compiles itself for this computer.
_FIRST_START = "Preparing to run"

#: Native programs that are built for more parts than the wheel, under another name.
_NATIVE = {"nextpnr-himbaechel-gowin": "nextpnr-himbaechel"}


def find_program(
    name: str, version_option: str, pattern: str, oldest: str,
    say: Callable[[str], None] = lambda message: None,
) -> tuple[str, str]:
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
    say : callable
        Told of a first start, which takes a wheel up to a minute.

    Raises
    ------
    CimpleError
        There is none, or only one that is too old.
    """
    for command in _commands(name):
        found = _version(command, version_option, pattern, say)
        if found and version_numbers(found) >= version_numbers(oldest):
            return command, found
    raise CimpleError(
        f"{name} {oldest} or newer is needed: pip install 'cimple[fpga]', or put {name} on the PATH"
    )


def version_numbers(version: str) -> tuple[int, ...]:
    """A version as numbers, which compare as they should: `0.9` is before `0.40`."""
    return tuple(int(number) for number in version.split("."))


def find_tool(name: str) -> str:
    """Command of a program of which any version will do; else as `find_program`.

    Raises:
        CimpleError: there is none.
    """
    for command in _commands(name):
        return command
    raise CimpleError(f"{name} is needed: pip install 'cimple[fpga]', or put {name} on the PATH")


def _commands(name: str) -> Iterator[str]:
    scripts = sysconfig.get_path("scripts")
    wheel, native = f"yowasp-{name}", _NATIVE.get(name, name)
    places = ((native, None), (name, scripts), (wheel, scripts), (wheel, None))
    for program, place in places:
        if command := shutil.which(program, path=place):
            yield command


def _version(
    command: str, option: str, pattern: str, say: Callable[[str], None]
) -> str | None:
    said = ""
    with subprocess.Popen(
        [command, option], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if line.startswith(_FIRST_START):
                say(
                    f"{Path(command).name} starts for the first time: the WebAssembly wheel "
                    "compiles itself for this computer, once, for up to a minute"
                )
    found = re.search(pattern, said, re.MULTILINE)
    return found[1] if found else None
