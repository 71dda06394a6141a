# SPDX-License-Identifier: Apache-2.0
"""Models of block RAMs and multipliers, against the Verilog that they are synthesised from."""

import re
import subprocess
from collections import Counter

import pytest

from cimple.fpga.build import Sources
from cimple.fpga.flows import FLOWS
from tests.fpga.board_netlist import board_netlist

pytestmark = pytest.mark.xdist_group("yosys")

#: Entries and bits, and whether a register is behind the memory, which the block's then is.
MEMORIES = [
    (512, 36, 1), (512, 32, 0), (1024, 18, 1), (1024, 16, 0), (2048, 9, 1), (4096, 4, 1),
    (8192, 2, 1), (16384, 1, 1),
]  # fmt: skip

PARTS = """
module memory #(parameter DEPTH = 1, WIDTH = 1, LATER = 0) (
  input clk, input [31:0] i, output [35:0] o
);
  localparam LAST = $clog2(DEPTH) - 1;
  reg [WIDTH-1:0] words [0:DEPTH-1];
  integer n;
  initial for (n = 0; n < DEPTH; n = n + 1) words[n] = n * 77 + 5;
  reg [LAST:0] asked = 0;
  reg [31:0] seed = 1;
  reg [WIDTH-1:0] found = 0, later = 0;
  wire [35:0] written = {seed, seed[31:28]};
  always @(posedge clk) begin
    seed <= {seed[30:0], seed[31] ^ seed[21] ^ seed[1] ^ seed[0]};
    asked <= i[LAST:0];
    // Nothing is read where it is written.
    if (i[31] && asked != i[LAST:0]) words[i[LAST:0]] <= written[WIDTH-1:0];
    found <= words[asked];
    later <= found;
  end
  assign o = LATER ? later : found;
endmodule

module product (input clk, input [31:0] i, output reg signed [67:0] o);
  reg [16:0] a = 0, b = 0, then = 0;
  reg signed [16:0] c = 0, d = 0;
  always @(posedge clk) begin
    then <= i[16:0];
    {a, b, c, d} <= {then, i[31:15], i[30:14], then ^ i[31:15]};
    o[33:0] <= a * b;
    o[67:34] <= c * d;
  end
endmodule
"""

BENCH = """
module bench;
  reg clk = 0;
  reg [31:0] i = 0;
  wire [{last}:0] expected, found;
  plain plain(.clk(clk), .i(i), .o(expected));
  top made(.clk(clk), .i(i), .o(found));
  integer n;
  initial begin
    // Registers of a block are empty until something has passed.
    for (n = 0; n < 3000; n = n + 1) begin
      #1 clk = 1; #1 clk = 0;
      if (n > 5 && found !== expected) begin
        $write("%0d: %h, not %h", n, found, expected);
        $finish;
      end
      i = {{$random}} & (n < 1500 ? 32'h800000ff : 32'hffffffff);
    end
    $write("same");
  end
endmodule
"""


def design(name: str) -> str:
    """All of them in one module."""
    parts = [
        f"memory #({depth}, {width}, {later}) memory{index}(clk, i, o[{36 * index} +: 36]);"
        for index, (depth, width, later) in enumerate(MEMORIES)
    ]
    begin = 36 * len(MEMORIES)
    parts.append(f"product product(clk, i, o[{begin} +: 68]);")
    ports = f"input clk, input [31:0] i, output [{begin + 67}:0] o"
    return f"module {name}({ports});\n  " + "\n  ".join(parts) + "\nendmodule\n"


#: What each flow makes of them; text that shows which ways of using a block are tried.
MADE = {
    "ecp5": (
        {"DP16KD": len(MEMORIES), "MULT18X18D": 2},
        ('REGMODE_B("OUTREG")', 'REGMODE_B("NOREG")', 'REG_OUTPUT_CLK("CLK0")'),
    ),
    "gw2a": ({"SDPX9B": 2, "DPX9B": 3, "DPB": 3, "MULT18X18": 2}, ()),
}


@pytest.mark.parametrize("flow", MADE)
def test_blocks_do_as_the_design(flow, tmp_path):
    sources = Sources(PARTS + design("top"), "", "", 1e6)
    netlist = board_netlist(sources, FLOWS[flow], tmp_path)
    made = netlist[netlist.index("module top(") :]
    counts, texts = MADE[flow]
    found = Counter(re.findall(r"^  (\w+)_MODEL #?", made, re.MULTILINE))
    assert {name: found[name] for name in counts} == counts
    assert all(text in made for text in texts)
    bench = BENCH.format(last=36 * len(MEMORIES) + 67)
    (tmp_path / "all.v").write_text(bench + PARTS + design("plain") + netlist)
    subprocess.run(["iverilog", "-g2005-sv", "-o", "a", "all.v"], cwd=tmp_path, check=True)
    result = subprocess.run(["vvp", "a"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert result.stdout == "same"
