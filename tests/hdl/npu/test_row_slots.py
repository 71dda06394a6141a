# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Row slots: each macro has every row that is for it once, in order, and at the promised pace."""

import random

import pytest

from cimple.hdl.npu.row_slots import RowSlots

#: Cells that take all rows but a group's last at once, none so, and one row after the other.
MACROS = {
    "staged": {"rows": 8, "columns": 4, "cell": "lookup"},
    "not_staged": {"rows": 18, "columns": 4, "cell": "lookup", "table": "blockram"},
    "single": {"rows": 4, "columns": 4, "cell": "bitcell"},
}


class Rows:
    """Random rows, group by group, each for some macros; and what takes them."""

    def __init__(self, config, source, groups=40):
        self.config, self.source = config, source
        macro, macros = config.macro, config.macros
        self.last = macro.rows_per_group - 1
        self.sent = []
        for _ in range(groups):
            wanted = source.randrange(1, 1 << macros)
            group = source.randrange(macro.groups)
            for row in range(macro.rows_per_group):
                weights = [source.randrange(-128, 128) for _ in range(macro.columns)]
                place = {"row": row, "group": group, "bank": 0}
                self.sent.append((wanted, place | {"weights": weights}))

    def may_wait(self, row):
        """Whether the macro may let this row wait."""
        return row == self.last or not self.config.macro.stages_two_groups

    async def send(self, ctx, slots):
        for wanted, row in self.sent:
            ctx.set(slots.i.valid, 1)
            ctx.set(slots.i.payload, row)
            ctx.set(slots.macros, wanted)
            ctx.set(slots.ends_group, row["row"] == self.last)
            await ctx.tick().until(slots.i.ready)
            ctx.set(slots.i.valid, 0)
            while self.source.random() < 0.1:
                await ctx.tick()

    def collector(self, slots, macro, chance):
        """Takes a macro's rows, as a macro does, and compares them."""
        output = slots.o[macro]

        async def collect(ctx):
            for wanted, row in self.sent:
                if not wanted >> macro & 1:
                    continue
                while not ctx.get(output.valid):
                    ctx.set(output.ready, not self.may_wait(0))
                    await ctx.tick()
                while self.may_wait(row["row"]) and self.source.random() < chance:
                    ctx.set(output.ready, 0)
                    await ctx.tick()
                    assert ctx.get(output.valid)
                ctx.set(output.ready, 1)
                got = ctx.get(output.payload)
                assert (got.row, got.group, list(got.weights)) == (
                    row["row"], row["group"], row["weights"]
                )
                await ctx.tick()
                ctx.set(output.ready, 0)

        return collect


@pytest.mark.parametrize("macros", [1, 2, 4])
@pytest.mark.parametrize("chance", [0, 0.5, 0.9])
@pytest.mark.parametrize("kind", MACROS)
def test_every_macro_has_its_rows(simulate, npu_config, kind, macros, chance):
    """Macros let rows wait each by itself."""
    config = npu_config(MACROS[kind], macros=macros)
    slots = RowSlots(config)
    rows = Rows(config, random.Random(f"{kind} {macros} {chance}"))

    async def send(ctx):
        await rows.send(ctx, slots)

    simulate(slots, send, *(rows.collector(slots, macro, chance) for macro in range(macros)))


@pytest.mark.parametrize(
    ("kind", "taken"),
    [("staged", [0, 1, 2, 3, 6, 7, 8, 9]), ("single", [0, 3, 6, 9])],
)
def test_pace(simulate, npu_config, kind, taken):
    """A row a cycle; 3 behind one that might have waited; `empty` and `written` follow."""
    config = npu_config(MACROS[kind], macros=2)
    slots = RowSlots(config)
    last = config.macro.rows_per_group - 1
    times, written, empty = [], [], []

    async def bench(ctx):
        row = 0
        ctx.set(slots.macros, 3)
        for output in slots.o:
            ctx.set(output.ready, 1)
        for cycle in range(12):
            ctx.set(slots.i.valid, 1)
            ctx.set(slots.i.payload, {"row": row, "group": 0, "bank": 0, "weights": [0] * 4})
            ctx.set(slots.ends_group, row == last)
            if ctx.get(slots.written):
                written.append(cycle)
            if ctx.get(slots.empty):
                empty.append(cycle)
            if ctx.get(slots.i.ready):
                times.append(cycle)
                row = (row + 1) % (last + 1)
            await ctx.tick()

    simulate(slots, bench)
    assert times[: len(taken)] == taken
    ends = [time for index, time in enumerate(taken) if index % (last + 1) == last]
    # Offered to the macros in the cycle after, and taken then.
    assert [cycle for cycle in written if cycle < 12] == [end + 2 for end in ends if end < 10]
    assert empty == [cycle for cycle in range(12) if cycle - 1 not in times]


def test_a_macro_that_lets_a_row_wait_holds_up_only_what_is_for_it(simulate, npu_config):
    """The other one has its rows meanwhile."""
    config = npu_config(MACROS["staged"], macros=2)
    slots = RowSlots(config)

    async def bench(ctx):
        ctx.set(slots.o[1].ready, 1)
        ctx.set(slots.i.valid, 1)
        ctx.set(slots.ends_group, 1)
        ctx.set(slots.macros, 1)
        assert ctx.get(slots.i.ready)
        await ctx.tick().repeat(5)
        assert ctx.get(slots.o[0].valid)
        assert not ctx.get(slots.i.ready)
        ctx.set(slots.macros, 2)
        assert ctx.get(slots.i.ready)

    simulate(slots, bench)
