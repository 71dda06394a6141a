# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Every legal cell and number of banks: what is written is what meets the planes."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.cells import cell_array, cell_writer
from cimple.hdl.macro.config import LEGAL_BANKS
from cimple.hdl.packing import pack, unpack

PAIRS = [(cell, banks) for cell, all_banks in LEGAL_BANKS.items() for banks in all_banks]


class ArrayAndWriter(wiring.Component):
    """A cell array with what sequences its writing."""

    def __init__(self, config, columns):
        self.array: Any = cell_array(config, columns)
        self.writer: Any = cell_writer(config)
        ports = {**self.array.signature.members, **self.writer.signature.members}
        # Both have a `bank`: the one that computes, and the one that is written.
        ports |= {"write_bank": In(config.bank_bits), "step": Out(ports["step"].shape)}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        ports: Any = self
        m.submodules.array, m.submodules.writer = array, writer = self.array, self.writer
        m.d.comb += array.step.eq(writer.step)
        for name in ("enable", "plane", "bank", "weights"):
            m.d.comb += getattr(array, name).eq(getattr(ports, name))
        for name in ("start", "group"):
            m.d.comb += getattr(writer, name).eq(getattr(ports, name))
        m.d.comb += [
            writer.bank.eq(ports.write_bank), ports.leaves.eq(array.leaves),
            ports.busy.eq(writer.busy), ports.done.eq(writer.done),
        ]
        return m


@pytest.mark.parametrize(("cell", "banks"), PAIRS)
@pytest.mark.parametrize(("rows", "columns", "weight_bits"), [(7, 3, 4), (1, 1, 8), (8, 2, 8)])
def test_leaves(simulate, cell, banks, rows, columns, weight_bits):
    config = MacroConfig(
        rows=rows, columns=columns, weight_bits=weight_bits, cell=cell, banks=banks
    )
    dut: Any = ArrayAndWriter(config, columns)
    source = random.Random(repr((cell, banks, rows)))
    low, high = -1 << weight_bits - 1, (1 << weight_bits - 1) - 1
    k = config.rows_per_group
    weights = {}
    checked = []

    async def write(ctx, group, bank):
        rows_written = [[source.choice((low, high, source.randint(low, high)))
                         for _ in range(columns)] for _ in range(k)]
        ctx.set(dut.weights.as_value(), pack(dut.weights.shape(), rows_written))
        ctx.set(dut.group, group)
        ctx.set(dut.write_bank, bank)
        ctx.set(dut.start, 1)
        cycles, done = 0, False
        while not done:
            cycles += 1
            done = ctx.get(dut.done)
            assert ctx.get(dut.busy) == (cycles > 1)
            await ctx.tick()
        assert cycles == config.write_cycles
        ctx.set(dut.start, 0)
        assert not ctx.get(dut.busy)
        # Groups of the same array follow each other at once or later.
        await ctx.tick().repeat(source.randint(0, 2) or 1)
        for row, values in enumerate(rows_written, group * k):
            weights[bank, row] = values

    async def meet(ctx, bank, plane):
        ctx.set(dut.bank, bank)
        ctx.set(dut.plane, plane)
        ctx.set(dut.enable, 1)
        await ctx.delay(1e-9)
        if config.product_registers:
            await ctx.tick()
            # The register keeps its value while nothing moves.
            ctx.set(dut.enable, 0)
            ctx.set(dut.plane, ~plane)
            await ctx.tick()
        leaves = unpack(dut.leaves.shape(), ctx.get(dut.leaves.as_value()))
        for column, group in ((c, g) for c in range(columns) for g in range(config.groups)):
            real = [row for row in range(group * k, group * k + k) if row < rows]
            expected = sum(weights[bank, row][column] for row in real if plane >> row & 1)
            assert leaves[column][group] == expected
            checked.append(expected)

    async def bench(ctx):
        for bank in range(banks):
            for group in range(config.groups):
                await write(ctx, group, bank)
        for group in {config.groups, (1 << config.group_bits) - 1} - set(range(config.groups)):
            if group < 1 << config.group_bits:
                await write(ctx, group, 0)
        for _ in range(24):
            for plane in (0, (1 << rows) - 1, source.getrandbits(rows)):
                await meet(ctx, source.randrange(banks), plane)
            await write(ctx, source.randrange(config.groups), source.randrange(banks))

    simulate(dut, bench)
    assert len(checked) == 24 * 3 * columns * config.groups
    assert any(checked)


def test_writing_continues_while_nothing_moves(simulate):
    config = MacroConfig(rows=4, columns=1, cell=Cell.LOOKUP)
    dut: Any = ArrayAndWriter(config, 1)

    async def bench(ctx):
        ctx.set(dut.enable, 0)
        ctx.set(dut.weights.as_value(), pack(dut.weights.shape(), [[1], [2], [3], [4]]))
        ctx.set(dut.start, 1)
        await ctx.tick().until(dut.done)
        ctx.set(dut.start, 0)
        ctx.set(dut.enable, 1)
        ctx.set(dut.plane, 0b1010)
        await ctx.tick()
        assert ctx.get(dut.leaves[0][0]) == 2 + 4

    simulate(dut, bench)
