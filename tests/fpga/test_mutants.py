# SPDX-License-Identifier: Apache-2.0
"""Mutants: drawn for every block, each with its one change, compared with their design."""

import re

import pytest

from cimple.fpga.equivalence import is_equivalent
from cimple.fpga.mutants import Mutation, MutationBase, block_of
from cimple.fpga.yosys import find_yosys

pytestmark = pytest.mark.xdist_group("yosys")

#: `seen` follows `i[0]` alone, whatever `spare` is, in a way that is not simplified.
DESIGN = """
module top(input clk, input [3:0] i, output [3:0] o, output reg seen);
  wire [3:0] half;
  top_part0 part(.clk(clk), .i(i), .o(half));
  reg spare;
  always @(posedge clk) spare <= i[1] ^ i[2];
  always @(posedge clk) seen <= (i[0] & spare) | (i[0] & ~spare);
  assign o = half ^ 4'd1;
endmodule
module top_part0(input clk, input [3:0] i, output reg [3:0] o);
  always @(posedge clk) o <= i + o;
endmodule
"""


@pytest.fixture(scope="module")
def base() -> MutationBase:
    return MutationBase(DESIGN, "top", find_yosys())


@pytest.mark.parametrize(
    ("module", "block"),
    [("top", "top level"), ("top_part0", "part"), ("top_a4_tree12", "tree"),
     ("top_a4_tree1_0", "tree"), ("top_x", "x")],
)
def test_modules_of_one_kind_are_a_block(module, block):
    assert block_of(module, "top") == block


def test_every_block_has_its_share(base):
    assert base.blocks == {"top level": ["top"], "part": ["top_part0"]}
    mutations = base.draw(9, seed=1)
    assert [mutation.block for mutation in mutations] == ["top level"] * 5 + ["part"] * 5
    assert len({mutation.options for mutation in mutations}) == 10
    assert base.draw(9, seed=1) == mutations
    assert base.draw(9, seed=2) != mutations
    module = {"top level": "top", "part": "top_part0"}
    for mutation in mutations:
        assert re.match(rf"\w+ (by bit \d )?{module[mutation.block]} \S+\[\d\]", mutation.label)


def test_mutants_differ_from_the_control_in_one_module(base):
    mutations = base.draw(6, seed=1)
    control, *mutants = base.verilog([None, *mutations])
    assert control == base.verilog([None])[0]
    modules = modules_of(control)
    for mutation, mutant in zip(mutations, mutants, strict=True):
        changed = [name for name, text in modules_of(mutant).items() if text != modules[name]]
        assert [block_of(name, "top") for name in changed] == [mutation.block]


def modules_of(verilog: str) -> dict[str, str]:
    found = re.finditer(r"^module (\w+).*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    return {module[1]: module[0] for module in found}


@pytest.mark.parametrize(
    ("cell", "port", "mode", "equal"),
    [
        ("add", "Y", "inv", False),
        ("or", "Y", "inv", False),
        ("or", "Y", "none", True),
        ("not", "Y", "const1", True),  # i[0] & spare | i[0]
        ("not", "Y", "const0", False),
        ("xor", "Y", "inv", True),  # spare is another, seen the same
    ],
)
def test_equal_circuits_are_told_from_others(base, cell, port, mode, equal):
    found = re.search(rf"cell \${cell} (\S+design\S+)", base.rtlil)
    assert found is not None
    module = "top_part0" if cell == "add" else "top"
    options = f"-mode {mode} -module {module} -cell {found[1]} -port {port} -portbit 0"
    assert is_equivalent(base, Mutation("", options)) is equal
