# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Depthwise convolution and average pooling against their definitions."""

import random

import pytest

from cimple.hdl.npu.isa import Opcode
from cimple.hdl.npu.latency import BYTES_AFTER, REQUANTISE_CYCLES, WINDOW_SUM_CYCLES
from cimple.hdl.npu.vector_engine import VectorEngine
from tests.hdl.npu.vector_unit import (
    ParameterMemories,
    random_windows,
    run,
    window_results,
    window_taps,
)


async def load_kernel(ctx, engine, config, bank, kernel):
    """Write the taps of a kernel, `lanes` weights each."""
    ctx.set(engine.kernel.enable, 1)
    for tap, weights in enumerate(kernel):
        ctx.set(engine.kernel.address, bank * config.taps + tap)
        ctx.set(engine.kernel.data, [weight & 0xFF for weight in weights])
        await ctx.tick()
    ctx.set(engine.kernel.enable, 0)


def expected_writes(fields, content, around, config, kernel=None):
    """Address and byte of every result, in the order of writing."""

    def value(oy, ox, channel):
        lane = channel % config.lanes
        total = sum(
            (fields.get("padding", 0) if seen is None else seen)
            * (kernel[tap][lane] if kernel else 1)
            for tap, seen in enumerate(window_taps(fields, content, oy, ox, channel))
        )
        place = lane if kernel else channel % config.requantisers
        return around.result(total, fields["channel"] + place, fields)

    return window_results(fields, value)


@pytest.mark.parametrize(
    ("port", "lanes", "requantisers"),
    [(4, 1, 1), (8, 4, 4), (16, 16, 16), (16, 16, 8), (8, 8, 2), (4, 4, 1)],
)
def test_random_windows(simulate, npu_config, readable_bytes, port, lanes, requantisers):
    """Both kinds, one right after the other; the memory is busy at times. Kernels of both banks
    stay what they are until they are loaded again."""
    config = npu_config(
        activation_port=port, lanes=lanes, requantisers=requantisers, activation_bytes=1024,
        channels=64,
    )
    engine = VectorEngine(config)
    source = random.Random(lanes)
    content = source.randbytes(1024)
    memory = readable_bytes(engine.read, content, port, 0, seed=1)
    around = ParameterMemories(engine, config, source)
    kernels = [[], []]

    async def bench(ctx):
        for turn in range(14):
            fields = random_windows(source, config) | {
                "zero_point": source.randint(-20, 20),
                "channel": requantisers * source.randrange((64 - lanes) // requantisers + 1),
            }
            bank = source.randrange(2)
            if not kernels[bank] or source.random() < 0.5:
                kernels[bank] = [
                    [source.randint(-128, 127) for _ in range(lanes)] for _ in range(9)
                ]
                await load_kernel(ctx, engine, config, bank, kernels[bank])
            opcode, kernel = Opcode.AVERAGE_POOL, None
            if turn % 2:
                opcode, kernel = Opcode.DEPTHWISE, kernels[bank]
                fields["channels"] = min(fields["channels"], lanes)
                fields |= {"bank": bank, "padding": source.randint(-128, 127)}
            writes, _ = await run(ctx, engine, opcode, fields, engine.store_write)
            assert writes == expected_writes(fields, content, around, config, kernel), fields

    simulate(engine, bench, background=[memory.serve, around.serve])


def test_the_largest_sums(simulate, npu_config, readable_bytes):
    """256 taps of the lowest value times the lowest weight, on one side of zero."""
    config = npu_config(lanes=1, activation_bytes=512, taps=256)
    engine = VectorEngine(config)
    memory = readable_bytes(engine.read, bytes([0x80]) * 512, 8, 0, seed=1)
    around = ParameterMemories(engine, config, random.Random(1))
    around.bias[0], around.multiplier[0], around.shift[0] = -(1 << 22), 1 << 30, 0
    fields = {
        "row_stride": 16, "row_bytes": 16, "height": 16, "pixel_bytes": 1, "channels": 1,
        "out_width": 1, "out_height": 1, "kernel_width": 16, "kernel_height": 16,
        "clamp_low": -128, "clamp_high": 127,
    }

    async def bench(ctx):
        await load_kernel(ctx, engine, config, 1, [[-128]] * 255 + [[-126]])
        writes, _ = await run(ctx, engine, Opcode.DEPTHWISE, fields | {"bank": 1},
                              engine.store_write)
        # (2**22 - 256 - 2**22) / 2
        assert writes == [(0, 0x80)]

    simulate(engine, bench, background=[memory.serve, around.serve])


@pytest.mark.parametrize("requantisers", [4, 2, 1])
@pytest.mark.parametrize(
    ("kernel", "channels"), [((1, 1), 4), ((2, 2), 9), ((3, 1), 8), ((1, 2), 10), ((1, 1), 7)]
)
def test_a_tap_a_cycle(simulate, npu_config, readable_bytes, kernel, channels, requantisers):
    """Unless its window's sums take longer to leave than its taps to come."""
    config = npu_config(activation_port=8, lanes=4, requantisers=requantisers)
    engine = VectorEngine(config)
    memory = readable_bytes(engine.read, bytes(512), 8, 0, seed=1)
    around = ParameterMemories(engine, config, random.Random(1))
    fields = {
        "row_stride": 40, "row_bytes": 40, "pixel_bytes": channels, "height": 8,
        "channels": channels, "kernel_width": kernel[0], "kernel_height": kernel[1],
        "out_width": 3, "out_height": 2, "clamp_low": -128, "clamp_high": 127,
    }
    taps, beats = kernel[0] * kernel[1], 4 // requantisers
    chunks = 3 * 2 * -(-channels // 4)
    last_beats = -(-((channels - 1) % 4 + 1) // requantisers)

    async def bench(ctx):
        _, cycles = await run(ctx, engine, Opcode.AVERAGE_POOL, fields, engine.store_write)
        # The first tap is asked for a cycle after `start`; the last one's bytes come, its first
        # sums, those of the other requantisations, and all go through the lanes.
        asked = (chunks - 1) * max(taps, beats) + taps
        after = BYTES_AFTER + WINDOW_SUM_CYCLES + REQUANTISE_CYCLES + 1
        assert cycles == 1 + (asked - 1) + after + (last_beats - 1)
        assert len(memory.log) == taps * chunks

    simulate(engine, bench, background=[memory.serve, around.serve])
