# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Adder trees: exact sums, one a cycle, after the stated number of cycles."""

import random

import pytest
from amaranth.sim import Simulator

from cimple.hdl.macro.adder_tree import AdderTree
from cimple.hdl.packing import pack


@pytest.mark.parametrize(
    ("leaves", "pipeline", "registers"),
    [(2, 1, 1), (3, 1, 2), (5, 1, 3), (5, 2, 2), (8, 2, 2), (9, 3, 2), (9, 12, 1), (17, 4, 2)],
)
def test_streams_of_sums(simulate, leaves, pipeline, registers):
    bits = 5
    tree = AdderTree(leaves, bits, pipeline)
    assert tree.registers == registers
    source = random.Random(leaves * 100 + pipeline)
    inputs = [[-16] * leaves, [15] * leaves, [0] * leaves]
    inputs += [[source.randint(-16, 15) for _ in range(leaves)] for _ in range(30)]
    sums = []

    async def bench(ctx):
        pending = iter(inputs)
        while len(sums) < len(inputs) + registers:
            enable = source.random() < 0.7
            ctx.set(tree.enable, enable)
            # What is there while nothing moves must not be seen.
            values = [source.randint(-16, 15) for _ in range(leaves)]
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


def test_one_leaf_is_a_wire():
    tree = AdderTree(1, 6, 1)
    assert tree.registers == 0
    seen = []

    async def bench(ctx):
        for value in (-32, 31, -1, 0):
            ctx.set(tree.i.as_value(), value & 63)
            await ctx.delay(1e-9)
            seen.append(ctx.get(tree.o))

    simulator = Simulator(tree)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [-32, 31, -1, 0]
