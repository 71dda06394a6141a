# SPDX-License-Identifier: Apache-2.0
"""Every cell, storage and table: what is written is what meets the operands."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.cells import cell_array, cell_writer, leaf_ranges
from cimple.hdl.macro.cells.latch import Latch
from cimple.hdl.macro.config import Storage, Table, Target
from cimple.hdl.packing import pack, unpack

BITCELL, LOOKUP, ROM, NEAR = Cell.BITCELL, Cell.LOOKUP, Cell.ROM, Cell.NEAR


class ArrayAndWriter(wiring.Component):
    """A cell array with what sequences its writing."""

    def __init__(self, config, first, columns):
        self.array: Any = cell_array(config, first, columns)
        self.writer: Any = cell_writer(config)
        ports = dict(self.array.signature.members)
        del ports["step"]
        if self.writer:
            ports |= {name: In(getattr(self.writer, name).shape())
                      for name in ("valid", "row", "group")}
            # Both have a `bank`: the one that computes, and the one that is written.
            ports |= {"write_bank": In(config.bank_bits), "ready": Out(1), "filling": Out(1)}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        ports: Any = self
        m.submodules.array = array = self.array
        for name in ("enable", "operand", "bank", "fused"):
            m.d.comb += getattr(array, name).eq(getattr(ports, name))
        domain = m.d.sync if array.config.write_registers else m.d.comb
        domain += array.weights.eq(ports.weights)
        for ours, theirs in zip(ports.leaves, array.leaves, strict=True):
            m.d.comb += [mine.eq(its) for mine, its in zip(ours, theirs, strict=True)]
        if self.writer is None:
            return m
        m.submodules.writer = writer = self.writer
        m.d.comb += [
            array.step.eq(writer.step), writer.valid.eq(ports.valid), writer.row.eq(ports.row),
            writer.group.eq(ports.group), writer.bank.eq(ports.write_bank),
            writer.may_change.eq(1), ports.ready.eq(writer.ready),
            ports.filling.eq(writer.filling),
        ]
        return m


class Bench:
    """Writes random weights, and knows what the leaves must be."""

    def __init__(self, config, columns, source):
        self.config, self.columns, self.source = config, columns, source
        self.dut: Any = ArrayAndWriter(config, 0, columns)
        half = 1 << config.weight_bits - 1
        self.weight = lambda: source.choice((-half, half - 1, source.randint(-half, half - 1)))
        self.weights = {}
        for row, weights in enumerate(config.rom_weights if config.cell is ROM else ()):
            self.weights[0, row] = weights

    async def write(self, ctx, group, bank):
        dut, size = self.dut, self.config.rows_per_group
        ctx.set(dut.group, group)
        ctx.set(dut.write_bank, bank)
        for row in range(size):
            weights = [self.weight() for _ in range(self.columns)]
            self.weights[bank, group * size + row] = weights
            ctx.set(dut.weights.as_value(), pack(dut.weights.shape(), weights))
            ctx.set(dut.row, row)
            ctx.set(dut.valid, 1)
            taken = False
            while not taken:
                taken = ctx.get(dut.ready)
                await ctx.tick()
            ctx.set(dut.valid, 0)
            # What is on the stream after the transfer must not matter.
            ctx.set(dut.weights.as_value(), self.source.getrandbits(len(dut.weights.as_value())))

    async def settle(self, ctx):
        while ctx.get(self.dut.filling):
            await ctx.tick()
        # What begins now meets the weights in the next cycle.
        await ctx.tick()

    def operand(self):
        config, source = self.config, self.source
        if config.cell is NEAR:
            limit = 1 << config.input_bits - 1
            value = source.choice((-limit, 2 * limit - 1, source.randint(-limit, 2 * limit - 1)))
            return {"value": value, "row": source.randrange(config.rows)}
        full = (1 << config.rows) - 1
        return [source.choice((0, full, source.getrandbits(config.rows)))
                for _ in range(config.bits_per_cycle)]

    def expected(self, bank, operand, fused):
        """The leaves by column, plane and leaf."""
        config = self.config
        rows = range(config.rows)
        columns = []
        for column in range(self.columns):
            weights = [self._weight(bank, row, column, fused) for row in rows]
            if config.cell is NEAR:
                columns.append([[operand["value"] * weights[operand["row"]]]])
                continue
            size = config.rows_per_leaf
            columns.append([
                [sum(weights[row] for row in rows[first : first + size] if plane >> row & 1)
                 for first in range(0, config.rows, size)]
                for plane in operand
            ])
        return columns

    def _weight(self, bank, row, column, fused):
        value, last = self.weights[bank, row][column], self.config.fusion - 1
        # Of fused columns only the highest is signed; one that is left over is its own highest.
        alone = column - column % (fused + 1) + fused > last
        lower = column % (fused + 1) < fused and not alone
        return value % (1 << self.config.weight_bits) if lower else value

    async def meet(self, ctx):
        """Let a random operand meet a random bank; the leaves."""
        dut, config, source = self.dut, self.config, self.source
        bank, operand = source.randrange(config.banks), self.operand()
        fused = source.randrange(config.fusion)
        ctx.set(dut.bank, bank if config.banks > 1 else source.getrandbits(1))
        ctx.set(dut.operand.as_value(), pack(config.operand_layout, operand))
        ctx.set(dut.fused, fused)
        ctx.set(dut.enable, 1)
        await ctx.delay(1e-9)
        for _ in range(config.product_registers):
            await ctx.tick()
        if config.product_registers:
            # The registers keep their values while nothing moves.
            ctx.set(dut.enable, 0)
            other = self.operand()
            ctx.set(dut.operand.as_value(), pack(config.operand_layout, other))
            await ctx.tick()
        leaves = leaves_of(ctx, self.dut)
        assert leaves == self.expected(bank, operand, fused)
        return leaves


def leaves_of(ctx, dut):
    """The leaves by column, plane and leaf."""
    return [[unpack(plane.shape(), ctx.get(plane.as_value())) for plane in column]
            for column in dut.leaves]


CASES = [
    *[{"cell": BITCELL, "storage": storage, "banks": banks}
      for storage in Storage for banks in (1, 2, 8)],
    {"cell": BITCELL, "storage": Storage.LUTRAM, "banks": 16},
    *[{"cell": BITCELL, "storage": storage, "banks": 2, "broadcast_registers": 1}
      for storage in Storage],
    {"cell": NEAR, "banks": 2, "broadcast_registers": 1},
    {"cell": BITCELL, "bits_per_cycle": 4, "storage": Storage.LATCH},
    {"cell": BITCELL, "target": Target.ECP5, "banks": 2},
    {"cell": BITCELL, "target": Target.ECP5, "pipeline": 2},
    {"cell": BITCELL, "target": Target.ECP5, "bits_per_cycle": 2},
    {"cell": BITCELL, "target": Target.ICE40, "banks": 2, "bits_per_cycle": 2},
    *[{"cell": BITCELL, "fusion": fusion, "target": target}
      for fusion in (2, 4) for target in Target],
    *[{"cell": LOOKUP, "banks": banks} for banks in (1, 2, 4, 8)],
    {"cell": LOOKUP, "target": Target.ECP5},
    {"cell": LOOKUP, "table": Table.BLOCKRAM, "target": Target.ICE40, "banks": 8},
    {"cell": LOOKUP, "table": Table.BLOCKRAM, "target": Target.ECP5, "banks": 8},
    {"cell": ROM},
    *[{"cell": NEAR, "banks": banks} for banks in (1, 4)],
]


@pytest.mark.parametrize("fields", CASES, ids=lambda fields: "-".join(
    str(getattr(value, "value", value)) for value in fields.values()))
@pytest.mark.parametrize(("rows", "weight_bits"), [(7, 4), (1, 1), (9, 2)])
def test_leaves(simulate, fields, rows, weight_bits):
    columns = fields.get("fusion", 3)
    config = MacroConfig(
        rows=rows, columns=columns, weight_bits=weight_bits, input_bits=5, **fields
    )
    source = random.Random(repr((fields, rows)))
    run = Bench(config, columns, source)
    checked = []

    async def bench(ctx):
        if config.is_writable:
            for bank in range(config.banks):
                for group in range(config.groups):
                    await run.write(ctx, group, bank)
            if config.groups < 1 << config.group_bits:
                kept = dict(run.weights)
                await run.write(ctx, config.groups, 0)
                run.weights = kept | {
                    key: value for key, value in run.weights.items() if key not in kept
                }
        for _ in range(12):
            if config.is_writable:
                await run.settle(ctx)
            for _ in range(4):
                checked.append(await run.meet(ctx))
            if config.is_writable:
                group = source.randrange(config.groups)
                await run.write(ctx, group, source.randrange(config.banks))

    simulate(run.dut, bench)
    assert len(checked) == 48
    assert len({repr(leaves) for leaves in checked}) > 1


def test_every_subset_of_a_large_table(simulate):
    config = MacroConfig(rows=9, columns=1, weight_bits=2, cell=LOOKUP, table=Table.BLOCKRAM)
    run = Bench(config, 1, random.Random(1))

    async def bench(ctx):
        await run.write(ctx, 0, 0)
        await run.settle(ctx)
        ctx.set(run.dut.enable, 1)
        for subset in range(512):
            ctx.set(run.dut.operand.as_value(), subset)
            await ctx.tick()
            leaves = leaves_of(ctx, run.dut)
            assert leaves == run.expected(0, [subset], 0)

    simulate(run.dut, bench)


def test_writing_continues_while_nothing_moves(simulate):
    config = MacroConfig(rows=4, columns=1, cell=LOOKUP)
    run = Bench(config, 1, random.Random(2))

    async def bench(ctx):
        ctx.set(run.dut.enable, 0)
        await run.write(ctx, 0, 0)
        await run.settle(ctx)
        await run.meet(ctx)

    simulate(run.dut, bench)


def test_one_bank_is_written_while_another_computes(simulate):
    config = MacroConfig(rows=6, columns=2, weight_bits=4, cell=LOOKUP, banks=2)
    run = Bench(config, 2, random.Random(3))
    met = []

    async def bench(ctx):
        dut = run.dut
        for bank in (0, 1):
            for group in range(config.groups):
                await run.write(ctx, group, bank)
        await run.settle(ctx)
        ctx.set(dut.enable, 1)
        for _ in range(3):
            await run.write(ctx, 1, 1)
            while ctx.get(dut.filling):
                operand = run.operand()
                ctx.set(dut.bank, 0)
                ctx.set(dut.operand.as_value(), pack(config.operand_layout, operand))
                await ctx.tick()
                leaves = leaves_of(ctx, run.dut)
                assert leaves == run.expected(0, operand, 0)
                met.append(leaves)

    simulate(run.dut, bench)
    assert len(met) == 3 * config.fill_cycles


def test_a_rom_differs_from_place_to_place(simulate):
    config = MacroConfig(rows=6, columns=4, weight_bits=4, cell=ROM, weights_seed=3)
    dut: Any = ArrayAndWriter(config, 2, 2)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        for subset in range(64):
            ctx.set(dut.operand.as_value(), subset)
            await ctx.tick()
            leaves = leaves_of(ctx, dut)
            for column, ((low, high),) in enumerate(leaves):
                sums = [
                    sum(config.rom_weights[row][2 + column] for row in rows if subset >> row & 1)
                    for rows in (range(4), range(4, 6))
                ]
                assert [low, high] == sums

    simulate(dut, bench)


def test_a_rom_knows_the_range_of_each_leaf():
    weights = ((-3, 7), (2, 7), (0, 7), (-1, 7), (5, -8))
    config = MacroConfig(rows=5, columns=2, weight_bits=4, cell=ROM, weights=weights)
    assert leaf_ranges(config, 0) == ((-4, 2), (0, 5))
    assert leaf_ranges(config, 1) == ((0, 28), (-8, 0))
    written = config.replace(cell=LOOKUP, weights=())
    assert leaf_ranges(written, 1) == written.leaf_ranges == ((-32, 28), (-8, 7))


def test_a_latch_is_transparent_in_its_cycle_and_keeps(simulate):
    dut: Any = Latch(3)

    async def bench(ctx):
        kept = 0
        source = random.Random(4)
        for _ in range(60):
            store, value = source.getrandbits(1), source.getrandbits(3)
            ctx.set(dut.store, store)
            ctx.set(dut.i, value)
            await ctx.delay(1e-9)
            kept = value if store else kept
            assert ctx.get(dut.o) == kept
            await ctx.tick()

    simulate(dut, bench)
