# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Vectors and read requests become planes, in order, with the right tags."""

import random

import pytest

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.serialiser import Serialiser
from cimple.hdl.packing import pack

TAGS = ("first", "last", "negative", "opens", "closes", "reads")


def planes_of(config, vector):
    """Plane bits, bank and tag of each plane of a vector, the most significant first."""
    top = vector["top_plane"]
    alone = config.accumulations == 1
    for plane in range(top, -1, -1):
        tag = {
            "first": int(plane == top),
            "last": int(plane == 0),
            "negative": int(plane == top and vector["signed"]),
            "opens": int(alone or vector["first"]),
            "closes": int(alone or vector["last"]),
            "reads": 0,
        }
        bits = sum((word >> plane & 1) << row for row, word in enumerate(vector["data"]))
        yield bits, vector["bank"] if config.banks > 1 else 0, tag


def read_plane(config, request):
    tag = {"first": 1, "last": 1, "negative": 0, "opens": 1, "closes": 1, "reads": 1}
    row = request["row"]
    bits = 1 << row if row < config.rows else 0
    return bits, request["bank"] if config.banks > 1 else 0, tag


def random_vector(config, source, **fields):
    return {
        "data": [source.getrandbits(config.input_bits) for _ in range(config.rows)],
        "top_plane": source.randrange(1 << config.plane_bits),
        "signed": source.getrandbits(1),
        "bank": source.getrandbits(config.bank_bits),
        "first": source.getrandbits(1),
        "last": source.getrandbits(1),
    } | fields


@pytest.mark.parametrize(
    ("input_bits", "banks", "accumulations"), [(1, 1, 1), (5, 2, 1), (8, 4, 3), (16, 1, 2)]
)
def test_planes_and_tags(simulate, input_bits, banks, accumulations):
    config = MacroConfig(
        rows=5, columns=1, input_bits=input_bits, cell=Cell.BITCELL, banks=banks,
        accumulations=accumulations,
    )
    dut = Serialiser(config)
    source = random.Random(input_bits)
    vectors = [random_vector(config, source) for _ in range(40)]
    vectors[-1]["last"] = 1
    requests = [
        {"row": source.getrandbits(config.row_bits), "bank": source.getrandbits(config.bank_bits)}
        for _ in range(20)
    ]
    expected, seen = [], []

    async def offer(ctx, stream, layout, payloads):
        """Present the next payload now and then, and keep it until it is taken."""
        if payloads and (ctx.get(stream.valid) or source.random() < 0.7):
            ctx.set(stream.payload.as_value(), pack(layout, payloads[0]))
            ctx.set(stream.valid, 1)
        else:
            ctx.set(stream.valid, 0)

    async def bench(ctx):
        accumulating = False
        while vectors or requests or ctx.get(dut.tag.valid):
            await offer(ctx, dut.i, config.input_layout, vectors)
            await offer(ctx, dut.read_request, config.read_request_layout, requests)
            enable = source.random() < 0.8
            ctx.set(dut.enable, enable)
            before = ctx.get(dut.plane_bits), ctx.get(dut.tag.as_value())
            took_vector = ctx.get(dut.i.valid & dut.i.ready)
            took_request = ctx.get(dut.read_request.valid & dut.read_request.ready)
            assert not took_vector or not took_request
            await ctx.tick()
            if not enable:
                assert not took_vector
                assert not took_request
                assert (ctx.get(dut.plane_bits), ctx.get(dut.tag.as_value())) == before
                continue
            if ctx.get(dut.tag.valid):
                tag = {name: ctx.get(dut.tag[name]) for name in TAGS}
                seen.append((ctx.get(dut.plane_bits), ctx.get(dut.bank), tag))
            if took_vector:
                vector = vectors.pop(0)
                ctx.set(dut.i.valid, 0)
                expected.extend(planes_of(config, vector))
                accumulating = accumulations > 1 and not vector["last"]
            if took_request:
                assert not accumulating, "a read between the vectors of one sum"
                expected.append(read_plane(config, requests.pop(0)))
                ctx.set(dut.read_request.valid, 0)

    simulate(dut, bench)
    assert seen == expected
    assert sum(tag["reads"] for _, _, tag in seen) == 20


def test_hold_keeps_one_bank_from_beginning(simulate):
    config = MacroConfig(rows=2, columns=1, cell=Cell.BITCELL, banks=2)
    dut = Serialiser(config)
    source = random.Random(1)

    def vector(bank):
        fields = random_vector(config, source, bank=bank, top_plane=3)
        return pack(config.input_layout, fields)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.hold, 1)
        ctx.set(dut.hold_bank, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload.as_value(), vector(bank=1))
        await ctx.tick().repeat(5)
        assert not ctx.get(dut.tag.valid)
        assert not ctx.get(dut.in_use)
        # The other bank may, and one that has begun goes on whatever is held.
        ctx.set(dut.i.payload.as_value(), vector(bank=0))
        await ctx.tick()
        ctx.set(dut.hold_bank, 0)
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
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.tag.valid)
        ctx.set(dut.hold, 0)
        await ctx.tick()
        assert ctx.get(dut.tag.reads)

    simulate(dut, bench)


def test_vectors_and_reads_take_turns(simulate):
    config = MacroConfig(rows=2, columns=1, cell=Cell.BITCELL, input_bits=2)
    dut = Serialiser(config)
    turns = []

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        fields = random_vector(config, random.Random(2), top_plane=1)
        ctx.set(dut.i.payload.as_value(), pack(config.input_layout, fields))
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.read_request.valid, 1)
        for _ in range(30):
            await ctx.tick()
            if ctx.get(dut.tag.last):
                turns.append(ctx.get(dut.tag.reads))

    simulate(dut, bench)
    assert turns in ([1, 0] * 10, [0, 1] * 10)
