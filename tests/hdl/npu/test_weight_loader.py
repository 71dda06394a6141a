# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The weight loader: every row once, in order, with its weights, at the promised pace."""

import random
from collections import deque
from itertools import pairwise

import pytest

from cimple.hdl.npu.isa import Opcode
from cimple.hdl.npu.latency import WEIGHT_CYCLES
from cimple.hdl.npu.weight_loader import WeightLoader
from tests.hdl.npu.vector_unit import number_of

#: Macros whose rows fill words of the port exactly, in part, and many times.
MACROS = [
    {"rows": 12, "columns": 6},
    {"rows": 5, "columns": 1, "cell": "bitcell", "banks": 8},
    {"rows": 9, "columns": 8, "cell": "bitcell"},
    {"rows": 7, "columns": 11, "cell": "lookup", "banks": 4},
]


class Surroundings:
    """The weight memory and the macro, which takes a row at once or after a pause."""

    def __init__(self, loader, config, source, pauses=(0,)):
        self.loader, self.config = loader, config
        self.content = source.randbytes(config.weight_bytes)
        self.source, self.pauses = source, pauses
        #: Rows as they came, and the cycles of their transfers, counted from 0.
        self.rows, self.times = [], []

    async def serve(self, ctx):
        loader, port = self.loader, self.config.weight_port
        cycle, before, pause = 0, None, self.source.choice(self.pauses)
        coming = deque([0] * (WEIGHT_CYCLES - 1))
        while True:
            # Ready goes up only while a row is offered, as the macro's does.
            ctx.set(loader.w.ready, bool(ctx.get(loader.w.valid) and pause == 0))
            _, _, valid, ready, payload, address, ends = await ctx.tick().sample(
                loader.w.valid, loader.w.ready, loader.w.payload, loader.address,
                loader.ends_group,
            )
            ctx.set(loader.written, valid & ready & ends)
            assert before is None or (valid and payload == before)
            before = payload if valid and not ready else None
            if valid and ready:
                place = (payload.bank, payload.group, payload.row)
                self.rows.append((*place, list(payload.weights)))
                self.times.append(cycle)
                pause = self.source.choice(self.pauses)
            elif valid:
                pause -= 1
            word = self.content[port * address : port * (address + 1)]
            coming.append(int.from_bytes(word, "little"))
            ctx.set(loader.data, coming.popleft())
            cycle += 1

    def expected(self, fields):
        """The rows that a descriptor writes."""
        macro = self.config.macro
        rows = []
        for index in range(fields["groups"] * macro.rows_per_group):
            group, row = divmod(index, macro.rows_per_group)
            first = fields["address"] + index * self.config.row_words * self.config.weight_port
            weights = self.content[first : first + macro.columns]
            if fields["group"] + group < macro.groups:
                place = (fields["bank"], fields["group"] + group, row)
                rows.append((*place, [(byte + 128) % 256 - 128 for byte in weights]))
        return rows


async def load(ctx, loader, fields, limit=3000, opcode=Opcode.LOAD_WEIGHTS):
    """A cycle of rest, then a descriptor; the cycles from its start to `done`, both counted."""
    await ctx.tick()
    ctx.set(loader.descriptor.as_value(), number_of(opcode, fields))
    ctx.set(loader.start, 1)
    for cycle in range(limit):
        _, _, done = await ctx.tick().sample(loader.done)
        ctx.set(loader.start, 0)
        if done:
            return cycle + 1
    raise AssertionError("the loader does not end")


@pytest.mark.parametrize("port", [4, 8, 16, 32])
@pytest.mark.parametrize("macro", MACROS)
def test_rows(simulate, npu_config, macro, port):
    """Descriptors one right after the other, the macro busy at times."""
    config = npu_config(macro, weight_port=port, weight_bytes=1024)
    loader = WeightLoader(config)
    source = random.Random(port)
    around = Surroundings(loader, config, source, pauses=(0, 0, 0, 1, 7, 30))
    expected = []

    async def bench(ctx):
        for _ in range(8):
            groups = source.randint(1, min(config.macro.groups + 2, 1024 // config.group_bytes))
            words = (1024 - groups * config.group_bytes) // port
            fields = {
                "address": port * source.randint(0, words), "groups": groups,
                "group": source.randint(0, config.macro.groups),
                "bank": source.randrange(config.macro.banks),
            }
            await load(ctx, loader, fields)
            expected.extend(around.expected(fields))

    simulate(loader, bench, background=[around.serve])
    assert around.rows == expected


@pytest.mark.parametrize("macro", MACROS)
@pytest.mark.parametrize("port", [4, 32])
def test_pace(simulate, npu_config, macro, port):
    """A row every `row_words` cycles, the first so many and the memory's behind the start."""
    config = npu_config(macro, weight_port=port, weight_bytes=1024)
    loader = WeightLoader(config)
    around = Surroundings(loader, config, random.Random(1))
    cycles = []

    async def bench(ctx):
        fields = {"address": 0, "groups": config.macro.groups}
        cycles.append(await load(ctx, loader, fields))

    simulate(loader, bench, background=[around.serve])
    assert around.times[0] == 1 + config.row_words + WEIGHT_CYCLES + 2
    waits = {after - before for before, after in pairwise(around.times)}
    assert waits <= {config.row_words}
    rows = config.macro.groups * config.macro.rows_per_group
    assert cycles == [2 + WEIGHT_CYCLES + 1 + rows * config.row_words]


@pytest.mark.parametrize(("port", "lanes"), [(4, 1), (4, 16), (8, 8), (32, 2)])
def test_kernels(simulate, npu_config, port, lanes):
    """Taps between rows, a tap every `tap_words` cycles, whatever words a row has."""
    config = npu_config(
        MACROS[2], weight_port=port, weight_bytes=1024, lanes=lanes, activation_port=16, channels=48
    )
    loader = WeightLoader(config)
    source = random.Random(lanes)
    around = Surroundings(loader, config, source, pauses=(0, 3))
    written, expected, rows = [], [], []

    async def watch(ctx):
        while True:
            _, _, *seen = await ctx.tick().sample(
                loader.kernel.enable, loader.kernel.address, loader.kernel.data
            )
            if seen[0]:
                written.append((seen[1], list(seen[2])))

    async def bench(ctx):
        for bank in (0, 1, 1, 0):
            taps = source.choice([1, config.taps])
            first = port * source.randint(0, (1024 - taps * config.tap_bytes) // port)
            fields = {"address": first, "taps": taps, "bank": bank}
            cycles = await load(ctx, loader, fields, opcode=Opcode.LOAD_TAPS)
            assert cycles == 2 + WEIGHT_CYCLES + 1 + taps * config.tap_words
            for tap in range(taps):
                weights = around.content[first + tap * config.tap_bytes :][:lanes]
                expected.append((bank * config.taps + tap, list(weights)))
            fields = {"address": 0, "groups": 1, "group": bank}
            await load(ctx, loader, fields | {"bank": 0})
            rows.extend(around.expected(fields | {"bank": 0}))

    simulate(loader, bench, background=[around.serve, watch])
    assert written == expected
    assert around.rows == rows


def test_the_next_row_is_read_while_a_row_waits(simulate, npu_config):
    """Behind a pause it is there at once, all its words."""
    config = npu_config({"rows": 12, "columns": 11}, weight_port=4)
    loader = WeightLoader(config)
    around = Surroundings(loader, config, random.Random(1), pauses=(20,))

    async def bench(ctx):
        await load(ctx, loader, {"address": 0, "groups": 2})

    simulate(loader, bench, background=[around.serve])
    assert config.row_words == 3
    assert {after - before for before, after in pairwise(around.times)} == {1 + 20}


@pytest.mark.parametrize("macro", MACROS)
def test_settled(simulate, npu_config, macro):
    """Low for as long as the macro fills the table of the last row group."""
    config = npu_config(macro)
    loader = WeightLoader(config)
    around = Surroundings(loader, config, random.Random(1))

    async def bench(ctx):
        assert ctx.get(loader.settled)
        for group in (0, config.macro.groups):
            await load(ctx, loader, {"address": 0, "groups": 1, "group": group})
            # What was taken last is said to be written in this cycle.
            await ctx.delay(0)
            waited = 0
            while not ctx.get(loader.settled):
                await ctx.tick()
                waited += 1
            # A row group that is left out fills nothing.
            assert waited == (config.macro.fill_cycles if group == 0 else 0)

    simulate(loader, bench, background=[around.serve])


def test_groups_that_the_macro_does_not_have(simulate, npu_config):
    """They are passed over; the descriptor ends all the same, with none written if all are such."""
    config = npu_config({"rows": 12})
    loader = WeightLoader(config)
    around = Surroundings(loader, config, random.Random(1))

    async def bench(ctx):
        # The number of the group has more bits in a descriptor than in the macro.
        for group in (3, 4, 256, 65533):
            await load(ctx, loader, {"address": 0, "groups": 3, "group": group})
        assert around.rows == []
        await load(ctx, loader, {"address": 0, "groups": 4, "group": 1})

    simulate(loader, bench, background=[around.serve])
    assert [(group, row) for _, group, row, _ in around.rows] == [
        (group, row) for group in (1, 2) for row in range(4)
    ]
