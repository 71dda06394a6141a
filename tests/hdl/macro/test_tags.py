# SPDX-License-Identifier: Apache-2.0
"""Tags arrive beside the sums that they belong to, however the datapath is held up."""

import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.config import Target
from cimple.hdl.macro.tags import TagLayout, tag_line
from cimple.hdl.packing import pack, unpack


class Line(wiring.Component):
    """The delay line with ports."""

    tag: data.View
    next_tag: data.View
    enable: Signal
    sign: data.View
    coming: data.View
    outputs: data.View

    def __init__(self, config):
        self.config = config
        layout = TagLayout(config)
        outputs = data.ArrayLayout(layout, config.output_registers)
        super().__init__(
            {
                "tag": In(layout),
                "next_tag": In(layout),
                "enable": In(1),
                "sign": Out(layout),
                "coming": Out(layout),
                "outputs": Out(outputs),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line = tag_line(m, self.config, self.tag, self.next_tag, self.enable)
        m.d.comb += [self.sign.eq(line.sign), self.coming.eq(line.coming)]
        m.d.comb += [self.outputs[index].eq(tag) for index, tag in enumerate(line.outputs)]
        return m


@pytest.mark.parametrize(
    "fields",
    [
        {"rows": 1, "cell": Cell.BITCELL, "accumulations": 2},
        {"rows": 2, "cell": Cell.BITCELL},
        {"rows": 5, "cell": Cell.ROM, "weights_seed": 1, "target": Target.ICE40},
        {"rows": 9, "cell": Cell.BITCELL, "bits_per_cycle": 4},
        {"rows": 5, "cell": Cell.BITCELL, "fusion": 4, "weight_bits": 4, "accumulations": 2},
        {"rows": 40, "cell": Cell.LOOKUP, "accumulations": 3},
        {"rows": 3, "cell": Cell.NEAR},
    ],
)
def test_delays(simulate, fields):
    config = MacroConfig(columns=4, **fields)
    dut = Line(config)
    source = random.Random(repr(fields))
    # With two levels of adders that join four planes; where the root of the tree inverts.
    sign_registers = {4: 2}.get(config.bits_per_cycle, int(config.target is Target.ICE40))
    empty = dict.fromkeys(dict(TagLayout(config)), 0)
    # Tags in the order in which they enter; before the first there is nothing.
    entered = []
    checked = []

    def delayed(cycles):
        return entered[-1 - cycles] if cycles < len(entered) else empty

    def any_tag():
        tag = {name: source.getrandbits(1) for name in empty} | {"fused": 0}
        if config.fused_bits:
            tag["fused"] = source.getrandbits(config.fused_bits)
        return tag

    async def bench(ctx):
        tag, following = any_tag(), any_tag()
        for _ in range(200):
            enable = source.random() < 0.7
            ctx.set(dut.tag.as_value(), pack(TagLayout(config), tag))
            ctx.set(dut.next_tag.as_value(), pack(TagLayout(config), following))
            ctx.set(dut.enable, enable)
            entered.append(tag)
            coming = unpack(dut.coming.shape(), ctx.get(dut.coming.as_value()))
            before = config.array_registers - 1
            assert coming == (delayed(before) if before >= 0 else following)
            sign = unpack(dut.sign.shape(), ctx.get(dut.sign.as_value()))
            assert sign == delayed(config.array_registers - sign_registers)
            outputs = unpack(dut.outputs.shape(), ctx.get(dut.outputs.as_value()))
            for index, output in enumerate(outputs):
                expected = delayed(config.array_registers + index)
                if index:
                    # Behind the accumulator there are whole dot products only.
                    expected = expected | {"valid": expected["valid"] & expected["last"]}
                assert output == expected
                checked.append(output["valid"])
            await ctx.tick()
            if enable:
                tag, following = following, any_tag()
            else:
                entered.pop()

    simulate(dut, bench)
    assert any(checked)
