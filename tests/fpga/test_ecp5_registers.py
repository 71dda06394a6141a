# SPDX-License-Identifier: Apache-2.0
"""Registers of the ECP5's blocks: they take what flip-flops did, and nothing else."""

import copy
import json

import pytest

from cimple.fpga.ecp5_registers import absorb_registers
from cimple.fpga.families import FAMILIES
from cimple.fpga.synthesis import NETLIST, placing_flow, synthesise
from cimple.fpga.yosys import find_yosys
from cimple.hdl.errors import CimpleError

pytestmark = pytest.mark.xdist_group("yosys")

DESIGN = """\
module design(
  input clk, enable, clear, input [4:0] a, b, c, input [8:0] at, to, input [35:0] word,
  output reg [9:0] p, q, output [4:0] seen, output reg [{top}:0] data
);
  reg [4:0] x, y, z;
  (* no_rw_check *) reg [{top}:0] words [0:511];
  reg [{top}:0] found;
  assign seen = {seen};
  always @(posedge clk) begin
    x <= a;
    y <= b;
    z <= c;
    p <= x * y;
    {product}
    if (enable) words[to] <= word;
    found <= words[at];
    {later}
  end
endmodule
"""
PLAIN = {"top": "7", "seen": "0", "product": "q <= x * z;", "later": "data <= found;"}

# What counts of the blocks here is where registers are: a memory is any function of its address.
MODELS = """\
module DP16KD(
  input CLKA, CLKB, OCEB, ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11,
  ADB12, ADB13, output {outputs}
);
  parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG";
  wire [13:0] address = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
    ADB1, ADB0};
  reg [35:0] latch = 0, register = 0;
  always @(posedge CLKB) begin
    latch <= {address, address, address} ^ {address, 12'd1931};
    if (OCEB) register <= latch;
  end
  assign {{low}} = REGMODE_B == "OUTREG" ? register[17:0] : latch[17:0];
  assign {{high}} = REGMODE_A == "OUTREG" ? register[35:18] : latch[35:18];
endmodule
module MULT18X18D(input CLK0, CE0, RST0, {operands}, output {product});
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0";
  parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0";
  parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0";
  wire [17:0] a = {{a}}, b = {{b}};
  reg [17:0] own_a = 0, own_b = 0;
  reg [35:0] register = 0;
  wire [17:0] x = REG_INPUTA_CLK == "CLK0" ? own_a : a;
  wire [17:0] y = REG_INPUTB_CLK == "CLK0" ? own_b : b;
  wire [35:0] p = x * y;
  always @(posedge CLK0) begin
    if (RST0) {own_a, own_b, register} <= 0;
    else if (CE0) {own_a, own_b, register} <= {a, b, p};
  end
  assign {{product}} = REG_OUTPUT_CLK == "CLK0" ? register : p;
endmodule
"""

PROOF = """\
read_json {name}.json; read_verilog -overwrite +/ecp5/cells_sim.v
read_verilog -overwrite models.v
hierarchy -top design; proc; flatten; opt_clean; rename design {name}; design -stash {name}
design -reset
"""
MITER = """\
design -copy-from gold gold; design -copy-from gate gate
miter -equiv -make_assert -flatten gold gate miter; opt -full miter
sat -verify -tempinduct -prove-asserts -set-init-zero -set-def-inputs -maxsteps 8 miter
"""


def models() -> str:
    def row(name, count):
        return ", ".join(f"{name}{bit}" for bit in reversed(range(count)))

    parts = {
        "{outputs}": f"{row('DOA', 18)}, {row('DOB', 18)}",
        "{operands}": f"{row('A', 18)}, {row('B', 18)}",
        "output {product}": f"output {row('P', 36)}",
        "{{low}}": f"{{{row('DOB', 18)}}}", "{{high}}": f"{{{row('DOA', 18)}}}",
        "{{a}}": f"{{{row('A', 18)}}}", "{{b}}": f"{{{row('B', 18)}}}",
        "{{product}}": f"{{{row('P', 36)}}}",
    }  # fmt: skip
    text = MODELS
    for key, value in parts.items():
        text = text.replace(key, value)
    return text


def netlist_of(tmp_path, flow: str = FAMILIES["ecp5"].synthesis, **changes: str) -> dict:
    """What a flow makes of the design: by default Yosys alone."""
    text = DESIGN
    for key, value in (PLAIN | changes).items():
        text = text.replace(f"{{{key}}}", value)
    files = {"design.v": text}
    synthesise(files, "read_verilog design.v", "design", flow, find_yosys(), tmp_path)
    return json.loads((tmp_path / NETLIST).read_text())


def cells(netlist: dict, kind: str) -> list[dict]:
    found = netlist["modules"]["design"]["cells"].values()
    return [cell for cell in found if cell["type"] == kind]


def prove(tmp_path, gold: dict, gate: dict) -> None:
    """Raise CimpleError unless two netlists are the same, whatever comes in, from zeros on."""
    (tmp_path / "models.v").write_text(models())
    for name, netlist in (("gold", gold), ("gate", gate)):
        alone = copy.deepcopy({"modules": {"design": netlist["modules"]["design"]}})
        for cell in cells(alone, "DP16KD"):
            cell["parameters"] = {
                key: value for key, value in cell["parameters"].items() if key.startswith("REGMODE")
            }
        (tmp_path / f"{name}.json").write_text(json.dumps(alone))
    script = PROOF.format(name="gold") + PROOF.format(name="gate") + MITER
    find_yosys().run(script.replace("\n", "; "), tmp_path)


def test_registers_around_multipliers_and_behind_memories_go_into_them(tmp_path):
    gold = netlist_of(tmp_path)
    gate = copy.deepcopy(gold)
    # Three operands of 5 bits, two products of 10, one of which has x, and a word of 8.
    assert absorb_registers(gate) == 15 + 20 + 8
    assert cells(gate, "TRELLIS_FF") == []
    for cell in cells(gate, "MULT18X18D"):
        assert cell["parameters"] == {
            f"REG_{at}_{of}": number
            for at in ("INPUTA", "INPUTB", "OUTPUT")
            for of, number in (("CLK", "CLK0"), ("CE", "CE0"), ("RST", "RST0"))
        }
    (memory,) = cells(gate, "DP16KD")
    assert memory["parameters"]["REGMODE_B"] == "OUTREG"
    prove(tmp_path, gold, gate)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        # An operand that others read stays, and with it those beside it.
        ({"seen": "x"}, 20 + 8),
        # z stands before one of the products alone, and that has x as well.
        ({"seen": "z"}, 20 + 8),
        ({"product": "q <= z * z;"}, 15 + 20 + 8),
        ({"product": "if (enable) q <= x * z;"}, 15 + 10 + 8),
        ({"product": "q <= clear ? 0 : x * z;"}, 15 + 10 + 8),
        # A product or word that is read before its register, too.
        ({"product": "q <= x * z + c;"}, 15 + 10 + 8),
        ({"later": "data <= clear ? 0 : found;"}, 15 + 20),
        ({"later": "if (enable) data <= found;"}, 15 + 20),
        ({"later": "data <= found + 1;"}, 15 + 20),
        # Two ports make one of 36 bits.
        ({"top": "35"}, 15 + 20 + 36),
    ],
)
def test_what_goes_and_what_stays(tmp_path, changes, count):
    gold = netlist_of(tmp_path, **changes)
    gate = copy.deepcopy(gold)
    assert absorb_registers(gate) == count
    prove(tmp_path, gold, gate)


@pytest.mark.parametrize(
    ("kind", "parameter"),
    [("MULT18X18D", "REG_OUTPUT_CLK"), ("MULT18X18D", "REG_INPUTB_CLK"), ("DP16KD", "REGMODE_B")],
)
def test_a_register_that_is_not_there_is_seen(tmp_path, kind, parameter):
    gold = netlist_of(tmp_path)
    gate = copy.deepcopy(gold)
    absorb_registers(gate)
    cells(gate, kind)[0]["parameters"][parameter] = "NOREG" if kind == "DP16KD" else "NONE"
    with pytest.raises(CimpleError, match="proof did fail"):
        prove(tmp_path, gold, gate)


def test_netlists_that_are_placed_have_them(tmp_path):
    assert cells(netlist_of(tmp_path, placing_flow(FAMILIES["ecp5"])), "TRELLIS_FF") == []
