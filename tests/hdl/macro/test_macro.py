# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The macro in Amaranth's simulator, where its columns are submodules, against the model.

The thorough test is that of the generated Verilog; this one tells a fault of the generator from one
of the design.
"""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.macro import Macro
from cimple.hdl.packing import pack, unpack
from cimple.verif.golden.macro import MacroModel

SHAPES = [
    {"rows": 1, "columns": 1, "weight_bits": 4, "input_bits": 1},
    {"rows": 5, "columns": 3, "input_bits": 5, "accumulations": 3},
    {"rows": 18, "columns": 6, "pipeline": 2, "banks": 2, "input_bits": 11},
]


async def send(ctx, stream, layout, value):
    """Put one payload and wait until it is taken; the number of cycles it was valid."""
    ctx.set(stream.payload.as_value(), pack(layout, value))
    ctx.set(stream.valid, 1)
    cycles, taken = 0, False
    while not taken:
        taken = ctx.get(stream.ready)
        await ctx.tick()
        cycles += 1
    ctx.set(stream.valid, 0)
    return cycles


async def receive(ctx, stream, layout):
    ctx.set(stream.ready, 1)
    payload, = await ctx.tick().sample(stream.payload.as_value()).until(stream.valid)
    ctx.set(stream.ready, 0)
    return unpack(layout, payload)


@pytest.mark.parametrize("cell", list(Cell))
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape['rows']}x{shape['columns']}")
def test_writes_vectors_and_reads(simulate, cell, shape):
    config = MacroConfig(cell=cell, **shape)
    dut, model = Macro(config), MacroModel(config)
    random = np.random.default_rng(config.rows)
    limit = 1 << config.weight_bits - 1
    checked = []

    async def write(ctx, group, bank):
        size = (config.rows_per_group, config.columns)
        weights = random.integers(-limit, limit, size)
        value = {"weights": weights.tolist(), "group": group, "bank": bank}
        assert await send(ctx, dut.w, config.write_layout, value) == config.write_cycles
        model.write(**value)

    async def accumulate(ctx):
        length, expected = int(random.integers(1, config.accumulations, endpoint=True)), None
        for index in range(length):
            vector = {
                "data": random.integers(0, 1 << config.input_bits, config.rows).tolist(),
                "top_plane": int(random.integers(1 << config.plane_bits)),
                "signed": int(random.integers(2)),
                "bank": int(random.integers(1 << config.bank_bits)),
                "first": int(index == 0),
                "last": int(index == length - 1),
            }
            await send(ctx, dut.i, config.input_layout, vector)
            expected = model.vector(**vector)
        assert expected is not None
        assert await receive(ctx, dut.o, config.output_layout) == expected.tolist()
        checked.append(expected)

    async def bench(ctx):
        for bank in range(config.banks):
            for group in range(config.groups):
                await write(ctx, group, bank)
        for _ in range(30):
            await accumulate(ctx)
        for row in range(1 << config.row_bits):
            request = {"row": row, "bank": int(random.integers(1 << config.bank_bits))}
            await send(ctx, dut.read_request, config.read_request_layout, request)
            weights = await receive(ctx, dut.read_data, config.read_data_layout)
            assert weights == model.read(**request).tolist()

    simulate(dut, bench)
    assert np.any(checked)


def test_reset_keeps_the_weights(simulate):
    config = MacroConfig(rows=3, columns=2, cell=Cell.BITCELL)
    dut, reset = Macro(config), Signal()
    vector = {"data": [1, 1, 1], "top_plane": 7, "signed": 0, "bank": 0, "first": 1, "last": 1}

    async def bench(ctx):
        value = {"weights": [[5, -6]], "group": 1, "bank": 0}
        await send(ctx, dut.w, config.write_layout, value)
        ctx.set(dut.i.payload.as_value(), pack(config.input_layout, vector))
        ctx.set(dut.i.valid, 1)
        await ctx.tick().repeat(3)
        ctx.set(dut.i.valid, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        for _ in range(2 * config.vector_latency(8)):
            assert not ctx.get(dut.o.valid), "what was under way must be dropped"
            await ctx.tick()
        await send(ctx, dut.i, config.input_layout, vector)
        assert await receive(ctx, dut.o, config.output_layout) == [5, -6]

    simulate(ResetInserter(reset)(dut), bench)
