# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The fetch engine: bursts that AXI allows, every beat in its place, and refusals."""

import random

import pytest

from cimple.hdl.npu.fetch_engine import FetchEngine


class Memory:
    """Takes bursts now and then, and brings their beats in order; `refused` beats with an error."""

    def __init__(self, engine, seed, chance, refused=()):
        self.engine, self.refused = engine, refused
        self.source, self.chance = random.Random(seed), chance
        self.bursts = []
        self.written = []

    async def serve(self, ctx):
        engine, coming = self.engine, []
        while True:
            ready = self.source.random() >= self.chance
            valid = bool(coming) and self.source.random() >= self.chance
            beat = coming.pop(0) if valid else 0
            ctx.set(engine.burst.ready, ready)
            ctx.set(engine.beat.valid, valid)
            ctx.set(engine.beat.data, word_of(beat))
            ctx.set(engine.beat.error, valid and beat in self.refused)
            _, _, asks, burst, writes, place, data = await ctx.tick().sample(
                engine.burst.valid, engine.burst.payload, engine.write.enable, engine.write.beat,
                engine.write.data,
            )
            if asks and ready:
                self.bursts.append((burst.beat, burst.beats_less_one + 1))
                coming += range(burst.beat, burst.beat + burst.beats_less_one + 1)
            if writes:
                self.written.append((place, data))


def word_of(beat):
    return beat * 0x9E3779B1 & 0xFFFFFFFF


async def start(ctx, engine, source, address, beats):
    port = engine.config.external_port
    ctx.set(engine.descriptor.source, source * port)
    ctx.set(engine.descriptor.address, address * port)
    ctx.set(engine.descriptor.bytes, beats * port)
    ctx.set(engine.start, 1)
    await ctx.tick()
    ctx.set(engine.start, 0)


async def until(ctx, signal, limit=20000):
    for _ in range(limit):
        if (await ctx.tick().sample(signal))[2]:
            return
    raise AssertionError("nothing happens")


@pytest.mark.parametrize("chance", [0, 0.5])
@pytest.mark.parametrize(("port", "boundary"), [(4, 256), (16, 256), (32, 128)])
def test_bursts_and_beats(simulate, npu_config, port, boundary, chance):
    config = npu_config(external_port=port, weight_port=32, weight_bytes=1 << 13)
    engine = FetchEngine(config)
    memory, source = Memory(engine, port, chance), random.Random(port)
    most = config.weight_bytes // port
    highest = (1 << 32) // port

    async def bench(ctx):
        for beats in (1, 2, boundary, most, source.randrange(1, most)):
            first = source.choice([0, boundary - 1, highest - beats, source.randrange(1 << 24)])
            place = source.randrange(most - beats + 1)
            memory.bursts.clear()
            memory.written.clear()
            await start(ctx, engine, first, place, beats)
            await until(ctx, engine.done)
            # The memory, too, has seen that cycle then.
            await ctx.tick()
            assert memory.written == [(place + n, word_of(first + n)) for n in range(beats)]
            assert [at for at, _ in memory.bursts] == [
                first, *range(first // boundary * boundary + boundary, first + beats, boundary)
            ]
            ends = [at + count for at, count in memory.bursts]
            assert ends == [*(at for at, _ in memory.bursts[1:]), first + beats]
            assert not ctx.get(engine.fault)

    simulate(engine, bench, background=[memory.serve], cycles=60000)


@pytest.mark.parametrize("refused", [0, 3, 299])
def test_a_refused_beat(simulate, npu_config, refused):
    """Its address, and no end: whoever sees the fault resets the engine."""
    config = npu_config(external_port=4, weight_bytes=1 << 13)
    engine = FetchEngine(config)
    first = (1 << 30) - 300
    memory = Memory(engine, 1, 0.2, [first + refused])

    async def bench(ctx):
        await start(ctx, engine, first, 7, 300)
        done = 0
        while not ctx.get(engine.fault):
            done |= (await ctx.tick().sample(engine.done))[2]
        assert not done
        assert ctx.get(engine.fault)
        assert ctx.get(engine.fault_at) == 4 * (first + refused)
        assert [place for place, _ in memory.written[:refused]] == list(range(7, 7 + refused))

    simulate(engine, bench, background=[memory.serve])
