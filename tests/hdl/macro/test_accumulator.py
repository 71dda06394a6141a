# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The shift-accumulator and the output register of one column."""

import random

import pytest

from cimple.hdl.macro import MacroConfig
from cimple.hdl.macro.accumulator import Accumulator


def value_of(planes, negative):
    """What plane sums, the most significant first, stand for."""
    top = len(planes) - 1
    first = -planes[0] if negative else planes[0]
    return (first << top) + sum(p << top - index for index, p in enumerate(planes) if index)


@pytest.mark.parametrize("accumulations", [1, 3])
def test_sums_of_dot_products(simulate, accumulations):
    config = MacroConfig(rows=3, columns=1, input_bits=6, accumulations=accumulations)
    block = Accumulator(config)
    source = random.Random(accumulations)
    lowest, highest = 3 * -128, 3 * 127
    expected, seen = [], []

    async def idle(ctx):
        """Cycles in which nothing may change, whatever the data is."""
        while source.random() < 0.4:
            held = source.random() < 0.5
            ctx.set(block.enable, not held)
            ctx.set(block.plane.valid, held)
            ctx.set(block.vector.valid, held)
            ctx.set(block.plane.first, source.getrandbits(1))
            ctx.set(block.plane_sum, source.randint(lowest, highest))
            before = ctx.get(block.o)
            await ctx.tick()
            assert ctx.get(block.o) == before
        ctx.set(block.enable, 1)
        ctx.set(block.plane.valid, 0)
        ctx.set(block.vector.valid, 0)

    async def vector(ctx, planes, negative, first):
        for index, plane_sum in enumerate(planes):
            await idle(ctx)
            ctx.set(block.plane.valid, 1)
            ctx.set(block.plane.first, index == 0)
            ctx.set(block.plane.negative, negative and index == 0)
            ctx.set(block.plane_sum, plane_sum)
            await ctx.tick()
        await idle(ctx)
        ctx.set(block.vector.valid, 1)
        ctx.set(block.vector.first, first)
        await ctx.tick()
        ctx.set(block.vector.valid, 0)

    async def bench(ctx):
        for round_ in range(40):
            total = 0
            count = source.randint(1, accumulations)
            for index in range(count):
                length = source.randint(1, 6)
                negative = bool(source.getrandbits(1))
                planes = [source.choice((lowest, highest, source.randint(lowest, highest)))
                          for _ in range(length)]
                if round_ < 2:
                    planes, negative = [(lowest, highest)[round_]] * 6, False
                # With one vector a sum, `first` has no meaning.
                first = index == 0 if accumulations > 1 else bool(source.getrandbits(1))
                await vector(ctx, planes, negative, first)
                total += value_of(planes, negative)
            expected.append(total)
            seen.append(ctx.get(block.o))

    simulate(block, bench)
    assert seen == expected
    assert min(expected) < 0 < max(expected)
