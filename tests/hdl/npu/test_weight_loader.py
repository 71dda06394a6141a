# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The weight loader: every group once, in order, with its weights, at the promised pace."""

import random
from itertools import pairwise

import pytest

from cimple.hdl.npu.isa import FIELDS, Opcode
from cimple.hdl.npu.weight_loader import WeightLoader

#: Macros whose row groups fill words of the port exactly, in part, and many times.
MACROS = [
    {"rows": 12, "columns": 6},
    {"rows": 5, "columns": 1, "cell": "bitcell", "banks": 8},
    {"rows": 9, "columns": 8, "cell": "bitcell"},
    {"rows": 7, "columns": 11, "cell": "lookup", "banks": 4},
]


class Surroundings:
    """The weight memory and the macro: takes a group `write_cycles` after it is offered."""

    def __init__(self, loader, config, source, stalls=()):
        self.loader, self.config = loader, config
        self.content = source.randbytes(config.weight_bytes)
        self.source, self.stalls = source, stalls
        self.groups, self.times = [], []

    async def serve(self, ctx):
        loader, port = self.loader, self.config.weight_port
        cycle, offered, wait, before = 0, 0, 0, None
        while True:
            ready = offered and offered >= self.config.macro.write_cycles + wait
            ctx.set(loader.w.ready, bool(ready))
            if ctx.get(loader.w.valid) and not offered:
                offered, wait = 1, self.source.choice([0, *self.stalls])
                ready = offered >= self.config.macro.write_cycles + wait
                ctx.set(loader.w.ready, bool(ready))
            _, _, valid, payload, address = await ctx.tick().sample(
                loader.w.valid, loader.w.payload, loader.address
            )
            assert before is None or (valid and payload == before)
            before = payload if valid and not ready else None
            if valid and ready:
                weights = [list(row) for row in payload.weights]
                self.groups.append((payload.group, payload.bank, weights))
                self.times.append(cycle)
            offered = 0 if ready else offered + bool(valid)
            word = self.content[port * address : port * (address + 1)]
            ctx.set(loader.data, int.from_bytes(word, "little"))
            cycle += 1

    def expected(self, fields):
        """What a descriptor writes: of each group the rows, one after the other."""
        macro = self.config.macro
        groups = []
        for index in range(fields["groups"]):
            first = fields["address"] + index * self.config.group_words * self.config.weight_port
            weights = [
                [
                    int.from_bytes(
                        self.content[at : at + 1], "little", signed=True
                    )
                    for at in range(first + row * macro.columns, first + (row + 1) * macro.columns)
                ]
                for row in range(macro.rows_per_group)
            ]
            if fields["group"] + index < macro.groups:
                groups.append((fields["group"] + index, fields["bank"], weights))
        return groups


async def load(ctx, loader, fields, limit=3000):
    """Start a descriptor; the cycles until `done`, both ends counted."""
    unused = {field.name for field in FIELDS[Opcode.LOAD_WEIGHTS]} - set(fields)
    ctx.set(loader.descriptor, fields | dict.fromkeys(unused, 0))
    ctx.set(loader.start, 1)
    for cycle in range(limit):
        _, _, done = await ctx.tick().sample(loader.done)
        ctx.set(loader.start, 0)
        if done:
            return cycle + 1
    raise AssertionError("the loader does not end")


@pytest.mark.parametrize("port", [4, 8, 16, 32])
@pytest.mark.parametrize("macro", MACROS)
def test_groups(simulate, npu_config, macro, port):
    """Descriptors one right after the other, the macro busy at times."""
    config = npu_config(macro, weight_port=port, weight_bytes=1024)
    loader = WeightLoader(config)
    source = random.Random(port)
    around = Surroundings(loader, config, source, stalls=(1, 7, 30))
    expected = []
    group_bytes = config.group_words * port

    async def bench(ctx):
        for _ in range(8):
            groups = source.randint(1, min(config.macro.groups + 2, 1024 // group_bytes))
            words = (1024 - groups * group_bytes) // port
            fields = {
                "address": port * source.randint(0, words), "groups": groups,
                "group": source.randint(0, config.macro.groups),
                "bank": source.randrange(config.macro.banks),
            }
            await load(ctx, loader, fields)
            expected.extend(around.expected(fields))

    simulate(loader, bench, background=[around.serve])
    assert around.groups == expected


@pytest.mark.parametrize("macro", MACROS)
@pytest.mark.parametrize("port", [4, 32])
def test_throughput(simulate, npu_config, macro, port):
    config = npu_config(macro, weight_port=port, weight_bytes=1024)
    loader = WeightLoader(config)
    around = Surroundings(loader, config, random.Random(1))
    interval = config.group_words + 1 + config.macro.write_cycles
    cycles = []

    async def bench(ctx):
        fields = {"address": 0, "groups": config.macro.groups}
        cycles.append(await load(ctx, loader, fields))

    simulate(loader, bench, background=[around.serve])
    assert {after - before for before, after in pairwise(around.times)} <= {interval}
    assert cycles == [1 + config.macro.groups * interval]


def test_groups_that_the_macro_does_not_have(simulate, npu_config):
    """They are passed over; the descriptor ends all the same, with none written if all are such."""
    config = npu_config({"rows": 12})
    loader = WeightLoader(config)
    around = Surroundings(loader, config, random.Random(1))

    async def bench(ctx):
        # The number of the group has more bits in a descriptor than in the macro.
        for group in (3, 4, 256, 65533):
            await load(ctx, loader, {"address": 0, "groups": 3, "group": group})
        assert around.groups == []
        await load(ctx, loader, {"address": 0, "groups": 4, "group": 1})

    simulate(loader, bench, background=[around.serve])
    assert [group for group, _, _ in around.groups] == [1, 2]
