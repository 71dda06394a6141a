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


@pytest.mark.parametrize("slices", [1, 4])
@pytest.mark.parametrize("depth", [5, 512, 700, 1800])
def test_words_are_kept_apart(simulate, depth, slices):
    """Each word is written once, and some again or not at all; all are read back."""
    memory = DeepMemory(depth, slices)
    source = random.Random(depth)
    content = [0] * depth

    def address_all(ctx, ports, address):
        for port in ports:
            ctx.set(port, address)

    async def write(ctx, address, enable):
        word = source.randrange(1 << 32)
        address_all(ctx, memory.write_address, address)
        ctx.set(memory.write_data, word)
        ctx.set(memory.write_enable, enable)
        await ctx.tick()
        if enable:
            content[address] = word

    async def bench(ctx):
        for address in source.sample(range(depth), depth):
            await write(ctx, address, 1)
        for _ in range(200):
            await write(ctx, source.randrange(depth), source.randrange(2))
        ctx.set(memory.write_enable, 0)
        # What the next address is does not show in what has been read.
        for address in source.sample(range(depth), depth):
            address_all(ctx, memory.read_address, address)
            await ctx.tick()
            address_all(ctx, memory.read_address, source.randrange(depth))
            await ctx.tick()
            address_all(ctx, memory.read_address, source.randrange(depth))
            assert ctx.get(memory.read_data) == content[address]

    simulate(memory, bench)
