# SPDX-License-Identifier: Apache-2.0
"""Opens the ends of carry chains in netlists for the ECP5, so that nextpnr adds no cells to them.

nextpnr gives a chain another carry cell at each end that is connected, even where it is tied to a
constant or nobody listens: 3 of every 14 positions of a macro's adders. What Yosys writes has all
ends connected.
"""

from pathlib import Path
from typing import Any

from .bit_readers import count_readers

__all__ = ["MAP", "SYNTHESIS", "open_chains"]

#: The map of adders, to be put beside the design.
MAP = Path(__file__).with_suffix(".v")

#: Yosys commands in place of `synth_ecp5 -top {name}`.
SYNTHESIS = (
    f"synth_ecp5 -top {{name}} -run begin:map_gates; techmap -map {MAP.name}; "
    "synth_ecp5 -top {name} -run map_gates:"
)

#: How a bit that is not connected stands in a netlist.
_OPEN = ["x"]

#: The head of the table of a position that makes its chain's first carry: ~B, and B is tied to 1.
#: Only such a cell is indifferent to the carry it is given.
_FIRST = "001100000000"


def open_chains(netlist: dict[str, Any]) -> None:
    """Leave open the carry outputs that nobody reads, and the carry inputs of first positions.

    Parameters
    ----------
    netlist : dict
        What Yosys's `write_json` wrote, after `SYNTHESIS`; changed in place.
    """
    for module in netlist["modules"].values():
        readers = count_readers(module)
        for cell in module["cells"].values():
            if cell["type"] != "CCU2C":
                continue
            ports = cell["connections"]
            if not readers[ports["COUT"][0]]:
                ports["COUT"] = _OPEN
            if cell["parameters"]["INIT0"].startswith(_FIRST):
                ports["CIN"] = _OPEN
