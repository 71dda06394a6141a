# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The AXI reader: addresses as AXI wants them, beats in order, and what is dropped."""

import random
from collections import deque
from functools import partial

import pytest

from cimple.hdl.npu.axi_reader import MOST_BURSTS, AxiReader


class Bus:
    """A subordinate with random pauses; checks that an address stays until it is taken."""

    def __init__(self, reader, seed, chance):
        self.reader = reader
        self.source, self.chance = random.Random(seed), chance
        self.bursts = []
        self.left = deque()
        self.holds = False
        self.count = 0

    async def serve(self, ctx):
        bus, offered = self.reader.bus, None
        while True:
            ready = not self.holds and self.source.random() >= self.chance
            valid = bool(self.left) and not self.holds and self.source.random() >= self.chance
            ctx.set(bus.arready, ready)
            ctx.set(bus.rvalid, valid)
            ctx.set(bus.rdata, self.count)
            ctx.set(bus.rresp, self.count & 3)
            ctx.set(bus.rlast, valid and self.left[0] == 1)
            _, _, asks, address, length, takes = await ctx.tick().sample(
                bus.arvalid, bus.araddr, bus.arlen, bus.rready
            )
            assert takes
            assert offered is None or (asks and (address, length) == offered)
            offered = (address, length) if asks and not ready else None
            if valid:
                self.count += 1
                self.left[0] -= 1
                if not self.left[0]:
                    self.left.popleft()
            if asks and ready:
                self.bursts.append((address, length))
                self.left.append(length + 1)
                assert len(self.left) <= MOST_BURSTS


async def ask(ctx, reader, beat, count):
    ctx.set(reader.burst.payload, {"beat": beat, "beats_less_one": count - 1})
    ctx.set(reader.burst.valid, 1)
    while not (await ctx.tick().sample(reader.burst.ready))[2]:
        pass
    ctx.set(reader.burst.valid, 0)


async def listen(reader, beats, ctx):
    while True:
        _, _, valid, data, error = await ctx.tick().sample(
            reader.beat.valid, reader.beat.data, reader.beat.error
        )
        if valid:
            beats.append(data)
            assert error == (data >> 1 & 1)


@pytest.mark.parametrize("chance", [0, 0.6])
def test_bursts_in_order(simulate, npu_config, chance):
    reader = AxiReader(npu_config(external_port=8))
    bus, source, beats = Bus(reader, 1, chance), random.Random(2), []
    wanted = [(source.randrange(1 << 29), source.choice([1, 2, 9, 256])) for _ in range(20)]

    async def bench(ctx):
        for beat, count in wanted:
            await ask(ctx, reader, beat, count)
        total = sum(count for _, count in wanted)
        while len(beats) < total:
            await ctx.tick()
        assert bus.bursts == [(8 * beat, count - 1) for beat, count in wanted]
        assert beats == list(range(total))
        pins = {name: ctx.get(getattr(reader.bus, name)) for name in
                ("arid", "arsize", "arburst", "arcache", "arprot")}
        assert pins == {"arid": 0, "arsize": 3, "arburst": 1, "arcache": 3, "arprot": 0}

    simulate(reader, bench, background=[bus.serve, partial(listen, reader, beats)])


@pytest.mark.parametrize("wait", range(1, 13))
def test_what_is_discarded_is_taken_and_dropped(simulate, npu_config, wait):
    reader = AxiReader(npu_config(external_port=4))
    bus, beats = Bus(reader, wait, 0.5), []

    async def bench(ctx):
        for beat in range(3):
            await ask(ctx, reader, 100 * beat, 5)
        await ctx.tick().repeat(wait)
        ctx.set(reader.discard, 1)
        await ctx.tick()
        ctx.set(reader.discard, 0)
        # A beat may have passed in that cycle, but none later.
        await ctx.tick()
        before = len(beats)
        # Nothing new is asked for until the old is over.
        await ask(ctx, reader, 999, 4)
        assert bus.count == 15
        while len(beats) < before + 4:
            await ctx.tick()
        assert beats[before:] == [15, 16, 17, 18]
        assert bus.bursts[-1] == (4 * 999, 3)
        assert len(bus.bursts) == 4

    simulate(reader, bench, background=[bus.serve, partial(listen, reader, beats)])


def test_as_many_as_may_be_under_way(simulate, npu_config):
    reader = AxiReader(npu_config(external_port=4))
    bus = Bus(reader, 1, 0)

    async def bench(ctx):
        for beat in range(MOST_BURSTS):
            await ask(ctx, reader, beat, 200)
        await ask(ctx, reader, 0, 1)
        # The last beat of the first, and a cycle to see that there is room.
        assert 200 <= bus.count <= 202
        assert len(bus.bursts) == MOST_BURSTS

    simulate(reader, bench, background=[bus.serve])
