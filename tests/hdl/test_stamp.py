# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Stamps: one module for equal blocks in Verilog, the block itself in the simulator."""

import re
from typing import Any

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from cimple.hdl.generate.verilog import emit_verilog
from cimple.hdl.stamp import ModuleLibrary, Stamp, to_rtlil


class Delay(wiring.Component):
    """A register with a constant added, and a port of no bits."""

    i: stream.Interface
    o: Signal

    def __init__(self, step):
        self.step = step
        super().__init__(self.signature_for(step))

    @staticmethod
    def signature_for(step):
        return wiring.Signature(
            {"i": In(stream.Signature(data.StructLayout({"x": unsigned(8)}))), "o": Out(8),
             "none": In(0)}
        )

    def elaborate(self, platform):
        m = Module()
        held = Signal(8)
        with m.If(self.i.valid):
            m.d.sync += held.eq((self.i.payload.x + self.step)[:8])
        m.d.comb += [self.o.eq(held), self.i.ready.eq(1)]
        return m


class Row(wiring.Component):
    """Two equal delays and a different one."""

    x: Signal
    o: list[Signal]

    def __init__(self):
        super().__init__({"x": In(8), "o": Out(8).array(3)})

    def elaborate(self, platform):
        m = Module()
        for index, step in enumerate((1, 1, 7)):
            block: Any = Stamp(
                key=(Delay, step), kind="delay", signature=Delay.signature_for(step),
                build=lambda step=step: Delay(step),
            )
            m.submodules[f"delay{index}"] = block
            m.d.comb += [
                block.i.payload.x.eq(self.x), block.i.valid.eq(1), self.o[index].eq(block.o)
            ]
        return m


def test_equal_blocks_are_one_module():
    library = ModuleLibrary("row")
    top = to_rtlil(Row(), "row", library)
    assert list(library.modules) == ["row_delay", "row_delay_1"]
    verilog = emit_verilog("".join([*library.modules.values(), top]), "row")
    assert re.findall(r"^module (\w+)", verilog, re.MULTILINE).count("row_delay") == 1
    assert len(re.findall(r"^  row_delay delay[01] \(", verilog, re.MULTILINE)) == 2
    assert len(re.findall(r"^  row_delay_1 delay2 \(", verilog, re.MULTILINE)) == 1
    assert ".none(" not in verilog, "a port of no bits has nothing to be connected to"


def test_a_simulator_sees_the_blocks_themselves():
    dut = Row()
    seen = []

    async def bench(ctx):
        ctx.set(dut.x, 250)
        await ctx.tick()
        seen.extend(ctx.get(output) for output in dut.o)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [251, 251, 1]
