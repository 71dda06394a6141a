# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Vector slots: rounds come apart, and each macro has every vector of its own once, in order."""

import random

import pytest

from cimple.hdl.npu.vector_slots import VectorSlots

ROWS = 3


def random_rounds(source, macros, count):
    return [
        {
            "windows": [[source.randrange(256) for _ in range(ROWS)] for _ in range(macros)],
            "top_plane": source.randrange(8),
        }
        for _ in range(count)
    ]


@pytest.mark.parametrize("macros", [1, 2, 4])
@pytest.mark.parametrize("chance", [0, 0.4, 0.9])
def test_every_macro_has_its_vectors(simulate, npu_config, streams, macros, chance):
    """Macros stall each by itself, and may be a round apart."""
    config = npu_config({"rows": ROWS, "columns": 4, "skip_zero_planes": True}, macros=macros)
    slots = VectorSlots(config)
    rounds = random_rounds(random.Random(macros), macros, 40)

    async def send(ctx):
        await streams.send(ctx, slots.i, rounds, chance / 2)

    def collector(macro):
        async def collect(ctx):
            got = await streams.receive(ctx, slots.o[macro], len(rounds), chance)
            assert [(list(vector.data), vector.top_plane) for vector in got] == [
                (each["windows"][macro], each["top_plane"]) for each in rounds
            ]

        return collect

    simulate(slots, send, *(collector(macro) for macro in range(macros)))


def test_latency_throughput_and_the_end(simulate, npu_config):
    """A round a two cycles; `empty` only when nothing is left."""
    config = npu_config({"rows": ROWS, "columns": 4}, macros=2)
    slots = VectorSlots(config)
    taken, empty = [], []

    async def bench(ctx):
        for output in slots.o:
            ctx.set(output.ready, 1)
        ctx.set(slots.i.valid, 1)
        for cycle in range(12):
            ctx.set(slots.i.valid, cycle < 8)
            if ctx.get(slots.i.valid & slots.i.ready):
                taken.append(cycle)
            empty.append(ctx.get(slots.empty))
            assert ctx.get(slots.o[0].valid) == ctx.get(slots.o[1].valid) == 1 - empty[-1]
            await ctx.tick()

    simulate(slots, bench)
    assert taken == [1, 3, 5, 7]
    assert empty == [1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1]
