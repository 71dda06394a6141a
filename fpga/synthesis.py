# SPDX-License-Identifier: Apache-2.0
"""Netlists for place and route: what Yosys makes of a design, as nextpnr packs it best."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..hdl.generate import Design
from . import ecp5_chains
from .ecp5_registers import absorb_registers
from .families import Family
from .harness import harness, harness_name
from .yosys import Yosys

__all__ = ["NETLIST", "placing_flow", "synthesise", "synthesise_in_harness"]

#: File that nextpnr reads.
NETLIST = "netlist.json"


def placing_flow(family: Family) -> str:
    """Yosys commands for designs that are placed: the family's, but for adders of the ECP5."""
    return ecp5_chains.SYNTHESIS if family.name == "ecp5" else family.synthesis


def synthesise(
    files: Mapping[str, str], read: str, top: str, flow: str, yosys: Yosys, directory: Path,
    then: str = "",
) -> None:
    """Write `NETLIST` into a directory.

    Parameters
    ----------
    files : mapping of str to str
        Texts by name, to be put there. Yosys runs there and is given bare names: as a WebAssembly
        program it sees little else.
    read : str
        Yosys commands that read them.
    top : str
        The top-level module.
    flow : str
        Yosys commands of the synthesis; `{name}` is the top-level module.
    yosys : Yosys
    directory : Path
    then : str, optional
        Yosys commands after it.

    Raises
    ------
    CimpleError
        Yosys does not synthesise it.
    """
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    is_ecp5 = flow == ecp5_chains.SYNTHESIS
    if is_ecp5:
        shutil.copy(ecp5_chains.MAP, directory)
    commands = [read, flow.format(name=top), f"write_json {NETLIST}", then]
    yosys.run("; ".join(filter(None, commands)), directory)
    if is_ecp5:
        path = directory / NETLIST
        netlist = json.loads(path.read_text(encoding="utf-8"))
        ecp5_chains.open_chains(netlist)
        absorb_registers(netlist)
        path.write_text(json.dumps(netlist), encoding="utf-8")


def synthesise_in_harness(design: Design, family: Family, yosys: Yosys, directory: Path) -> str:
    """Write `NETLIST` of a design in its harness into a directory; its top-level module.

    Raises:
        CimpleError: Yosys does not synthesise it.
    """
    files = {"design.v": design.verilog + harness(design.name, design.manifest["ports"])}
    top = harness_name(design.name)
    synthesise(files, "read_verilog design.v", top, placing_flow(family), yosys, directory)
    return top
