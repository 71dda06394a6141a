# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The result store and the lanes behind it: which output goes where, how scaled, and when.

Rounding is the requantiser's test; here multipliers are powers of two and sums small.
"""

import random

import pytest

from cimple.hdl.npu.isa import Opcode
from cimple.hdl.npu.latency import REQUANTISE_CYCLES, STORE_CYCLES, STORE_START_CYCLES
from cimple.hdl.npu.vector_engine import VectorEngine
from tests.hdl.npu.vector_unit import ParameterMemories, number_of

#: Columns and lanes: beats that are full, one not, fewer columns than lanes, single ones.
SHAPES = [(6, 2), (7, 4), (1, 1), (5, 1), (3, 8)]


class Surroundings(ParameterMemories):
    """The parameter memory, and what is written to the activation memory."""

    def __init__(self, engine, config, source):
        super().__init__(engine, config, source)
        self.writes = []

    async def collect_writes(self, ctx):
        port = self.engine.store_write
        while True:
            _, _, count, address, data = await ctx.tick().sample(
                port.count, port.address, port.data
            )
            self.writes += [(address + lane, data[lane]) for lane in range(count)]


def random_fields(source, config):
    lanes = config.lanes
    channels = source.choice([config.macro.columns, source.randint(1, config.macro.columns)])
    words = -(-channels // lanes)
    width, height = source.randint(1, 4), source.randint(1, 3)
    pixel_stride = channels + source.choice([0, 2])
    return {
        "out_width": width, "out_height": height, "channels": channels,
        "channel": lanes * source.randint(0, (config.channels - channels) // lanes),
        "out_start": source.randrange(100), "out_pixel_stride": pixel_stride,
        "out_row_stride": pixel_stride * width + source.choice([0, 5]),
        "clamp_low": source.choice([-128, -20]), "clamp_high": source.choice([127, 30]),
        "zero_point": source.randint(-20, 20),
        "partial": source.randint(0, config.partial_sum_words - width * height * words),
    }


async def run(ctx, store, fields, vectors, streams, chance):
    """Offer the vectors; return the cycles from the last beat's to `done`'s."""
    ctx.set(store.descriptor, number_of(Opcode.REQUANTISE, fields))
    # A queue collects a descriptor cycles before it starts the engine.
    await ctx.tick()
    ctx.set(store.start, 1)
    await ctx.tick()
    ctx.set(store.start, 0)
    for vector in vectors:
        while streams.pause(chance):
            _, _, done = await ctx.tick().sample(store.done)
            assert not done
        ctx.set(store.i[0].payload, vector)
        ctx.set(store.i[0].valid, 1)
        while True:
            _, _, ready, done = await ctx.tick().sample(store.i[0].ready, store.done)
            assert not done
            if ready:
                break
        ctx.set(store.i[0].valid, 0)
    for cycle in range(1, 30):
        _, _, done = await ctx.tick().sample(store.done)
        if done:
            return cycle
    raise AssertionError("the result store does not end")


def expected_writes(around, fields, sums):
    writes = []
    for number, vector in enumerate(sums):
        y, x = divmod(number, fields["out_width"])
        address = fields["out_start"] + y * fields["out_row_stride"]
        address += x * fields["out_pixel_stride"]
        for channel in range(fields["channels"]):
            value = around.result(vector[channel], fields["channel"] + channel, fields)
            writes.append((address + channel, value & 0xFF))
    return writes


@pytest.mark.parametrize(("columns", "lanes"), SHAPES)
def test_passes_and_results(simulate, npu_config, streams, columns, lanes):
    """One to three passes over the same pixels, one descriptor right after the other."""
    config = npu_config(
        {"columns": columns}, lanes=lanes, activation_port=16, partial_sum_words=300
    )
    store = VectorEngine(config)
    source = random.Random(columns)
    around = Surroundings(store, config, source)
    expected = []

    async def bench(ctx):
        for _ in range(5):
            fields = random_fields(source, config)
            count = fields["out_width"] * fields["out_height"]
            sums = [[0] * columns for _ in range(count)]
            passes = source.randint(1, 3)
            for number in range(passes):
                vectors = [
                    [source.randint(-200, 200) for _ in range(columns)] for _ in range(count)
                ]
                for total, vector in zip(sums, vectors, strict=True):
                    total[:] = map(sum, zip(total, vector, strict=True))
                keep = number < passes - 1
                place = {"add_partial": number > 0, "keep_partial": keep}
                chance = source.choice([0, 0.5])
                latency = await run(ctx, store, fields | place, vectors, streams, chance)
                assert latency == STORE_CYCLES + (0 if keep else REQUANTISE_CYCLES + 1)
            expected.extend(expected_writes(around, fields, sums))

    simulate(store, bench, background=[around.serve, around.collect_writes])
    assert around.writes == expected


def test_sums_wrap_around(simulate, npu_config, streams):
    """Partial sums are int32: once around, what is left is a small number again."""
    config = npu_config({"rows": 4096, "columns": 1}, lanes=1)
    store = VectorEngine(config)
    around = Surroundings(store, config, random.Random(1))
    around.bias[0], around.multiplier[0], around.shift[0] = 0, 1 << 30, 0
    highest = (1 << config.macro.output_bits - 1) - 1
    passes, left_over = divmod(1 << 32, highest)
    outputs = [highest] * passes + [left_over + 34]
    fields = {
        "out_width": 1, "out_height": 1, "channels": 1, "clamp_low": -128, "clamp_high": 127,
    }

    async def bench(ctx):
        for number, output in enumerate(outputs):
            place = {"add_partial": number > 0, "keep_partial": number < passes}
            await run(ctx, store, fields | place, [[output]], streams, 0)

    simulate(store, bench, background=[around.serve, around.collect_writes])
    assert around.writes == [(0, 17)]


def test_sums_that_were_kept_are_not_written(simulate, npu_config, streams):
    """Not even where the next descriptor starts while they are still on their way."""
    config = npu_config()
    store = VectorEngine(config)
    around = Surroundings(store, config, random.Random(2))
    fields = {
        "out_width": 2, "out_height": 1, "channels": 6, "out_start": 50, "out_pixel_stride": 6,
        "clamp_low": -128, "clamp_high": 127, "zero_point": 0, "channel": 0,
    }
    vectors = [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]

    async def bench(ctx):
        await run(ctx, store, fields | {"keep_partial": 1}, vectors, streams, 0)
        await run(ctx, store, fields | {"out_start": 80}, vectors, streams, 0)

    simulate(store, bench, background=[around.serve, around.collect_writes])
    expected = fields | {"out_start": 80, "out_row_stride": 0}
    assert around.writes == expected_writes(around, expected, vectors)


@pytest.mark.parametrize(("columns", "lanes"), SHAPES)
def test_a_beat_a_cycle(simulate, npu_config, streams, columns, lanes):
    config = npu_config({"columns": columns}, lanes=lanes, activation_port=16)
    store = VectorEngine(config)
    fields = {"out_width": 5, "out_height": 2, "channels": columns}

    async def bench(ctx):
        ctx.set(store.descriptor, number_of(Opcode.REQUANTISE, fields))
        # A queue collects a descriptor cycles before it starts the engine.
        await ctx.tick()
        ctx.set(store.start, 1)
        await ctx.tick()
        ctx.set(store.start, 0)
        ctx.set(store.i[0].valid, 1)
        cycles, ready = 10 * config.beats + 5, store.i[0].ready
        taken = [(await ctx.tick().sample(ready))[2] for _ in range(cycles)]
        last_beats = [cycle for cycle, is_taken in enumerate(taken) if is_taken]
        assert last_beats == [
            STORE_START_CYCLES - 1 + (number + 1) * config.beats - 1 for number in range(10)
        ]

    simulate(store, bench)
