# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Counters and time stamps."""

import random

from cimple.hdl.npu.isa import Queue
from cimple.hdl.npu.packets import COUNTERS, Counter
from cimple.hdl.npu.run_counters import RunCounters


async def read(ctx, counters, index):
    ctx.set(counters.index, index)
    await ctx.tick()
    return ctx.get(counters.value)


def test_against_sums(simulate, npu_config):
    """Several runs; counters begin anew with each, time stamps stay until written again."""
    config = npu_config(stamps=16)
    counters = RunCounters(config)
    source = random.Random(1)
    stamps = [0] * config.stamps

    async def bench(ctx):
        for length in (1, 40, 7):
            ctx.set(counters.clear, 1)
            await ctx.tick()
            ctx.set(counters.clear, 0)
            sums = dict.fromkeys(Counter, 0)
            for cycle in range(length):
                busy, vector, stamp = source.getrandbits(3), source.getrandbits(1), cycle % 3 == 0
                index, top_plane = source.randrange(config.stamps), source.randrange(8)
                ctx.set(counters.running, 1)
                ctx.set(counters.busy, busy)
                ctx.set(counters.round_taken, vector)
                ctx.set(counters.top_plane, top_plane)
                ctx.set(counters.stamp, stamp)
                ctx.set(counters.stamp_index, index)
                assert ctx.get(counters.cycles) == cycle
                await ctx.tick()
                if stamp:
                    stamps[index] = cycle
                sums[Counter.CYCLES] += 1
                sums[Counter.LOAD_BUSY] += busy >> Queue.LOAD & 1
                sums[Counter.COMPUTE_BUSY] += busy >> Queue.COMPUTE & 1
                sums[Counter.VECTOR_BUSY] += busy >> Queue.VECTOR & 1
                sums[Counter.PLANES] += (top_plane + 1) * vector
            for port in ("running", "busy", "round_taken", "stamp"):
                ctx.set(getattr(counters, port), 0)
            assert ctx.get(counters.cycles) == length
            for counter in Counter:
                assert await read(ctx, counters, counter) == sums[counter], counter
            for index, stamp in enumerate(stamps):
                assert await read(ctx, counters, COUNTERS + index) == stamp

    simulate(counters, bench)


def test_clear_wins_over_counting(simulate, npu_config):
    counters = RunCounters(npu_config())

    async def bench(ctx):
        for port, value in (("running", 1), ("busy", 7), ("round_taken", 1)):
            ctx.set(getattr(counters, port), value)
        await ctx.tick().repeat(5)
        ctx.set(counters.clear, 1)
        await ctx.tick()
        for port in ("running", "busy", "round_taken", "clear"):
            ctx.set(getattr(counters, port), 0)
        for counter in Counter:
            assert await read(ctx, counters, counter) == 0

    simulate(counters, bench)
