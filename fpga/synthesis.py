# SPDX-License-Identifier: Apache-2.0
"""Netlists for place and route: what Yosys makes of Verilog, as nextpnr packs it best."""

import json
import shutil
from pathlib import Path

from . import ecp5_chains
from .families import Family
from .yosys import Yosys

__all__ = ["NETLIST", "synthesise"]

#: File that nextpnr reads.
NETLIST = "netlist.json"

_DESIGN = "design.v"


def synthesise(verilog: str, top: str, family: Family, yosys: Yosys, directory: Path) -> None:
    """Write `NETLIST` into a directory.

    Parameters
    ----------
    verilog : str
        A whole design.
    top : str
        Its top-level module.
    family : Family
    yosys : Yosys
    directory : Path
        Yosys runs there, and is given bare names: as a WebAssembly program it sees little else.

    Raises
    ------
    CimpleError
        Yosys does not synthesise it.
    """
    (directory / _DESIGN).write_text(verilog, encoding="utf-8")
    chains = family.name == "ecp5"
    if chains:
        shutil.copy(ecp5_chains.MAP, directory)
    flow = (ecp5_chains.SYNTHESIS if chains else family.synthesis).format(name=top)
    yosys.run(f"read_verilog {_DESIGN}; {flow}; write_json {NETLIST}", directory)
    if chains:
        path = directory / NETLIST
        netlist = json.loads(path.read_text(encoding="utf-8"))
        ecp5_chains.open_chains(netlist)
        path.write_text(json.dumps(netlist), encoding="utf-8")
