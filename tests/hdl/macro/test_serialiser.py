# SPDX-License-Identifier: Apache-2.0
"""Vectors and read requests become steps, in order, with the right operands and tags."""

import random

import pytest

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.serialisers import PlaneSerialiser, RowSerialiser, serialiser
from cimple.hdl.packing import pack, unpack

READ = {"negative": 0, "opens": 1, "closes": 1, "reads": 1, "fused": 0, "last": 1}


def numbers(config, vector):
    """What the words of a vector stand for."""
    bits = vector["top_plane"] + 1
    values = [word % (1 << bits) for word in vector["data"]]
    # Bits that a word does not have are zero, the sign's too.
    return [
        value - (1 << bits) if vector["signed"] and value >> bits - 1 else value
        for value in values
    ]


def tag_of(config, vector, **fields):
    alone = config.accumulations == 1
    return {
        "opens": int(alone or vector["first"]),
        "closes": int(alone or vector["last"]),
        "reads": 0,
        "fused": vector["fused"],
    } | fields


def plane_steps(config, vector):
    """Operand and tag of each step of a vector, the most significant first."""
    size = config.bits_per_cycle
    values, top = numbers(config, vector), vector["top_plane"] // size
    first = top
    if config.skip_zero_planes:
        used = [word % (2 << vector["top_plane"]) for word in vector["data"]]
        while first and not any(word >> first * size for word in used):
            first -= 1
    for step in range(first, -1, -1):
        # Beyond the top plane a value goes on with its sign.
        operand = [
            sum((value >> step * size + plane & 1) << row for row, value in enumerate(values))
            for plane in range(size)
        ]
        negative = int(bool(vector["signed"]) and step == top)
        yield operand, tag_of(config, vector, negative=negative, last=int(step == 0))


def row_steps(config, vector):
    values = numbers(config, vector)
    for row in range(config.rows - 1, -1, -1):
        operand = {"value": values[row], "row": row}
        yield operand, tag_of(config, vector, negative=0, last=int(row == 0))


def read_step(config, row):
    if config.cell is Cell.NEAR:
        return {"value": int(row < config.rows), "row": row}, READ
    bits = 1 << row if row < config.rows else 0
    return [bits, *[0] * (config.bits_per_cycle - 1)], READ


def random_vector(config, source, **fields):
    # Leading planes of zeros are what skipping is about.
    bits = source.randint(0, config.input_bits)
    return {
        "data": [source.getrandbits(bits) if bits else 0 for _ in range(config.rows)],
        "top_plane": source.randrange(1 << config.plane_bits),
        "signed": source.getrandbits(1),
        "bank": source.getrandbits(config.bank_bits),
        "first": source.getrandbits(1),
        "last": source.getrandbits(1),
        "fused": source.randrange(config.fusion),
    } | fields


@pytest.mark.parametrize(
    "fields",
    [
        {"input_bits": 1},
        {"input_bits": 5, "banks": 2, "rows": 19},
        {"input_bits": 8, "banks": 4, "accumulations": 3},
        {"input_bits": 16, "accumulations": 2, "fusion": 4, "weight_bits": 4},
        {"input_bits": 5, "bits_per_cycle": 2, "banks": 2},
        {"input_bits": 6, "bits_per_cycle": 4, "rows": 11},
        {"input_bits": 16, "bits_per_cycle": 4, "fusion": 2},
        {"input_bits": 8, "bits_per_cycle": 8},
        {"input_bits": 12, "bits_per_cycle": 8},
        {"input_bits": 16, "bits_per_cycle": 16},
        {"input_bits": 1, "skip_zero_planes": True},
        {"input_bits": 7, "skip_zero_planes": True, "accumulations": 2},
        {"input_bits": 11, "skip_zero_planes": True, "bits_per_cycle": 2},
        {"input_bits": 16, "skip_zero_planes": True, "bits_per_cycle": 8},
        {"cell": Cell.NEAR, "input_bits": 1, "banks": 2},
        {"cell": Cell.NEAR, "input_bits": 6, "accumulations": 2},
        {"cell": Cell.NEAR, "input_bits": 16, "rows": 1},
    ],
)
def test_steps_and_tags(simulate, fields):
    config = MacroConfig(**({"rows": 5, "columns": 4, "cell": Cell.BITCELL} | fields))
    steps_of = row_steps if config.cell is Cell.NEAR else plane_steps
    dut = serialiser(config)
    assert type(dut) is (RowSerialiser if config.cell is Cell.NEAR else PlaneSerialiser)
    source = random.Random(repr(fields))
    vectors = [random_vector(config, source) for _ in range(24)]
    vectors[-1]["last"] = 1
    requests = [
        {"row": source.getrandbits(config.row_bits), "bank": source.getrandbits(config.bank_bits)}
        for _ in range(12)
    ]
    expected, seen, saved = [], [], []

    def offer(ctx, stream, layout, payloads):
        """Present the next payload now and then, and keep it until it is taken."""
        if payloads and (ctx.get(stream.valid) or source.random() < 0.7):
            ctx.set(stream.payload.as_value(), pack(layout, payloads[0]))
            ctx.set(stream.valid, 1)
        else:
            ctx.set(stream.valid, 0)

    def step(ctx):
        operand = unpack(config.operand_layout, ctx.get(dut.operand.as_value()))
        tag = unpack(dut.tag.shape(), ctx.get(dut.tag.as_value()))
        return operand, ctx.get(dut.bank), tag

    def expect(steps, bank):
        for operand, tag in steps:
            expected.append((operand, bank if config.banks > 1 else 0, tag | {"valid": 1}))

    async def bench(ctx):
        accumulating = False
        while vectors or requests or ctx.get(dut.tag.valid):
            offer(ctx, dut.i, config.input_layout, vectors)
            offer(ctx, dut.read_request, config.read_request_layout, requests)
            enable = source.random() < 0.8
            ctx.set(dut.enable, enable)
            before = step(ctx)
            took_vector = ctx.get(dut.i.valid & dut.i.ready)
            took_request = ctx.get(dut.read_request.valid & dut.read_request.ready)
            assert not took_vector or not took_request
            await ctx.tick()
            if not enable:
                assert not took_vector
                assert not took_request
                assert step(ctx) == before
                continue
            if ctx.get(dut.tag.valid):
                seen.append(step(ctx))
            if took_vector:
                vector = vectors.pop(0)
                ctx.set(dut.i.valid, 0)
                steps = list(steps_of(config, vector))
                expect(steps, vector["bank"])
                saved.append(config.steps(vector["top_plane"] + 1) - len(steps))
                accumulating = config.accumulations > 1 and not vector["last"]
            if took_request:
                assert not accumulating, "a read between the vectors of one sum"
                request = requests.pop(0)
                expect([read_step(config, request["row"])], request["bank"])
                ctx.set(dut.read_request.valid, 0)
        assert ctx.get(dut.skipped) == sum(saved)

    simulate(dut, bench)
    assert seen == expected
    assert sum(tag["reads"] for _, _, tag in seen) == 12
    assert any(saved) is config.skip_zero_planes


def test_hold_keeps_one_bank_from_beginning(simulate):
    config = MacroConfig(rows=2, columns=1, cell=Cell.BITCELL, banks=2)
    dut = serialiser(config)
    source = random.Random(1)

    def vector(bank):
        fields = random_vector(config, source, bank=bank, top_plane=3)
        return pack(config.input_layout, fields)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.hold, 1)
        ctx.set(dut.hold_bank, 1)
        ctx.set(dut.write_bank, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload.as_value(), vector(bank=1))
        await ctx.tick().repeat(5)
        assert not ctx.get(dut.tag.valid)
        assert not ctx.get(dut.in_use)
        assert ctx.get(dut.waits)
        # The other bank may, and one that has begun goes on whatever is held.
        ctx.set(dut.i.payload.as_value(), vector(bank=0))
        assert not ctx.get(dut.waits)
        await ctx.tick()
        ctx.set(dut.hold_bank, 0)
        ctx.set(dut.write_bank, 0)
        for _ in range(3):
            assert ctx.get(dut.tag.valid)
            assert ctx.get(dut.in_use)
            await ctx.tick()
        assert ctx.get(dut.tag.last)
        assert ctx.get(dut.in_use), "the last plane meets the weights in this cycle"
        await ctx.tick()
        assert not ctx.get(dut.in_use)
        # Reads are held as vectors are.
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.read_request.valid, 1)
        assert ctx.get(dut.waits)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.tag.valid)
        ctx.set(dut.hold, 0)
        assert ctx.get(dut.in_use), "a read that begins now will meet the weights"
        await ctx.tick()
        ctx.set(dut.read_request.valid, 0)
        assert not ctx.get(dut.tag.valid)
        assert ctx.get(dut.in_use), "the row that was asked for meets the weights next"
        await ctx.tick()
        assert ctx.get(dut.tag.reads)
        assert ctx.get(dut.in_use)
        await ctx.tick()
        assert not ctx.get(dut.in_use)

    simulate(dut, bench)


def test_vectors_and_reads_take_turns(simulate):
    config = MacroConfig(rows=2, columns=1, cell=Cell.BITCELL, input_bits=2)
    dut = serialiser(config)
    turns = []

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        fields = random_vector(config, random.Random(2), top_plane=1)
        ctx.set(dut.i.payload.as_value(), pack(config.input_layout, fields))
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.read_request.valid, 1)
        # Two steps of a vector, a request, the row.
        for _ in range(40):
            await ctx.tick()
            if ctx.get(dut.tag.valid) and ctx.get(dut.tag.last):
                turns.append(ctx.get(dut.tag.reads))

    simulate(dut, bench)
    assert turns in ([1, 0] * 10, [0, 1] * 10)
