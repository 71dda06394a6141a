# SPDX-License-Identifier: Apache-2.0
"""Carry chains of the ECP5: adders are what they were, and nextpnr adds no cells to them."""

import json

import pytest

from cimple.fpga import ecp5_chains
from cimple.fpga.families import FAMILIES, Effort
from cimple.fpga.nextpnr import find_nextpnr
from cimple.fpga.place import device_of
from cimple.fpga.synthesis import NETLIST, placing_flow, synthesise
from cimple.fpga.yosys import find_yosys
from cimple.hdl.errors import CimpleError

pytestmark = pytest.mark.xdist_group("yosys")

ECP5 = FAMILIES["ecp5"]

# Every use of a carry: sums, differences, both by choice, constants, comparisons.
ADDERS = """\
module adders #(parameter W = 5, V = 4, S = 1) (
  input [W-1:0] a, input [V-1:0] b, input choice, carry,
  output [W:0] sum, either, three, difference, output less, greater, small,
  output [W-1:0] next, negative
);
  assign sum = S ? $signed(a) + $signed(b) : a + b;
  assign either = choice ? a - b : a + b;
  assign three = a + b + carry;
  assign difference = a - b + 3;
  assign less = S ? $signed(a) < $signed(b) : a < b;
  assign greater = a >= b;
  assign small = a < 5;
  assign next = a + 1;
  assign negative = -a;
endmodule
"""

PROOF = """\
read_verilog adders.v; chparam -set W {w} -set V {v} -set S {s} adders; hierarchy -top adders
{synthesis}
write_verilog gate.v
design -reset
read_verilog gate.v; read_verilog -overwrite +/ecp5/cells_sim.v
hierarchy -top adders; proc; flatten; opt_clean; rename adders gate; design -stash gate
design -reset
read_verilog adders.v; chparam -set W {w} -set V {v} -set S {s} adders; hierarchy -top adders
proc; rename adders gold; design -stash gold
design -reset
design -copy-from gold gold; design -copy-from gate gate
miter -equiv -make_assert -flatten gold gate miter
sat -verify -prove-asserts -set-def-inputs miter
"""


def prove(tmp_path, text: str, w: int, v: int, s: int) -> None:
    """Raise CimpleError unless adders of these widths are the same after synthesis."""
    (tmp_path / "adders.v").write_text(ADDERS)
    (tmp_path / ecp5_chains.MAP.name).write_text(text)
    script = PROOF.format(w=w, v=v, s=s, synthesis=ecp5_chains.SYNTHESIS.format(name="adders"))
    find_yosys().run(script.replace("\n", "; "), tmp_path)


@pytest.mark.parametrize(("w", "v", "s"), [(5, 4, 1), (6, 1, 0), (7, 7, 1), (8, 5, 0), (8, 8, 1)])
def test_adders_are_proven_the_same(w, v, s, tmp_path):
    prove(tmp_path, ecp5_chains.MAP.read_text(), w, v, s)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("1001_0110_1010_1010", "1001_0110_1010_0101"),
        ("0011_0000_0000_1111", "0011_0000_0000_0111"),
        ("LAST = 16'b0011_0011_0011_0011", "LAST = 16'b0000_0000_0000_0000"),
        ("X[i] & ~Y[i]", "X[i] & Y[i]"),
    ],
)
def test_wrong_tables_are_no_adders(right, wrong, tmp_path):
    text = ecp5_chains.MAP.read_text()
    assert text.count(right) == 1
    with pytest.raises(CimpleError, match="proof did fail"):
        prove(tmp_path, text.replace(right, wrong), 5, 4, 1)


SUM = """\
module one_sum #(parameter W = 12) (input clk, d, output reg q);
  reg [2*W-1:0] operands;
  reg [W-1:0] result;
  always @(posedge clk) begin
    operands <= {operands, d};
    result <= {how};
    q <= ^result;
  end
endmodule
"""


def positions(tmp_path, width: int, how: str) -> int:
    """LUT4 positions that nextpnr gives to carry cells."""
    text = SUM.replace("W = 12", f"W = {width}").replace("{how}", how)
    synthesise(
        {"sum.v": text}, "read_verilog sum.v", "one_sum", placing_flow(ECP5), find_yosys(), tmp_path
    )
    device = device_of(ECP5)
    find_nextpnr(device.tool).run(device, 1, tmp_path, Effort(("--write", "placed.json")))
    (module,) = json.loads((tmp_path / "placed.json").read_text())["modules"].values()
    return sum(cell["parameters"].get("MODE") == "CCU2" for cell in module["cells"].values())


@pytest.mark.parametrize(
    ("width", "how", "cells"),
    [
        # The first carry and the bits.
        (11, "operands[10:0] + operands[21:11]", 6),
        (12, "operands[11:0] + operands[23:12]", 7),
        # And the last carry.
        (11, "operands[10:0] < operands[21:11]", 7),
        (12, "operands[11:0] < operands[23:12]", 7),
    ],
)
def test_chains_are_placed_without_more_cells(width, how, cells, tmp_path):
    assert positions(tmp_path, width, how) == 2 * cells


def test_only_what_nobody_reads_is_opened():
    def cell(table, carry_in, carry_out):
        return {
            "type": "CCU2C",
            "parameters": {"INIT0": table + "0" * 4},
            "port_directions": {"CIN": "input", "COUT": "output"},
            "connections": {"CIN": [carry_in], "COUT": [carry_out]},
        }

    cells = {
        "first": cell("001100000000", "0", 2),
        "next": cell("100101101010", 2, 3),
        "last": cell("100101101010", 3, 4),
        "another_s": cell("100101101010", "0", 5),
    }
    ports = {"o": {"direction": "output", "bits": [5]}, "i": {"direction": "input", "bits": [4]}}
    ecp5_chains.open_chains({"modules": {"top": {"ports": ports, "cells": cells}}})
    assert {name: found["connections"] for name, found in cells.items()} == {
        "first": {"CIN": ["x"], "COUT": [2]},
        "next": {"CIN": [2], "COUT": [3]},
        "last": {"CIN": [3], "COUT": ["x"]},
        "another_s": {"CIN": ["0"], "COUT": [5]},
    }


def test_the_netlist_is_where_nextpnr_reads_it(tmp_path):
    text = SUM.replace("{how}", "operands")
    synthesise(
        {"sum.v": text}, "read_verilog sum.v", "one_sum", placing_flow(ECP5), find_yosys(), tmp_path
    )
    assert json.loads((tmp_path / NETLIST).read_text())["modules"]["one_sum"]
