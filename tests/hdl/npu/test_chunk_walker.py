# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The walk over a COMPUTE's chunks against nested loops, at its pace."""

import random

import pytest

from cimple.hdl.npu.chunk_walker import ChunkWalker


def chunks(fields, port, memory):
    """Address, x, y, row, count and ends of every chunk."""
    found = []
    windows = [(oy, ox) for oy in range(fields["out_height"]) for ox in range(fields["out_width"])]
    for oy, ox in windows:
        first = fields["start"] + oy * fields["row_step"] + ox * fields["step_x"]
        x = fields["origin_x"] + ox * fields["step_x"]
        y = fields["origin_y"] + oy * fields["step_y"]
        row, run, offset = 0, 0, fields["skip"]
        while row < fields["depth"]:
            count = min(port, fields["run_bytes"] - offset, fields["depth"] - row)
            address = (first + run * fields["row_stride"] + offset) % memory
            ends_window = row + count == fields["depth"]
            ends_all = ends_window and (oy, ox) == windows[-1]
            found.append((address, x + offset, y + run, row, count, ends_window, ends_all))
            row, offset = row + count, offset + count
            if offset == fields["run_bytes"]:
                run, offset = run + 1, 0
    return found


@pytest.mark.parametrize("port", [4, 8, 32])
@pytest.mark.parametrize("chance", [0, 0.4])
def test_every_chunk_once(simulate, npu_config, streams, port, chance):
    """Descriptors one right after the other; with no pauses a chunk a cycle, from the second on."""
    config = npu_config({"rows": 40}, activation_port=port, lanes=1)
    walker = ChunkWalker(config)
    source = random.Random(port)
    whole = 0

    async def bench(ctx):
        nonlocal whole
        for _ in range(40):
            run_bytes = source.randint(1, 3 * port)
            fields = {
                "start": source.getrandbits(32), "row_stride": source.randrange(1 << 10),
                "run_bytes": run_bytes, "skip": source.choice([0, source.randrange(run_bytes)]),
                "depth": source.randint(1, 40), "origin_x": source.randint(-50, 50),
                "origin_y": source.randint(-50, 50), "step_x": source.randint(0, 90),
                "step_y": source.randint(0, 5), "row_step": source.getrandbits(32),
                "out_width": source.randint(1, 3), "out_height": source.randint(1, 3),
            }
            expected = chunks(fields, port, config.activation_bytes)
            ctx.set(walker.descriptor, fields)
            ctx.set(walker.start, 1)
            await ctx.tick()
            ctx.set(walker.start, 0)
            assert not ctx.get(walker.valid)
            await ctx.tick()
            for chunk in expected:
                while streams.pause(chance):
                    await ctx.tick()
                assert ctx.get(walker.valid)
                place = ctx.get(walker.place)
                assert (
                    ctx.get(walker.address), ctx.get(walker.x), ctx.get(walker.y), place.row,
                    place.count, place.ends_window, place.ends_all,
                ) == chunk, fields
                ctx.set(walker.advance, 1)
                await ctx.tick()
                ctx.set(walker.advance, 0)
            assert not ctx.get(walker.valid)
            whole += expected[0][4] == port

    simulate(walker, bench)
    assert whole
