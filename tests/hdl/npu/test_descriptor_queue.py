# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The descriptor queue: order, tokens, and the engine's hand-shake."""

import random

import pytest

from cimple.hdl.npu.descriptor_queue import DescriptorQueue
from cimple.hdl.npu.isa import WORDS, Descriptor, Opcode, Queue


def descriptors(source, count):
    """Legal descriptors that tell each other apart."""
    return [
        Descriptor(Opcode.COMPUTE, {
            "start": source.getrandbits(32), "wait": source.getrandbits(3),
            "signal": source.getrandbits(3), "depth": number,
        })
        for number in range(count)
    ]


def number_of(descriptor):
    return sum(word << 32 * index for index, word in enumerate(descriptor.encode()))


async def act_as_engine(ctx, queue, count, source):
    """Tokens that come late, runs of some cycles; what was started and what was given."""
    started, given = [], []
    for _ in range(count):
        # What was given stays until it is taken.
        tokens = 0
        for _ in range(1000):
            tokens |= source.getrandbits(3) & source.getrandbits(3)
            ctx.set(queue.tokens, tokens)
            descriptor = ctx.get(queue.descriptor)
            take, start = ctx.get(queue.take), ctx.get(queue.start)
            assert not ctx.get(queue.busy)
            assert not take or start
            await ctx.tick()
            if start:
                wait = descriptor >> 16 & 7
                assert take == wait
                assert not wait & ~tokens
                started.append(descriptor)
                break
        for _ in range(source.choice([0, 3])):
            assert ctx.get(queue.busy)
            assert not ctx.get(queue.start)
            assert not ctx.get(queue.give)
            assert ctx.get(queue.descriptor) == started[-1]
            await ctx.tick()
        ctx.set(queue.done, 1)
        assert ctx.get(queue.busy)
        await ctx.tick()
        ctx.set(queue.done, 0)
        assert not ctx.get(queue.busy)
        assert not ctx.get(queue.empty)
        given.append(ctx.get(queue.give))
        await ctx.tick()
        assert not ctx.get(queue.give)
    return started, given


@pytest.mark.parametrize("chance", [0, 0.5])
@pytest.mark.parametrize("depth", [1, 3])
def test_order_and_tokens(simulate, npu_config, streams, depth, chance):
    queue = DescriptorQueue(npu_config(queue_depth=depth))
    source = random.Random(depth)
    program = descriptors(source, 12)

    async def send(ctx):
        words = [word for descriptor in program for word in descriptor.encode()]
        await streams.send(ctx, queue.i, words, chance)

    async def engine(ctx):
        started, given = await act_as_engine(ctx, queue, len(program), source)
        assert started == [number_of(descriptor) for descriptor in program]
        assert given == [descriptor["signal"] for descriptor in program]
        assert ctx.get(queue.empty)

    simulate(queue, send, engine)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_depth_is_what_waits_behind_the_one_at_work(simulate, npu_config, depth):
    queue = DescriptorQueue(npu_config(queue_depth=depth))
    header = Descriptor(Opcode.COMPUTE, {}).encode()[0]

    async def bench(ctx):
        ctx.set(queue.i.payload, header)
        ctx.set(queue.i.valid, 1)
        taken = [(await ctx.tick().sample(queue.i.ready))[2] for _ in range(20 * (depth + 2))]
        assert sum(taken) == WORDS * (depth + 1)
        assert ctx.get(queue.busy)

    simulate(queue, bench)


def test_latency(simulate, npu_config):
    """From a descriptor's last word to its start, and from `done` to the next one's start."""
    queue = DescriptorQueue(npu_config())
    words = Descriptor(Opcode.COMPUTE, {"signal": 1 << Queue.VECTOR}).encode()

    async def bench(ctx):
        times = {"start": [], "give": []}
        for cycle in range(100):
            ctx.set(queue.i.valid, cycle < 2 * WORDS)
            ctx.set(queue.i.payload, words[cycle % WORDS])
            for name, seen in times.items():
                if ctx.get(getattr(queue, name)):
                    seen.append(cycle)
            ctx.set(queue.done, cycle == 40)
            await ctx.tick()
        # A word is collected a cycle after it came; the next descriptor after the first has ended.
        assert times["start"] == [WORDS + 2, 40 + 1 + 2 + WORDS]
        assert times["give"] == [41]

    simulate(queue, bench)


def test_empty(simulate, npu_config, streams):
    """From its first word until its tokens are given, a descriptor is there."""
    queue = DescriptorQueue(npu_config())
    words = Descriptor(Opcode.COMPUTE, {"wait": 1}).encode()

    async def bench(ctx):
        assert ctx.get(queue.empty)
        for word in words:
            await streams.send(ctx, queue.i, [word])
            for _ in range(3):
                assert not ctx.get(queue.empty)
                await ctx.tick()
        ctx.set(queue.tokens, 1)
        for _ in range(2):
            assert not ctx.get(queue.empty)
            await ctx.tick()
        ctx.set(queue.done, 1)
        await ctx.tick()
        assert not ctx.get(queue.empty)
        await ctx.tick()
        assert ctx.get(queue.empty)

    simulate(queue, bench)
