# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Max pooling against its definition, and with it the walk over taps."""

import random

import pytest

from cimple.hdl.npu.isa import Opcode
from cimple.hdl.npu.latency import BYTES_AFTER, MAX_POOL_CYCLES
from cimple.hdl.npu.vector_engine import VectorEngine
from tests.hdl.npu.vector_unit import random_windows, run, window_results, window_taps


def pooled(fields, content):
    """Address and byte of every result, in the order of writing."""

    def highest(oy, ox, channel):
        largest = max([-128, *taps(fields, content, oy, ox, channel)])
        return min(max(largest, fields["clamp_low"]), fields["clamp_high"])

    return window_results(fields, highest)


def taps(fields, content, oy, ox, channel):
    """Values inside the image."""
    seen = window_taps(fields, content, oy, ox, channel)
    return [value for value in seen if value is not None]


@pytest.mark.parametrize("lanes", [4, 8, 32])
def test_random_pools(simulate, npu_config, readable_bytes, lanes):
    """Descriptors one right after the other."""
    config = npu_config(activation_port=lanes, lanes=1, activation_bytes=1024)
    unit = VectorEngine(config)
    source = random.Random(lanes)
    content = source.randbytes(1024)
    memory = readable_bytes(unit.read, content, lanes, 0, seed=1)
    outside = 0

    async def bench(ctx):
        nonlocal outside
        for _ in range(30):
            fields = random_windows(source, config)
            writes, _ = await run(ctx, unit, Opcode.MAX_POOL, fields, unit.pool_write)
            # A window's channels may come in several writes.
            assert writes == pooled(fields, content), fields
            outside += not any(taps(fields, content, 0, 0, 0))

    simulate(unit, bench, background=[memory.serve])
    assert outside


def test_no_tap_inside_gives_the_lowest_value(simulate, npu_config, readable_bytes):
    """Beyond each side, and as far as a descriptor can place a window; then clamped."""
    config = npu_config()
    unit = VectorEngine(config)
    memory = readable_bytes(unit.read, bytes([100] * 512), 8, 0, seed=1)
    image = {
        "row_stride": 12, "row_bytes": 12, "pixel_bytes": 3, "height": 3, "channels": 3,
        "kernel_width": 2, "kernel_height": 2, "out_width": 1, "out_height": 1, "clamp_high": 127,
    }
    places = [(-6, 0), (12, 0), (0, -2), (0, 3), (-32768, 0), (32766, 0), (0, -32768), (0, 32767)]

    async def bench(ctx):
        for x, y in places:
            for low in (-128, -5):
                fields = image | {"origin_x": x, "origin_y": y, "clamp_low": low}
                writes, _ = await run(ctx, unit, Opcode.MAX_POOL, fields, unit.pool_write)
                assert writes == [(channel, low & 0xFF) for channel in range(3)], (x, y)

    simulate(unit, bench, background=[memory.serve])


def test_wide_windows_of_wide_pixels(simulate, npu_config, readable_bytes):
    """A tap more than 2**16 bytes behind the first is outside, not somewhere at the beginning."""
    config = npu_config(activation_bytes=1 << 18)
    unit = VectorEngine(config)
    content = bytearray(1 << 18)
    # Where the last tap would be, were its offset cut to 16 bits.
    content[220 * 300 - (1 << 16)] = 99
    memory = readable_bytes(unit.read, bytes(content), 8, 0, seed=1)
    fields = {
        "row_bytes": 30000, "row_stride": 30000, "pixel_bytes": 300, "height": 1, "channels": 1,
        "kernel_width": 221, "kernel_height": 1, "out_width": 1, "out_height": 1,
        "clamp_low": -128, "clamp_high": 127,
    }

    async def bench(ctx):
        writes, _ = await run(ctx, unit, Opcode.MAX_POOL, fields, unit.pool_write)
        assert writes == [(0, 0)]

    simulate(unit, bench, background=[memory.serve])


@pytest.mark.parametrize(("kernel", "channels"), [((1, 1), 4), ((2, 2), 9), ((3, 1), 8)])
def test_a_tap_a_cycle(simulate, npu_config, readable_bytes, kernel, channels):
    config = npu_config(activation_port=4, lanes=1)
    unit = VectorEngine(config)
    memory = readable_bytes(unit.read, bytes(512), 4, 0, seed=1)
    fields = {
        "row_stride": 36, "row_bytes": 36, "pixel_bytes": channels, "height": 8,
        "channels": channels, "kernel_width": kernel[0], "kernel_height": kernel[1],
        "out_width": 3, "out_height": 2, "clamp_low": -128, "clamp_high": 127,
    }
    taps_in_all = 3 * 2 * kernel[0] * kernel[1] * -(-channels // 4)

    async def bench(ctx):
        _, cycles = await run(ctx, unit, Opcode.MAX_POOL, fields, unit.pool_write)
        # The first tap is asked for a cycle after `start`.
        assert cycles == 1 + (taps_in_all - 1) + BYTES_AFTER + MAX_POOL_CYCLES
        assert len(memory.log) == taps_in_all

    simulate(unit, bench, background=[memory.serve])
