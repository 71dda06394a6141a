# SPDX-License-Identifier: Apache-2.0
"""The shift-accumulator of one column, and the sum over vectors."""

import random

import pytest

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.accumulator import Accumulator, VectorSum
from cimple.hdl.macro.config import Target


def value_of(sums, negative, shift):
    """What the sums of a vector's steps, the most significant first, stand for."""
    top = len(sums) - 1
    signs = [-1 if negative and index == 0 else 1 for index in range(len(sums))]
    return sum(
        sign * term << shift * (top - index)
        for index, (sign, term) in enumerate(zip(signs, sums, strict=True))
    )


@pytest.mark.parametrize(
    ("fields", "shift"),
    [
        ({"input_bits": 6}, 1),
        ({"input_bits": 6, "target": Target.ECP5}, 1),
        ({"input_bits": 6, "target": Target.ICE40, "rows": 17}, 1),
        ({"input_bits": 1}, 1),
        ({"input_bits": 8, "bits_per_cycle": 2}, 2),
        ({"input_bits": 16, "bits_per_cycle": 8, "fusion": 2}, 8),
        ({"input_bits": 4, "cell": Cell.NEAR}, 0),
    ],
)
def test_dot_products(simulate, fields, shift):
    config = MacroConfig(**({"rows": 3, "columns": 2, "cell": Cell.BITCELL} | fields))
    block = Accumulator(config)
    source = random.Random(repr(fields))
    steps = config.steps(config.input_bits)
    # What a step can hold at most without leaving the sum of a vector's steps.
    lowest, highest = config.plane_sum_range
    if shift > 1:
        lowest, highest = lowest << shift - 1, highest << shift - 1
    expected, seen = [], []

    async def idle(ctx):
        """Cycles in which nothing may change, whatever the data is."""
        while source.random() < 0.4:
            ctx.set(block.control.negative, source.getrandbits(1))
            ctx.set(block.step_sum, source.randint(lowest, highest))
            before = ctx.get(block.o)
            await ctx.tick()
            assert ctx.get(block.o) == before

    async def vector(ctx, sums, negative):
        for index, step_sum in enumerate(sums):
            await idle(ctx)
            before = ctx.get(block.o)
            ctx.set(block.control.adds, 1)
            ctx.set(block.control.completes, index == len(sums) - 1)
            subtracts = negative and index == 0
            ctx.set(block.control.negative, subtracts)
            ctx.set(block.step_sum, ~step_sum if subtracts and config.inverts_in_tree else step_sum)
            await ctx.tick()
            ctx.set(block.control.as_value(), 0)
            if index < len(sums) - 1:
                assert ctx.get(block.o) == before, "the result before stays until the next one"

    async def bench(ctx):
        for turn in range(60):
            length = source.randint(1, steps)
            negative = shift == 1 and bool(source.getrandbits(1))
            sums = [source.choice((lowest, highest, source.randint(lowest, highest)))
                    for _ in range(length)]
            if turn < 2:
                sums, negative = [(lowest, highest)[turn]] * steps, False
            await vector(ctx, sums, negative)
            expected.append(value_of(sums, negative, shift))
            seen.append(ctx.get(block.o))
            if turn % 8 == 7:
                # After a reset nothing is left of a vector that it cut short.
                await vector(ctx, [source.randint(lowest, highest)] * steps, negative)
                ctx.set(block.control.adds, 1)
                await ctx.tick()
                ctx.set(block.control.as_value(), 0)
                ctx.set(block.control.completes, 1)
                await ctx.tick()
                ctx.set(block.control.as_value(), 0)

    simulate(block, bench)
    assert seen == expected
    assert min(expected) < 0 < max(expected)


def test_sums_over_vectors(simulate):
    config = MacroConfig(rows=3, columns=1, input_bits=2, accumulations=4)
    block = VectorSum(config)
    source = random.Random(3)
    lowest, highest = 3 * -128 * 3, 3 * 128 * 2
    total = 0

    async def bench(ctx):
        nonlocal total
        for turn in range(300):
            enable, valid = source.random() < 0.7, source.random() < 0.7
            first = turn == 0 or source.random() < 0.4
            dot = source.choice((lowest, highest, source.randint(lowest, highest)))
            if turn == 0:
                enable = valid = True
            ctx.set(block.enable, enable)
            ctx.set(block.valid, valid)
            ctx.set(block.first, first)
            ctx.set(block.dot, dot)
            await ctx.tick()
            if enable and valid:
                total = (0 if first else total) + dot
                half = 1 << config.output_bits - 1
                total = (total + half) % (2 * half) - half
            assert ctx.get(block.o) == total

    simulate(block, bench)
