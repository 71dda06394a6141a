# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""A block of columns, from written weights and planes to outputs."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.cells import cell_writer
from cimple.hdl.macro.column_block import ColumnBlock
from cimple.hdl.packing import pack, unpack


class WrittenBlock(wiring.Component):
    """A column block whose writing is sequenced."""

    start: Signal

    def __init__(self, config, columns):
        self.block = ColumnBlock(config, columns)
        self.writer: Any = cell_writer(config)
        super().__init__({"start": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.block, m.submodules.writer = self.block, self.writer
        m.d.comb += [self.block.step.eq(self.writer.step), self.writer.start.eq(self.start)]
        return m


@pytest.mark.parametrize("cell", list(Cell))
@pytest.mark.parametrize(
    ("rows", "columns", "pipeline"), [(1, 1, 1), (6, 3, 1), (13, 4, 2), (9, 2, 12)]
)
def test_dot_products(simulate, cell, rows, columns, pipeline):
    config = MacroConfig(
        rows=rows, columns=columns, cell=cell, pipeline=pipeline, input_bits=4, weight_bits=4,
        accumulations=2,
    )
    columns = min(columns, config.columns_per_block)
    dut = WrittenBlock(config, columns)
    block, k = dut.block, config.rows_per_group
    source = random.Random(rows)
    weights = [[source.randint(-8, 7) for _ in range(columns)] for _ in range(config.groups * k)]
    checked = []

    async def bench(ctx):
        for group in range(config.groups):
            rows_written = weights[group * k : group * k + k]
            ctx.set(block.weights.as_value(), pack(block.weights.shape(), rows_written))
            ctx.set(dut.writer.group, group)
            ctx.set(dut.start, 1)
            await ctx.tick().until(dut.writer.done)
            ctx.set(dut.start, 0)
            await ctx.tick()
        ctx.set(block.enable, 1)
        for _ in range(8):
            inputs = [source.randrange(16) for _ in range(rows)]
            # One plane every `array_registers + 1` cycles, each followed to its sum.
            for plane in (3, 2, 1, 0):
                ctx.set(block.plane_bits, sum((x >> plane & 1) << r for r, x in enumerate(inputs)))
                for _ in range(config.array_registers):
                    await ctx.tick()
                ctx.set(block.plane.valid, 1)
                ctx.set(block.plane.first, plane == 3)
                await ctx.tick()
                ctx.set(block.plane.valid, 0)
            ctx.set(block.vector.valid, 1)
            ctx.set(block.vector.first, 1)
            await ctx.tick()
            ctx.set(block.vector.valid, 0)
            outputs = unpack(block.o.shape(), ctx.get(block.o.as_value()))
            assert outputs == [
                sum(x * weights[row][column] for row, x in enumerate(inputs))
                for column in range(columns)
            ]
            checked.extend(outputs)

    simulate(dut, bench)
    assert any(checked)
