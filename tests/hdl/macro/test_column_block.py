# SPDX-License-Identifier: Apache-2.0
"""A block of columns, from written weights and operands to outputs."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.cells import cell_writer
from cimple.hdl.macro.column_block import ColumnBlock
from cimple.hdl.macro.config import Target, Tree
from cimple.hdl.packing import pack, unpack


class WrittenBlock(wiring.Component):
    """A column block whose writing is sequenced, where it can be written."""

    def __init__(self, config, columns):
        self.block = ColumnBlock(config, 0, columns)
        self.writer: Any = cell_writer(config)
        ports = {"valid": In(1), "row": In(config.member_bits), "group": In(config.group_bits),
                 "weights": In(self.block.weights.shape()), "ready": Out(1), "filling": Out(1)}
        super().__init__(ports if self.writer else {})

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = self.block
        if self.writer is None:
            return m
        m.submodules.writer = writer = self.writer
        ports: Any = self
        m.d.comb += [
            self.block.step.eq(writer.step), writer.valid.eq(ports.valid),
            writer.row.eq(ports.row), writer.group.eq(ports.group), writer.may_change.eq(1),
            ports.ready.eq(writer.ready), ports.filling.eq(writer.filling),
        ]
        domain = m.d.sync if self.block.config.write_registers else m.d.comb
        domain += self.block.weights.eq(ports.weights)
        return m


async def write(ctx, dut, config, weights):
    """Write all rows; those that fill up the last group are zero."""
    block, size = dut.block, config.rows_per_group
    columns = len(weights[0])
    rows = weights + [[0] * columns] * (config.groups * size - config.rows)
    for number, row in enumerate(rows):
        ctx.set(dut.weights.as_value(), pack(block.weights.shape(), row))
        ctx.set(dut.group, number // size)
        ctx.set(dut.row, number % size)
        ctx.set(dut.valid, 1)
        await ctx.tick().until(dut.ready)
        ctx.set(dut.valid, 0)
    await ctx.tick().repeat(config.fill_cycles + 1)


def operands(config, inputs, bits):
    """The operand of each step, the most significant first."""
    if config.cell is Cell.NEAR:
        return [{"value": x, "row": row} for row, x in enumerate(inputs)]
    size = config.bits_per_cycle
    return [
        [sum((x >> step * size + plane & 1) << row for row, x in enumerate(inputs))
         for plane in range(size)]
        for step in reversed(range(-(-bits // size)))
    ]


def outputs_of(config, weights, inputs, fused):
    """Sums over the rows; of fused columns together, in place of the first."""
    columns = len(weights[0])
    outputs = [0] * columns
    for first in range(0, columns, fused + 1):
        wide = [
            sum((row[first + n] % (1 << config.weight_bits) if n < fused else row[first + n])
                << n * config.weight_bits for n in range(fused + 1))
            for row in weights
        ]
        outputs[first] = sum(x * w for x, w in zip(inputs, wide, strict=True))
    return outputs


@pytest.mark.parametrize(
    "fields",
    [
        {"cell": Cell.BITCELL, "rows": 1, "columns": 1},
        {"cell": Cell.BITCELL, "rows": 13, "columns": 4, "pipeline": 2, "tree": Tree.CARRY_SAVE},
        {"cell": Cell.BITCELL, "rows": 6, "columns": 2, "fusion": 2, "accumulations": 2},
        {"cell": Cell.BITCELL, "rows": 5, "columns": 4, "fusion": 4, "target": Target.ECP5},
        {"cell": Cell.BITCELL, "rows": 6, "columns": 2, "bits_per_cycle": 4, "fusion": 2},
        {"cell": Cell.BITCELL, "rows": 17, "columns": 2, "fusion": 2, "target": Target.ICE40},
        {"cell": Cell.LOOKUP, "rows": 13, "columns": 4, "pipeline": 2, "accumulations": 2},
        {"cell": Cell.LOOKUP, "rows": 2, "columns": 1},
        {"cell": Cell.ROM, "rows": 9, "columns": 2, "weights_seed": 5, "tree": Tree.CARRY_SAVE},
        {"cell": Cell.NEAR, "rows": 5, "columns": 2, "accumulations": 2},
    ],
    ids=lambda fields: "-".join(str(getattr(v, "value", v)) for v in fields.values()),
)
@pytest.mark.parametrize("signed", [0, 1])
def test_dot_products(simulate, fields, signed):
    config = MacroConfig(input_bits=4, weight_bits=4, **fields)
    columns = config.columns_per_block
    dut = WrittenBlock(config, columns)
    block: Any = dut.block
    source = random.Random(repr(fields))
    weights = [[source.randint(-8, 7) for _ in range(columns)] for _ in range(config.rows)]
    if config.cell is Cell.ROM:
        weights = [list(row[:columns]) for row in config.rom_weights]
    low = -8 * signed
    checked = []

    async def vector(ctx, fused):
        inputs = [source.randint(low, low + 15) for _ in range(config.rows)]
        steps = operands(config, inputs, 4)
        # One step every `array_registers + 1` cycles, each followed to its sum.
        for number, operand in enumerate(steps):
            ctx.set(block.operand.as_value(), pack(config.operand_layout, operand))
            negative = signed and number == 0 and config.cell is not Cell.NEAR
            # Trees and the joining of planes are told of the sign earlier; here it is steady.
            ctx.set(block.sign_tag.negative, negative)
            for _ in range(config.array_registers):
                await ctx.tick()
            for control in block.control:
                ctx.set(control.adds, 1)
                ctx.set(control.completes, number == len(steps) - 1)
                ctx.set(control.negative, negative)
            await ctx.tick()
            ctx.set(block.control.as_value(), 0)
        for stage in range(1, config.output_registers):
            tag = block.later_tags[stage - 1]
            for name, value in (("valid", 1), ("last", 1), ("opens", 1), ("fused", fused)):
                ctx.set(tag[name], value)
            await ctx.tick()
            ctx.set(tag.valid, 0)
        outputs = unpack(block.o.shape(), ctx.get(block.o.as_value()))
        assert outputs == outputs_of(config, weights, inputs, fused)
        checked.extend(outputs)

    async def bench(ctx):
        if config.is_writable:
            await write(ctx, dut, config, weights)
        ctx.set(block.enable, 1)
        for turn in range(8):
            # Three fused columns leave one over; tests of the joining itself have that.
            fused = {1: 0, 2: turn % 2, 4: (0, 1, 3)[turn % 3]}[config.fusion]
            ctx.set(block.fused, fused)
            await vector(ctx, fused)

    simulate(dut, bench)
    assert any(checked)
