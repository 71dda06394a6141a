# SPDX-License-Identifier: Apache-2.0
"""The text of the Verilog: what simulators and synthesis need it to be."""

import re
import subprocess

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from cimple.hdl.generate.verilog import emit_rtlil, emit_verilog


class ConstantBits(wiring.Component):
    """A port of which one bit is constant and another depends on an input."""

    i: Signal
    o: Signal

    def __init__(self):
        super().__init__({"i": In(1), "o": Out(2)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o[1].eq(1)
        with m.If(self.i):
            m.d.comb += self.o[0].eq(1)
        return m


@pytest.mark.parametrize("standard", ["-g2005", "-g2009", "-g2012"])
def test_constant_bits_reach_an_event_driven_simulator(standard, tmp_path):
    verilog = emit_verilog(emit_rtlil(ConstantBits(), "constant_bits"), "constant_bits")
    bench = (
        "module bench; reg i = 0; wire [1:0] o; constant_bits dut(.i(i), .o(o));\n"
        'initial begin #1 $write("%b ", o); i = 1; #1 $write("%b", o); end endmodule\n'
    )
    (tmp_path / "all.v").write_text(verilog + bench)
    subprocess.run(["iverilog", standard, "-Wall", "-o", "a", "all.v"], cwd=tmp_path, check=True)
    result = subprocess.run(["vvp", "a"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert result.stdout.split() == ["10", "11"]


class Words(wiring.Component):
    """A memory that begins with values of its own."""

    address: Signal
    data: Signal

    def __init__(self, first_values):
        self.first_values = first_values
        super().__init__({"address": In(12), "data": Out(16)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = memory.Memory(
            shape=16, depth=len(self.first_values), init=self.first_values
        )
        port = words.read_port()
        m.d.comb += [port.addr.eq(self.address), self.data.eq(port.data)]
        return m


def test_first_values_stand_in_short_blocks():
    """Yosys reads long ones in a time that grows with the square of their length."""
    words = Words([value * 77 for value in range(600)])
    verilog = emit_verilog(emit_rtlil(words, "words"), "words")
    blocks = re.findall(r"^  initial begin\n(.*?)^  end\n", verilog, re.MULTILINE | re.DOTALL)
    assert [block.count("\n") for block in blocks] == [256, 256, 88]
    values = re.findall(r"^    \w+\[(\d+)\] = 16'h(\w+);$", "".join(blocks), re.MULTILINE)
    assert [(int(at), int(value, 16)) for at, value in values] == [
        (at, at * 77) for at in range(600)
    ]


@pytest.mark.parametrize(("depth", "loops"), [(1024, 0), (1025, 1), (4096, 1)])
def test_a_deep_memory_begins_as_zeros_in_a_loop(depth, loops, tmp_path):
    """A simulator sees each of them, synthesis none."""
    verilog = emit_verilog(emit_rtlil(Words([0] * depth), "words"), "words")
    assert verilog.count("`ifndef SYNTHESIS") == verilog.count("`endif") == loops
    assert len(re.findall(r"\[\d+\] = 16'h0000;", verilog)) == (0 if loops else depth)
    bench = (
        "module bench; reg clk = 0, rst = 0; reg [11:0] address; wire [15:0] data;\n"
        "words dut(.clk(clk), .rst(rst), .address(address), .data(data));\n"
        f"integer n; initial begin for (n = 0; n < {depth}; n = n + 1) begin\n"
        'address = n; #1 clk = 1; #1 clk = 0; if (data !== 0) $write("%d ", n); end end endmodule\n'
    )
    (tmp_path / "all.v").write_text(verilog + bench)
    subprocess.run(["iverilog", "-g2005", "-Wall", "-o", "a", "all.v"], cwd=tmp_path, check=True)
    result = subprocess.run(["vvp", "a"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert result.stdout == ""


def test_values_that_are_no_zeros_are_said_word_by_word():
    """Even where only the last of many is one."""
    verilog = emit_verilog(emit_rtlil(Words([0] * 1499 + [7]), "words"), "words")
    assert "SYNTHESIS" not in verilog
    assert verilog.count("[1499] = 16'h0007;") == 1
