# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Addresses and positions of pixels and windows against nested loops."""

import random

import pytest

from cimple.hdl.npu.isa import Opcode, layout
from cimple.hdl.npu.walkers import PixelWalker, WindowWalker

#: Width and height: single pixels, rows, columns, and all at once.
EXTENTS = [(1, 1), (5, 1), (1, 4), (3, 4), (7, 2)]


async def walk(ctx, walker, count, outputs, pause):
    """The outputs at every step; `last` must be set at the last one only."""
    ctx.set(walker.start, 1)
    await ctx.tick()
    ctx.set(walker.start, 0)
    steps = []
    for step in range(count):
        while pause():
            await ctx.tick()
        steps.append(tuple(ctx.get(output) for output in outputs))
        assert ctx.get(walker.last) == (step == count - 1)
        if step < count - 1:
            ctx.set(walker.advance, 1)
            await ctx.tick()
            ctx.set(walker.advance, 0)
    return steps


@pytest.mark.parametrize("chance", [0, 0.4])
def test_pixels(simulate, npu_config, streams, chance):
    config = npu_config()
    walker = PixelWalker(config)
    source = random.Random(1)

    async def bench(ctx):
        for width, height in EXTENTS:
            start, pixel, row = (source.randrange(1 << 16) for _ in range(3))
            start %= config.activation_bytes
            for port, value in (
                (walker.first_address, start), (walker.pixel_stride, pixel),
                (walker.row_stride, row), (walker.width, width), (walker.height, height),
            ):
                ctx.set(port, value)
            steps = await walk(
                ctx, walker, width * height, [walker.address], lambda: streams.pause(chance)
            )
            assert steps == [
                ((start + y * row + x * pixel) % config.activation_bytes,)
                for y in range(height) for x in range(width)
            ]

    simulate(walker, bench)


@pytest.mark.parametrize("opcode", [Opcode.COMPUTE, Opcode.MAX_POOL])
def test_windows(simulate, npu_config, streams, opcode):
    config = npu_config()
    walker = WindowWalker(config, layout(opcode))
    source = random.Random(2)

    async def bench(ctx):
        for width, height in EXTENTS * 2:
            fields = {
                "start": source.getrandbits(32),
                "origin_x": source.choice([-32768, 32767, source.randint(-50, 0)]),
                "origin_y": source.choice([-32768, 32767, source.randint(-50, 0)]),
                "step_x": source.choice([16000, source.randrange(100)]),
                "step_y": source.choice([16000, source.randrange(100)]),
                "row_step": source.getrandbits(32),
            }
            ctx.set(walker.descriptor, fields | {"out_width": width, "out_height": height})
            steps = await walk(
                ctx, walker, width * height, [walker.address, walker.x, walker.y],
                lambda: streams.pause(0.2),
            )
            assert steps == [
                (
                    (fields["start"] + oy * fields["row_step"] + ox * fields["step_x"])
                    % config.activation_bytes,
                    fields["origin_x"] + ox * fields["step_x"],
                    fields["origin_y"] + oy * fields["step_y"],
                )
                for oy in range(height) for ox in range(width)
            ]

    simulate(walker, bench)


def test_start_begins_anew_wherever_the_walk_is(simulate, npu_config):
    config = npu_config()
    walker = PixelWalker(config)

    async def bench(ctx):
        for port, value in ((walker.width, 3), (walker.height, 2), (walker.pixel_stride, 1)):
            ctx.set(port, value)
        for steps in range(6):
            ctx.set(walker.advance, 1)
            await ctx.tick().repeat(steps + 1)
            ctx.set(walker.first_address, 40 + steps)
            ctx.set(walker.start, 1)
            await ctx.tick()
            ctx.set(walker.start, 0)
            assert ctx.get(walker.address) == 40 + steps
            assert not ctx.get(walker.last)

    simulate(walker, bench)
