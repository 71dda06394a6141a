# SPDX-License-Identifier: Apache-2.0
"""The fill engine's steps, carried out by a few lines of Python: every table ends as it must."""

import random
from itertools import pairwise
from typing import Any

import pytest

from cimple.hdl.macro import MacroConfig
from cimple.hdl.macro.cells.fill import FillWriter
from cimple.hdl.macro.config import Table, Target

# Three rows a group, the last one with two rows too many.
SMALL: dict[str, Any] = {"banks": 2, "rows": 7}


class Cells:
    """What the cells do with a step: staging memory, running sum, tables by bank and group."""

    def __init__(self):
        self.stage, self.tables = {}, {}
        self.staged = self.total = 0

    def step(self, step, weight):
        """One cycle; what is read from the staging memory comes from before the write."""
        for group in range(step["store"].bit_length()):
            if step["store"] >> group & 1:
                table = self.tables.setdefault((step["bank"], group), {})
                table[step["entry"]] = self.total
        term = -self.staged if step["subtract"] else self.staged
        self.total = 0 if step["clear"] else self.total + term
        self.staged = self.stage.get(step["stage_out"], 0)
        if step["stage"]:
            self.stage[step["stage_in"]] = weight


def sums(weights):
    """The sum of every subset."""
    return {
        subset: sum(weight for row, weight in enumerate(weights) if subset >> row & 1)
        for subset in range(1 << len(weights))
    }


class Bench:
    """Drives a writer row by row, and carries out its steps."""

    def __init__(self, dut, ctx):
        self.dut, self.cells, self.ctx = dut, Cells(), ctx
        self.cycle, self.refuse = 0, 0.0
        # The macro registers a row on its way to the cells, as the writer does with its place.
        self.on_its_way = 0
        self.source = random.Random(1)

    async def tick(self, weight=0):
        dut, ctx = self.dut, self.ctx
        step = {name: ctx.get(dut.step[name]) for name, _ in dut.step.shape()}
        self.cells.step(step, self.on_its_way)
        self.on_its_way = weight
        await ctx.tick()
        self.cycle += 1

    async def row(self, row, group, bank, weight):
        """Offer a row until it is taken; the cycle of its transfer."""
        dut, ctx = self.dut, self.ctx
        ctx.set(dut.valid, 1)
        for name, value in (("row", row), ("group", group), ("bank", bank)):
            ctx.set(getattr(dut, name), value)
        taken = False
        while not taken:
            ctx.set(dut.may_change, self.source.random() >= self.refuse)
            taken = ctx.get(dut.ready)
            if taken and ctx.get(dut.changes):
                assert ctx.get(dut.may_change)
            await self.tick(weight)
        ctx.set(dut.valid, 0)
        return self.cycle - 1

    async def group(self, group, bank, weights):
        """The cycles of the transfers."""
        return [await self.row(row, group, bank, w) for row, w in enumerate(weights)]

    async def settle(self):
        while self.ctx.get(self.dut.filling):
            await self.tick()
        await self.tick()


@pytest.mark.parametrize(
    "fields",
    [
        SMALL,
        {"rows": 9, "banks": 4},
        {"rows": 3, "banks": 8},
        {"rows": 4},
        {"rows": 20, "table": Table.BLOCKRAM, "target": Target.ICE40, "banks": 4},
        {"rows": 10, "table": Table.BLOCKRAM},
    ],
)
def test_tables_hold_every_subset_sum(simulate, fields):
    config = MacroConfig(columns=1, **fields)
    dut, expected = FillWriter(config), {}
    source = random.Random(repr(fields))

    async def bench(ctx):
        run = Bench(dut, ctx)
        run.refuse = 0.3
        for _ in range(6 if config.rows_per_group > 5 else 40):
            group, bank = source.getrandbits(config.group_bits), source.randrange(config.banks)
            weights = [source.randint(-128, 127) for _ in range(config.rows_per_group)]
            await run.group(group, bank, weights)
            if group < config.groups:
                expected[bank, group] = sums(weights)
            for _ in range(source.choice((0, 0, 1, 5))):
                await run.tick()
        await run.settle()
        assert run.cells.tables == expected

    simulate(dut, bench)
    assert expected


@pytest.mark.parametrize(
    "fields",
    [SMALL, {"rows": 8}, {"rows": 8, "banks": 8}, {"rows": 18, "table": Table.BLOCKRAM}],
)
def test_cycles(simulate, fields):
    config = MacroConfig(columns=1, **fields)
    dut = FillWriter(config)

    async def bench(ctx):
        run = Bench(dut, ctx)
        first = await run.group(0, 0, range(config.rows_per_group))
        assert len(first) == first[-1] - first[0] + 1 == config.write_cycles
        busy = 0
        while ctx.get(dut.filling):
            assert ctx.get(dut.filled_bank) == 0
            busy += 1
            await run.tick()
        assert busy == config.fill_cycles
        # At full rate the groups of a bank follow each other without a gap.
        ends = [
            (await run.group(group, 0, range(config.rows_per_group)))[-1]
            for group in (0, 1, 0, 1)
        ]
        intervals = [after - before for before, after in pairwise(ends[1:])]
        assert intervals == [config.write_interval] * 2

    simulate(dut, bench)


def test_rows_are_taken_meanwhile_and_the_last_waits_for_its_bank(simulate):
    config = MacroConfig(columns=1, **SMALL)
    dut = FillWriter(config)

    async def bench(ctx):
        run = Bench(dut, ctx)
        *_, started = await run.group(0, 0, (1, 2, 3))
        # Another bank: the rows are staged at once, the last one when the fill has ended.
        others = await run.group(0, 1, (4, 5, 6))
        assert others[:2] == [started + 1, started + 2]
        assert others[2] == started + config.fill_cycles + 1
        assert ctx.get(dut.filled_bank) == 1
        await run.settle()
        assert run.cells.tables == {(0, 0): sums((1, 2, 3)), (1, 0): sums((4, 5, 6))}

    simulate(dut, bench)


def test_a_row_that_may_not_change_the_weights_waits(simulate):
    config = MacroConfig(columns=1, **SMALL)
    dut = FillWriter(config)

    async def bench(ctx):
        run = Bench(dut, ctx)
        run.refuse = 1.0
        await run.row(0, 0, 0, 1)
        await run.row(1, 0, 0, 2)
        ctx.set(dut.valid, 1)
        ctx.set(dut.row, 2)
        ctx.set(dut.may_change, 0)
        for _ in range(3):
            assert ctx.get(dut.changes)
            assert not ctx.get(dut.ready)
            assert not ctx.get(dut.filling)
            await run.tick()
        ctx.set(dut.may_change, 1)
        assert ctx.get(dut.ready)

    simulate(dut, bench)
