# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The deep memory against a list of words, at depths that make one part or several."""

import random

import pytest

from cimple.hdl.npu.deep_memory import DeepMemory, part_depths


@pytest.mark.parametrize(
    ("depth", "parts"),
    [
        (1, [1]), (300, [300]), (512, [512]), (513, [512, 1]), (1024, [1024]),
        (3000, [2048, 512, 440]), (16896, [16384, 512]),
    ],
)
def test_parts(depth, parts):
    assert list(part_depths(depth)) == parts


@pytest.mark.parametrize("depth", [5, 512, 700, 1800])
def test_entries_are_kept_apart(simulate, depth):
    """Each word is written once by itself, and again at random; all are read back."""
    memory = DeepMemory(2, depth)
    source = random.Random(depth)
    content = [[0, 0] for _ in range(depth)]

    async def write(ctx, address, word):
        entry = [source.randrange(1 << 32) for _ in range(2)]
        ctx.set(memory.write_address, address)
        ctx.set(memory.write_data, entry)
        ctx.set(memory.write_enable, 1 << word)
        await ctx.tick()
        content[address][word] = entry[word]

    async def bench(ctx):
        for address in source.sample(range(depth), depth):
            await write(ctx, address, address % 2)
        for _ in range(200):
            await write(ctx, source.randrange(depth), source.randrange(2))
        ctx.set(memory.write_enable, 0)
        # What the next address is does not show in what has been read.
        for address in source.sample(range(depth), depth):
            ctx.set(memory.read_address, address)
            await ctx.tick()
            ctx.set(memory.read_address, source.randrange(depth))
            await ctx.tick()
            ctx.set(memory.read_address, source.randrange(depth))
            assert list(ctx.get(memory.read_data)) == content[address]

    simulate(memory, bench)
