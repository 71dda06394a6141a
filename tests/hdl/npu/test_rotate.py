# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Rotation of lanes, every amount, and how long it takes."""

from typing import cast

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cimple.hdl.npu.rotate import rotated, wraps


class Rotator(wiring.Component):
    """`lanes` nibbles and the amount."""

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__({"i": In(4 * lanes), "amount": In(5), "o": Out(4 * lanes)})

    i: Signal
    amount: Signal
    o: Signal

    def elaborate(self, platform):
        m = Module()
        items = [self.i.word_select(lane, 4) for lane in range(self.lanes)]
        m.d.comb += self.o.eq(Cat(rotated(m, "stage", items, self.amount)))
        return m


@pytest.mark.parametrize("lanes", [2, 4, 16, 32])
def test_every_amount(simulate, lanes):
    block = Rotator(lanes)
    items = [(7 * lane + 3) % 16 for lane in range(lanes)]

    async def bench(ctx):
        ctx.set(block.i, sum(item << 4 * lane for lane, item in enumerate(items)))
        for amount in range(lanes):
            ctx.set(block.amount, amount)
            await ctx.tick()
            value = ctx.get(block.o)
            expected = [items[(lane + amount) % lanes] for lane in range(lanes)]
            assert [value >> 4 * lane & 15 for lane in range(lanes)] == expected

    simulate(block, bench)


def test_other_numbers_of_lanes_are_refused():
    with pytest.raises(AssertionError, match="the number of lanes must be a power of two"):
        rotated(cast(Module, None), "stage", [Signal(), Signal(), Signal()], Signal(2))


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_which_lanes_wrap(simulate, bits):
    """Lanes below the first one, also where its number is narrower than a lane's."""
    block = Rotator(8)

    async def bench(ctx):
        for first in range(1 << bits):
            ctx.set(block.amount, first)
            reached = [ctx.get(wraps(block.amount[:bits], lane)) for lane in range(8)]
            assert reached == [lane < first for lane in range(8)]

    simulate(block, bench)
