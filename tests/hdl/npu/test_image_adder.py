# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Addition of images against its definition."""

import random

import pytest

from cimple.hdl.npu.isa import Opcode
from cimple.hdl.npu.latency import BYTES_AFTER, REQUANTISE_CYCLES, SUM_WAITS
from cimple.hdl.npu.vector_engine import VectorEngine
from tests.hdl.npu.vector_unit import ParameterMemories, int8, run


def surroundings(engine, config, source):
    """Bytes of the second image, moved up by 20 bits, are scaled down a little, sums by much."""
    around = ParameterMemories(engine, config, source)
    for channel in range(config.channels):
        is_sum = channel // config.requantisers % 2 == 1
        around.shift[channel] = source.randint(18, 21) if is_sum else source.randint(0, 3)
        around.bias[channel] = source.randint(-128, 127) << 19 + (not is_sum)
    return around


def expected_writes(fields, content, around, width):
    results = []
    for byte in range(fields["bytes"]):
        channel = fields["channel"] + byte % width
        first, second = (int8(content[fields[name] + byte]) for name in ("start", "other_start"))
        total = (first << 19) + around.scaled(second << 20, channel)
        value = around.result(total, channel + width, fields)
        results.append((fields["out_start"] + byte, value & 0xFF))
    return results


@pytest.mark.parametrize(
    ("port", "lanes", "width"), [(4, 1, 1), (8, 4, 4), (16, 16, 16), (32, 2, 2), (8, 8, 2)]
)
def test_random_additions(simulate, npu_config, readable_bytes, port, lanes, width):
    """One right after the other, of a few bytes and of many, `width` at a time."""
    config = npu_config(
        activation_port=port, lanes=lanes, requantisers=width, activation_bytes=512, channels=64
    )
    engine = VectorEngine(config)
    source = random.Random(lanes)
    content = source.randbytes(512)
    memory = readable_bytes(engine.read, content, port, 0, seed=1)
    around = surroundings(engine, config, source)
    within = 0

    async def bench(ctx):
        nonlocal within
        for _ in range(12):
            count = source.choice([1, source.randint(1, 3 * width), source.randint(1, 60)])
            low, high = sorted(source.choice([(-128, 127), (-60, 90)]))
            fields = {
                "start": source.randrange(450), "other_start": source.randrange(450),
                "out_start": source.randrange(450), "bytes": count, "clamp_low": low,
                "clamp_high": high, "zero_point": source.randint(-20, 20),
                "channel": 2 * width * source.randrange(64 // (2 * width)),
            }
            writes, cycles = await run(ctx, engine, Opcode.ADD, fields, engine.store_write)
            assert writes == expected_writes(fields, content, around, width), fields
            within += sum(low < int8(byte) < high for _, byte in writes)
            # 2 cycles for `width` bytes. From asking for the first, a cycle after `start`, to the
            # beat of the sum; then through the lanes.
            sum_after = BYTES_AFTER + 1 + REQUANTISE_CYCLES + SUM_WAITS
            assert cycles == 1 + 2 * (-(-count // width) - 1) + sum_after + REQUANTISE_CYCLES + 1

    simulate(engine, bench, background=[memory.serve, around.serve])
    assert within > 20


def test_halves_are_rounded_twice(simulate, npu_config, readable_bytes):
    """All pairs of some bytes, with multipliers of 2**30, where many sums end on one half."""
    config = npu_config(lanes=1, activation_bytes=1024, channels=24)
    engine = VectorEngine(config)
    values = [*range(-12, 12), -128, 127]
    pairs = [(first, second) for first in values[:16] for second in values[10:26]]
    content = bytes([first & 0xFF for first, _ in pairs] + [second & 0xFF for _, second in pairs])
    memory = readable_bytes(engine.read, content, 8, 0, seed=1)
    around = ParameterMemories(engine, config, random.Random(1))
    around.bias[:2], around.multiplier[:2], around.shift[:2] = [0, 0], [1 << 30] * 2, [0, 19]
    fields = {
        "start": 0, "other_start": len(pairs), "out_start": 2 * len(pairs), "bytes": len(pairs),
        "clamp_low": -128, "clamp_high": 127, "zero_point": 0, "channel": 0,
    }

    async def bench(ctx):
        writes, _ = await run(ctx, engine, Opcode.ADD, fields, engine.store_write)
        assert writes == expected_writes(fields, content, around, 1)
        # Halves go away from zero, as (x + y) / 2 shows.
        halved = {
            (abs(x + y) + 1) // 2 * (1 if x + y > 0 else -1): int8(byte)
            for (x, y), (_, byte) in zip(pairs, writes, strict=True) if abs(x + y) < 100
        }
        assert all(expected == seen for expected, seen in halved.items())

    simulate(engine, bench, background=[memory.serve, around.serve])
