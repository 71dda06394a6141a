# SPDX-License-Identifier: Apache-2.0
"""What nextpnr is given for a board, as Verilog with models of its cells."""

import re
from pathlib import Path

from cimple.fpga.build import Sources, synthesise_board
from cimple.fpga.cell_models import models_for, share_directory
from cimple.fpga.flows import Flow
from cimple.fpga.netlist import NETLISTS
from cimple.fpga.synthesis import NETLIST
from cimple.fpga.yosys import find_yosys

__all__ = ["board_netlist"]

HERE = Path(__file__).resolve().parent


def board_netlist(sources: Sources, flow: Flow, directory: Path) -> str:
    """Synthesise a board's sources as `cimple build` does, and turn the netlist into Verilog."""
    yosys = find_yosys()
    synthesise_board(sources, flow, yosys, directory)
    yosys.run(f"read_json {NETLIST}; write_verilog -noattr netlist.v", directory)
    text = (directory / "netlist.v").read_text(encoding="utf-8")
    # Before it stand boxes of the family.
    text = text[text.index("module top(") :]
    # What is open is an x.
    text = text.replace("(1'hx)", "()")
    text = re.sub(r'TRELLIS_IO #\(\s*\.DIR\("(\w+)"\)\s*\)', r"\1_PAD", text)
    blocks = (HERE / f"blocks_{flow.family.name}.v").read_text(encoding="utf-8")
    # Yosys has these as boxes, where it has them.
    names = "|".join(re.findall(r"^module (\w+)_MODEL\b", blocks, re.MULTILINE))
    text = re.sub(rf"^  ({names}) ", r"  \1_MODEL ", text, flags=re.MULTILINE)
    library = share_directory(yosys) / NETLISTS[flow.family.name].library
    return "\n".join([models_for(text, library), blocks, text])
