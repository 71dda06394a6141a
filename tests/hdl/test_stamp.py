# SPDX-License-Identifier: Apache-2.0
"""Stamps: one module for equal blocks in Verilog, the block itself in the simulator."""

import re
from typing import Any

from amaranth.hdl import Instance, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from cimple.hdl.generate import generate
from cimple.hdl.generate.verilog import emit_verilog
from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.config import Target
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


def inverter_text(name):
    return (
        f"module {name} (i, o);\n  input [3:0] i;\n  output [3:0] o;\n"
        "  assign o = ~i; // by hand\nendmodule\n"
    )


class Inverter(wiring.Component):
    """Verilog of its own, and the same in Amaranth."""

    i: Signal
    o: Signal

    def __init__(self):
        super().__init__({"i": In(4), "o": Out(4)})

    def elaborate(self, platform):
        m = Module()
        if isinstance(platform, ModuleLibrary):
            name = platform.verilog_module((Inverter, 4), "not4", inverter_text)
            m.submodules.cells = Instance(name, i_i=self.i, o_o=self.o)
        else:
            m.d.comb += self.o.eq(~self.i)
        return m


class Inverters(wiring.Component):
    """Two equal modules that are written as Verilog, and one in a stamped block."""

    x: Signal
    o: Signal

    def __init__(self):
        super().__init__({"x": In(4), "o": Out(4)})

    def elaborate(self, platform):
        m = Module()
        value = self.x
        for index in range(2):
            m.submodules[f"not{index}"] = inverter = Inverter()
            m.d.comb += inverter.i.eq(value)
            value = inverter.o
        m.d.comb += self.o.eq(value)
        return m


def test_modules_written_as_verilog():
    library = ModuleLibrary("pair")
    top = to_rtlil(Inverters(), "pair", library)
    assert library.modules == {}
    ((name, text),) = library.verilog.items()
    assert name == "pair_not4"
    assert text == inverter_text("pair_not4")
    assert len(re.findall(r"cell \\pair_not4 ", top)) == 2
    # Equal text for equal blocks: a second one is not asked for.
    again = library.verilog_module((Inverter, 4), "not4", lambda name: "other")
    assert again == "pair_not4"
    assert library.verilog == {"pair_not4": text}


def test_a_simulator_sees_the_same_sum_of_verilog_modules():
    dut: Any = Inverters()
    seen = []

    async def bench(ctx):
        for value in range(16):
            ctx.set(dut.x, value)
            await ctx.delay(1e-9)
            seen.append(ctx.get(dut.o))

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == list(range(16))


def test_verilog_modules_are_in_the_generated_file():
    config = MacroConfig(
        name="pair", rows=4, columns=2, weight_bits=2, cell=Cell.BITCELL, target=Target.ECP5
    )
    verilog = generate(config).verilog
    assert verilog.count("\nmodule pair_and_add2 (") == 1
    assert verilog.count("\nmodule pair_add_sub") == 1
    assert verilog.count("\nmodule pair_select8 (") == 1
    assert verilog.count("`ifdef SYNTHESIS") == verilog.count("`endif") == 3
    plain = generate(config.replace(target=Target.GENERIC)).verilog
    assert "SYNTHESIS" not in plain
    assert "CCU2C" not in plain


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


class Apart(wiring.Component):
    """A delay whose register is reset by a port."""

    x: Signal
    clear: Signal
    o: Signal

    def __init__(self):
        super().__init__({"x": In(8), "clear": In(1), "o": Out(8)})

    def elaborate(self, platform):
        m = Module()
        block: Any = Stamp(
            key=(Delay, 1), kind="delay", signature=Delay.signature_for(1), build=lambda: Delay(1),
            reset=self.clear,
        )
        m.submodules.delay = block
        m.d.comb += [block.i.payload.x.eq(self.x), block.i.valid.eq(1), self.o.eq(block.o)]
        return m


def test_a_block_with_a_reset_of_its_own():
    library = ModuleLibrary("apart")
    top = to_rtlil(Apart(), "apart", library)
    verilog = emit_verilog("".join([*library.modules.values(), top]), "apart")
    (instance,) = re.findall(r"^  apart_delay delay \((.*?)\);", verilog, re.MULTILINE | re.DOTALL)
    assert re.search(r"\.rst\(clear\)", instance)
    dut = Apart()
    seen = []

    async def bench(ctx):
        for clear in (0, 1, 0):
            ctx.set(dut.x, 10)
            ctx.set(dut.clear, clear)
            await ctx.tick()
            seen.append(ctx.get(dut.o))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [11, 0, 11]
