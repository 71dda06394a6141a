# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The window feeder against the windows' definition, byte by byte."""

import random
from itertools import pairwise

import pytest

from cimple.hdl.npu.isa import FIELDS, Opcode
from cimple.hdl.npu.latency import READ_CYCLES, slide, window_runs
from cimple.hdl.npu.window_feeder import WindowFeeder


def window(fields, content, oy, ox, rows):
    """One vector: runs of consecutive bytes, from `skip` on; the zero point beyond the image."""
    y = fields["origin_y"] + oy * fields["step_y"]
    x = fields["origin_x"] + ox * fields["step_x"]
    first = fields["start"] + oy * fields["row_step"] + ox * fields["step_x"]
    vector = []
    for tap in range(fields["skip"], fields["skip"] + fields["depth"]):
        row, offset = divmod(tap, fields["run_bytes"])
        inside = 0 <= y + row < fields["height"] and 0 <= x + offset < fields["row_bytes"]
        address = (first + row * fields["row_stride"] + offset) % (1 << 32)
        byte = content[address] if inside else fields["zero_point"] & 0xFF
        vector.append(byte ^ 0x80)
    return vector + [0] * (rows - len(vector))


def windows(fields, content, rows):
    return [
        window(fields, content, oy, ox, rows)
        for oy in range(fields["out_height"]) for ox in range(fields["out_width"])
    ]


def chunks(fields, lanes):
    """Reads a window takes: of each run, as many as its bytes need."""
    count, offset, left = 0, fields["skip"], fields["depth"]
    while left:
        run = min(left, fields["run_bytes"] - offset)
        count += -(-run // lanes)
        left -= run
        offset = 0
    return count


def random_fields(source, config):
    """A legal COMPUTE over an image somewhere in the memory, padded on all sides."""
    # Windows slide where a pixel is as wide as the port.
    port = config.activation_port
    pixel = source.choice([source.randint(1, 9), port, port])
    width, height = source.randint(1, 7), source.randint(1, 6)
    row_bytes = pixel * width
    row_stride = row_bytes + source.choice([0, 0, source.randint(0, 9)])
    height = min(height, config.activation_bytes // row_stride)
    base = source.randrange(config.activation_bytes - row_stride * height + 1)
    kernel = source.randint(1, 4)
    run_bytes = pixel * kernel
    pad_y, pad_x = source.randint(0, 4), source.randint(0, 4)
    skip = source.choice([0, source.randrange(run_bytes)])
    first_row = source.choice([0, 0, source.randint(0, 2)])
    step_x, step_y = pixel * source.randint(1, 3), source.randint(1, 3)
    return {
        "start": (base + (first_row - pad_y) * row_stride - pad_x * pixel) % (1 << 32),
        "row_stride": row_stride, "row_bytes": row_bytes,
        "origin_x": -pad_x * pixel, "origin_y": first_row - pad_y, "height": height,
        "step_x": step_x, "step_y": step_y, "row_step": step_y * row_stride,
        "run_bytes": run_bytes, "skip": skip,
        "out_width": source.randint(1, 4), "out_height": source.randint(1, 3),
        "depth": source.choice([config.macro.rows, source.randint(1, config.macro.rows)]),
        "zero_point": source.randint(-128, 127),
    }


async def start(ctx, feeder, fields):
    """The descriptor, and in the same cycle `start`."""
    unused = {field.name for field in FIELDS[Opcode.COMPUTE]} - set(fields)
    ctx.set(feeder.descriptor, fields | dict.fromkeys(unused, 0))
    ctx.set(feeder.start, 1)
    await ctx.tick()
    ctx.set(feeder.start, 0)


async def collect(ctx, feeder, count, streams, chance):
    """The vectors; `done` must come with the last one's transfer and not before."""
    vectors, offered = [], None
    while len(vectors) < count:
        ready = not streams.pause(chance)
        ctx.set(feeder.o.ready, ready)
        _, _, valid, payload, done = await ctx.tick().sample(
            feeder.o.valid, feeder.o.payload, feeder.done
        )
        assert offered is None or (valid and payload == offered)
        offered = payload if valid and not ready else None
        if valid and ready:
            vectors.append(list(payload.windows[0]))
        assert done == (valid and ready and len(vectors) == count)
    return vectors


@pytest.mark.parametrize(
    ("lanes", "rows"),
    [*((lanes, rows) for lanes in (4, 8) for rows in (1, 2, 3, 9, 37)),
     (16, 2), (16, 3), (16, 20), (32, 2), (32, 9), (32, 37)],
)
def test_random_windows(simulate, npu_config, streams, readable_bytes, lanes, rows):
    """Descriptors one right after the other, memory and macro stalling."""
    config = npu_config({"rows": rows}, activation_port=lanes, lanes=1)
    feeder = WindowFeeder(config)
    source = random.Random(100 * lanes + rows)
    content = source.randbytes(config.activation_bytes)
    memory = readable_bytes(feeder.read, content, lanes, 0.2, seed=1)

    async def bench(ctx):
        for round_ in range(10):
            fields = random_fields(source, config)
            expected = windows(fields, content, rows)
            await start(ctx, feeder, fields)
            chance = (0, 0.3, 0.9)[round_ % 3]
            assert await collect(ctx, feeder, len(expected), streams, chance) == expected, fields

    simulate(feeder, bench, background=[memory.serve])


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_every_alignment_of_a_run(simulate, npu_config, streams, readable_bytes, lanes):
    """Addresses, rows of the vector and lengths of runs, all modulo the port."""
    config = npu_config({"rows": 35}, activation_port=lanes, lanes=1)
    feeder = WindowFeeder(config)
    content = random.Random(lanes).randbytes(config.activation_bytes)
    memory = readable_bytes(feeder.read, content, lanes, 0, seed=1)
    seen = set()

    async def bench(ctx):
        for run_bytes in range(1, lanes + 2, 1 if lanes < 16 else 4):
            fields = {
                "start": 3, "row_stride": run_bytes + 1, "row_bytes": 200, "height": 200,
                "run_bytes": run_bytes, "depth": min(35, 2 * lanes + 3), "out_width": lanes,
                "out_height": 1, "step_x": 1, "zero_point": 7,
            }
            expected = windows(fields | {
                "origin_x": 0, "origin_y": 0, "step_y": 0, "row_step": 0, "skip": 0,
            }, content, 35)
            await start(ctx, feeder, fields)
            assert await collect(ctx, feeder, lanes, streams, 0) == expected
            seen.update((address % lanes, run_bytes) for _, address in memory.log)

    simulate(feeder, bench, background=[memory.serve])
    assert {alignment for alignment, _ in seen} == set(range(lanes))


def test_windows_outside_the_image_are_all_padding(simulate, npu_config, streams, readable_bytes):
    """Beyond each of the four sides, near and as far as a descriptor can place them."""
    config = npu_config({"rows": 10})
    feeder = WindowFeeder(config)
    memory = readable_bytes(feeder.read, bytes(512), 8, 0.2, seed=1)
    places = [(-5, 0), (8, 0), (0, -3), (0, 4), (-32768, 0), (32767, 0), (0, -32768), (0, 32767)]

    async def bench(ctx):
        for x, y in places:
            fields = {
                "row_stride": 8, "row_bytes": 8, "height": 4, "origin_x": x, "origin_y": y,
                "run_bytes": 5, "depth": 10, "out_width": 1, "out_height": 1, "zero_point": -77,
            }
            await start(ctx, feeder, fields)
            expected = [[(-77 & 0xFF) ^ 0x80] * 10]
            assert await collect(ctx, feeder, 1, streams, 0) == expected, (x, y)

    simulate(feeder, bench, background=[memory.serve])


@pytest.mark.parametrize("split", [0, 1, 2])
def test_several_macros(simulate, npu_config, streams, readable_bytes, split):
    """Windows go to neighbouring macros in turn; only the last round may lack some."""
    config = npu_config({"rows": 9, "columns": 4}, macros=4)
    feeder = WindowFeeder(config)
    source = random.Random(split)
    content = source.randbytes(config.activation_bytes)
    memory = readable_bytes(feeder.read, content, 8, 0.2, seed=1)
    at_once = 1 << split

    async def bench(ctx):
        for turn in range(12):
            fields = random_fields(source, config) | {"split": split}
            expected = windows(fields, content, 9)
            await start(ctx, feeder, fields)
            done = False
            for first in range(0, len(expected), at_once):
                round_ = expected[first : first + at_once]
                while streams.pause((0, 0.3, 0.9)[turn % 3]):
                    await ctx.tick()
                ctx.set(feeder.o.ready, 1)
                payload, done = await ctx.tick().sample(
                    feeder.o.payload, feeder.done
                ).until(feeder.o.valid)
                ctx.set(feeder.o.ready, 0)
                for window, expected_bytes in enumerate(round_):
                    for macro in config.macros_of(window, split):
                        assert list(payload.windows[macro]) == expected_bytes, fields
                assert done == (first + at_once >= len(expected))

    simulate(feeder, bench, background=[memory.serve])


def slides_in(fields, config):
    """Whether windows keep bytes of those before them."""
    runs = window_runs(fields["depth"], fields["skip"], fields["run_bytes"])
    return slide(fields["step_x"], runs, config.activation_port) > 0


def leading(vectors):
    """The highest plane in which any byte has a one; 0 if none has."""
    return max(0, max(byte for vector in vectors for byte in vector).bit_length() - 1)


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize(("macros", "split"), [(1, 0), (4, 0), (4, 1), (4, 2)])
def test_planes_to_skip(
    simulate, npu_config, streams, readable_bytes, macros, split, skips
):
    """The first plane of a round is that of its windows alone, padding included.

    Where windows slide it is that of all since a round began with a row.
    """
    config = npu_config(
        {"rows": 21, "columns": 4, "skip_zero_planes": skips}, macros=macros, lanes=1,
        activation_port=4,
    )
    feeder = WindowFeeder(config)
    source = random.Random(split)
    # Stretches of bytes that have so many planes; -128 has none.
    content = bytes(
        source.randrange(1 << planes) ^ 0x80
        for planes in range(1, 9) for _ in range(64)
    )
    memory = readable_bytes(feeder.read, content, 4, 0.2, seed=1)
    seen, went_on = {0: set(), 1: set()}, set()

    async def bench(ctx):
        for turn in range(60):
            asks = turn % 4 > 0
            fields = random_fields(source, config) | {
                "split": split, "skip_zero_planes": asks, "zero_point": -128 + turn % 3 % 2,
            }
            expected = windows(fields, content, 21)
            await start(ctx, feeder, fields)
            slides, since = slides_in(fields, config), 0
            for first in range(0, len(expected), 1 << split):
                if not slides or first % fields["out_width"] == 0:
                    since = first
                while streams.pause((0, 0.3, 0.9)[turn % 3]):
                    await ctx.tick()
                ctx.set(feeder.o.ready, 1)
                (payload,) = await ctx.tick().sample(feeder.o.payload).until(feeder.o.valid)
                ctx.set(feeder.o.ready, 0)
                top_plane = payload.top_plane
                found = leading(expected[since : first + (1 << split)])
                assert top_plane == (found if asks and skips else 7), fields
                seen[asks].add(top_plane)
                went_on.add(slides and since < first)

    simulate(feeder, bench, background=[memory.serve])
    assert went_on == {False, True}
    assert seen == {0: {7}, 1: set(range(8)) if skips else {7}}


def test_kernel_of_many_rows(simulate, npu_config, streams, readable_bytes):
    """One byte of each of more than 256 image rows, the last ones padding."""
    config = npu_config(
        {"rows": 300, "columns": 1}, lanes=1, activation_port=4, activation_bytes=1024
    )
    feeder = WindowFeeder(config)
    content = random.Random(5).randbytes(1024)
    memory = readable_bytes(feeder.read, content, 4, 0, seed=1)
    fields = {
        "start": 0, "row_stride": 3, "row_bytes": 3, "height": 280, "origin_x": 0, "origin_y": 0,
        "step_x": 1, "step_y": 0, "row_step": 0, "run_bytes": 1, "skip": 0, "out_width": 3,
        "out_height": 1, "depth": 300, "zero_point": 0,
    }

    async def bench(ctx):
        await start(ctx, feeder, fields)
        assert await collect(ctx, feeder, 3, streams, 0) == windows(fields, content, 300)

    simulate(feeder, bench, background=[memory.serve])


@pytest.mark.parametrize("at_once", [1, 2, 4])
@pytest.mark.parametrize(("depth", "run_bytes"), [(4, 4), (8, 8), (16, 16), (30, 10), (37, 37)])
def test_latency_and_throughput(simulate, npu_config, readable_bytes, depth, run_bytes, at_once):
    """Before slots that have each vector for 8 cycles, and tell a cycle later that they do."""
    config = npu_config({"rows": 37}, activation_port=4, lanes=1, macros=at_once)
    feeder = WindowFeeder(config)
    memory = readable_bytes(feeder.read, bytes(512), 4, 0, seed=1)
    fields = {
        "row_stride": 40, "row_bytes": 40, "height": 8, "run_bytes": run_bytes, "depth": depth,
        "out_width": 6 * at_once, "out_height": 1, "split": config.most_split,
    }
    each = chunks(fields | {"skip": 0}, 4)
    per_round = at_once * each
    first_valid, loaded = [], []

    async def bench(ctx):
        ctx.set(feeder.descriptor, fields)
        ctx.set(feeder.start, 1)
        has = False
        for cycle in range(400):
            valid = ctx.get(feeder.o.valid)
            if valid and not first_valid:
                first_valid.append(cycle)
            ctx.set(feeder.o.ready, has)
            has = valid and not has and (not loaded or cycle - loaded[-1] >= 8)
            if has:
                loaded.append(cycle)
            await ctx.tick()
            ctx.set(feeder.start, 0)

    simulate(feeder, bench, background=[memory.serve])
    assert first_valid == [READ_CYCLES + 5 + per_round]
    assert [after - before for before, after in pairwise(loaded)] == [
        max(per_round + max(0, 3 - each), config.macro.input_bits)
    ] * 5
