# SPDX-License-Identifier: Apache-2.0
"""Adder trees: exact sums, one a cycle, after the stated number of cycles."""

import itertools
import random

import pytest

from cimple.hdl.macro.adder_tree import BinaryTree, CarrySaveTree
from cimple.hdl.macro.config import Target
from cimple.hdl.packing import pack

#: Registers of each tree: of 9 leaves the binary one has 4 levels, the other 6, 4, 3, 2 and a sum.
CASES = [
    (BinaryTree, 2, 1, 1), (BinaryTree, 3, 1, 2), (BinaryTree, 5, 1, 3), (BinaryTree, 5, 2, 2),
    (BinaryTree, 8, 2, 2), (BinaryTree, 9, 3, 2), (BinaryTree, 9, 12, 1), (BinaryTree, 17, 4, 2),
    (CarrySaveTree, 2, 1, 1), (CarrySaveTree, 3, 1, 2), (CarrySaveTree, 4, 1, 3),
    (CarrySaveTree, 5, 2, 2), (CarrySaveTree, 9, 1, 5), (CarrySaveTree, 9, 12, 1),
    (CarrySaveTree, 17, 4, 2),
]


def ranges_of(leaves, source):
    """Ranges within 5 bits; of every other leaf narrower, one of a sign only."""
    wide = (-16, 15)
    narrow = [(-1, 0), (0, 3), (-16, 0), (-2, 7)]
    return [wide if index % 2 == 0 else source.choice(narrow) for index in range(leaves)]


@pytest.mark.parametrize(
    ("kind", "leaves", "pipeline", "registers", "options"),
    [(*case, {}) for case in CASES]
    + [
        # A level before the leaves: 1 + 4 levels of 9 leaves.
        (BinaryTree, 9, 2, 3, {"before": 1}),
        (BinaryTree, 9, 5, 1, {"before": 1}),
        (CarrySaveTree, 9, 3, 2, {"before": 1}),
        (BinaryTree, 9, 2, 3, {"before": 1, "target": Target.ECP5}),
        (BinaryTree, 9, 12, 1, {"target": Target.ECP5}),
    ],
)
def test_streams_of_sums(simulate, kind, leaves, pipeline, registers, options):
    source = random.Random(leaves * 100 + pipeline)
    ranges = ranges_of(leaves, source)
    tree = kind(ranges, 5, pipeline, **options)
    assert tree.registers == registers
    lows, highs = zip(*ranges, strict=True)
    inputs = [list(lows), list(highs), [0] * leaves]
    inputs += [[source.randint(*limits) for limits in ranges] for _ in range(30)]
    inputs += [[source.choice(limits) for limits in ranges] for _ in range(30)]
    sums = []

    async def bench(ctx):
        pending = iter(inputs)
        while len(sums) < len(inputs) + registers:
            enable = source.random() < 0.7
            ctx.set(tree.enable, enable)
            # What is there while nothing moves must not be seen.
            values = [source.randint(*limits) for limits in ranges]
            if enable:
                values = next(pending, [0] * leaves)
            ctx.set(tree.i.as_value(), pack(tree.i.shape(), values))
            before = ctx.get(tree.o)
            await ctx.tick()
            if enable:
                sums.append(before)
            else:
                assert ctx.get(tree.o) == before

    simulate(tree, bench)
    assert sums[registers:] == [sum(values) for values in inputs]


@pytest.mark.parametrize(("kind", "leaves", "pipeline"),
                         [(BinaryTree, 2, 1), (BinaryTree, 9, 3), (CarrySaveTree, 5, 2)])
def test_sums_are_inverted_as_they_leave(simulate, kind, leaves, pipeline):
    source = random.Random(leaves)
    tree = kind([(-16, 15)] * leaves, 5, pipeline, inverts=True)
    seen = set()

    async def bench(ctx):
        ctx.set(tree.enable, 1)
        for _ in range(30):
            values = [source.randint(-16, 15) for _ in range(leaves)]
            ctx.set(tree.i.as_value(), pack(tree.i.shape(), values))
            # Only what the last register takes is inverted.
            inverted = 0
            for _ in range(tree.registers):
                inverted = source.getrandbits(1)
                ctx.set(tree.invert, inverted)
                await ctx.tick()
            assert ctx.get(tree.o) == (~sum(values) if inverted else sum(values))
            seen.add(inverted)

    simulate(tree, bench)
    assert seen == {0, 1}


@pytest.mark.parametrize("kind", [BinaryTree, CarrySaveTree])
@pytest.mark.parametrize("leaves", [2, 3, 4])
def test_every_sum_of_small_numbers(simulate, kind, leaves):
    tree = kind([(-2, 1)] * leaves, 2, 12)
    wrong = []

    async def bench(ctx):
        ctx.set(tree.enable, 1)
        for values in itertools.product(range(-2, 2), repeat=leaves):
            ctx.set(tree.i.as_value(), pack(tree.i.shape(), values))
            await ctx.tick()
            if ctx.get(tree.o) != sum(values):
                wrong.append(values)

    simulate(tree, bench)
    assert wrong == []


@pytest.mark.parametrize("kind", [BinaryTree, CarrySaveTree])
def test_one_leaf_is_a_wire(simulate, kind):
    tree = kind([(-32, 31)], 6, 1)
    assert tree.registers == 0
    seen = []

    async def bench(ctx):
        for value in (-32, 31, -1, 0):
            ctx.set(tree.i.as_value(), value & 63)
            await ctx.delay(1e-9)
            seen.append(ctx.get(tree.o))

    simulate(tree, bench)
    assert seen == [-32, 31, -1, 0]


@pytest.mark.parametrize("kind", [BinaryTree, CarrySaveTree])
@pytest.mark.parametrize(
    ("ranges", "width"), [([(-8, 7)] * 2, 5), ([(-8, 7)] * 4, 6), ([(0, 3), (-1, 0)], 3)]
)
def test_the_sum_is_as_wide_as_its_range(simulate, kind, ranges, width):
    tree = kind(ranges, 4, 1)
    assert len(tree.o) == width
    ends = []

    async def bench(ctx):
        ctx.set(tree.enable, 1)
        for side in (0, 1):
            values = [limits[side] for limits in ranges]
            ctx.set(tree.i.as_value(), pack(tree.i.shape(), values))
            await ctx.tick().repeat(tree.registers)
            ends.append(ctx.get(tree.o))

    simulate(tree, bench)
    assert tuple(ends) == tree.range
