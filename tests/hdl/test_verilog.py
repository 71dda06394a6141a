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
    """A memory of 600 words that begins with values of its own."""

    address: Signal
    data: Signal

    def __init__(self):
        super().__init__({"address": In(10), "data": Out(16)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = memory.Memory(
            shape=16, depth=600, init=[value * 77 for value in range(600)]
        )
        port = words.read_port()
        m.d.comb += [port.addr.eq(self.address), self.data.eq(port.data)]
        return m


def test_first_values_stand_in_short_blocks():
    """Yosys reads long ones in a time that grows with the square of their length."""
    verilog = emit_verilog(emit_rtlil(Words(), "words"), "words")
    blocks = re.findall(r"^  initial begin\n(.*?)^  end\n", verilog, re.MULTILINE | re.DOTALL)
    assert [block.count("\n") for block in blocks] == [256, 256, 88]
    values = re.findall(r"^    \w+\[(\d+)\] = 16'h(\w+);$", "".join(blocks), re.MULTILINE)
    assert [(int(at), int(value, 16)) for at, value in values] == [
        (at, at * 77) for at in range(600)
    ]
