# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The walk over a COMPUTE's chunks against nested loops, at its pace."""

import random

import pytest

from cimple.hdl.npu.chunk_walker import ChunkWalker
from cimple.hdl.npu.latency import slide, window_runs


def chunks(fields, port, memory):
    """Address, x, y, row, count, moves and ends of every chunk."""
    found = []
    windows = [(oy, ox) for oy in range(fields["out_height"]) for ox in range(fields["out_width"])]
    for oy, ox in windows:
        first = fields["start"] + oy * fields["row_step"] + ox * fields["step_x"]
        x = fields["origin_x"] + ox * fields["step_x"]
        y = fields["origin_y"] + oy * fields["step_y"]
        runs = window_runs(fields["depth"], fields["skip"], fields["run_bytes"])
        step = slide(fields["step_x"], runs, port)
        moves = step // port if ox else 0
        row, offset = 0, fields["skip"]
        for run, length in enumerate(runs):
            kept = max(0, length - step) if step and ox else 0
            for place in range(kept, length, port):
                count = min(port, length - place)
                address = (first + run * fields["row_stride"] + offset + place) % memory
                ends_window = row + length == fields["depth"] and place + count == length
                found.append((
                    address, x + offset + place, y + run, row + place + max(0, moves - 1) * port,
                    count, moves > 0, bool(step) and ox + 1 < fields["out_width"],
                    ends_window, ends_window and (oy, ox) == windows[-1],
                ))
                moves = max(0, moves - 1)
            row, offset = row + length, 0
    return found


def in_windows(found):
    """The chunks of each window."""
    windows = [[]]
    for chunk in found:
        windows[-1].append(chunk)
        if chunk[-2]:
            windows.append([])
    return windows[:-1]


@pytest.mark.parametrize("port", [4, 8, 32])
@pytest.mark.parametrize("chance", [0, 0.4])
def test_every_chunk_once(simulate, npu_config, streams, port, chance):
    """Descriptors one right after the other; with no pauses a chunk a cycle, from the second on."""
    config = npu_config(
        {"rows": 40, "skip_zero_planes": True}, activation_port=port, lanes=1
    )
    walker = ChunkWalker(config)
    source = random.Random(port)
    whole, moves = 0, set()

    async def bench(ctx):
        nonlocal whole
        for _ in range(100):
            run_bytes = source.randint(1, source.choice([3 * port, 3 * port, 300]))
            step = source.choice([0, source.randint(0, 90), port, 2 * port, 3 * port])
            fields = {
                "start": source.getrandbits(32), "row_stride": source.randrange(1 << 10),
                "run_bytes": run_bytes,
                "skip": source.choice([0, source.randrange(run_bytes), max(0, run_bytes - 9)]),
                "depth": source.randint(1, 40), "origin_x": source.randint(-50, 50),
                "origin_y": source.randint(-50, 50), "step_x": step,
                "step_y": source.randint(0, 5), "row_step": source.getrandbits(32),
                "out_width": source.randint(1, 4), "out_height": source.randint(1, 3),
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
                    place.count, place.moves, place.next_slides, place.ends_window, place.ends_all,
                ) == chunk, fields
                ctx.set(walker.advance, 1)
                await ctx.tick()
                ctx.set(walker.advance, 0)
            assert not ctx.get(walker.valid)
            whole += expected[0][4] == port
            moves.update(sum(chunk[5] for chunk in window) for window in in_windows(expected))

    simulate(walker, bench)
    assert whole
    assert moves >= ({0, 1, 2} if port == 4 else {0, 1})
