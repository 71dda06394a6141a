# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The matrix engine: weights from the weight memory, windows from the activation memory, sums."""

import random
from collections import deque

import numpy as np
import pytest

from cimple.hdl.npu.isa import Descriptor, Opcode
from cimple.hdl.npu.latency import WEIGHT_CYCLES
from cimple.hdl.npu.matrix_engine import MatrixEngine

MACROS = [
    {"rows": 12, "columns": 6, "cell": "lookup"},
    {"rows": 9, "columns": 5, "cell": "bitcell", "banks": 2},
]


def number_of(opcode, fields):
    words = Descriptor(opcode, fields).encode()
    return sum(word << 32 * index for index, word in enumerate(words))


class Surroundings:
    """The weight memory, and random contents of both."""

    def __init__(self, engine, config, source):
        self.engine, self.config = engine, config
        self.weights = source.randbytes(config.weight_bytes)
        self.pixels = source.randbytes(config.activation_bytes)

    async def serve_weights(self, ctx):
        port = self.config.weight_port
        coming = deque([0] * (WEIGHT_CYCLES - 1))
        while True:
            address = (await ctx.tick().sample(self.engine.weight_address))[2]
            word = self.weights[port * address : port * (address + 1)]
            coming.append(int.from_bytes(word, "little"))
            ctx.set(self.engine.weight_data, coming.popleft())

    def matrix(self, address):
        """The macro's weights after a load of all groups from `address` on, (rows, columns)."""
        macro, row_bytes = self.config.macro, self.config.row_words * self.config.weight_port
        taken = self.weights[address : address + macro.rows * row_bytes]
        rows = np.frombuffer(taken, np.int8).reshape(macro.rows, row_bytes)
        return rows[:, : macro.columns].astype(int)

    def vectors(self, count):
        """Windows of `rows` bytes, one byte apart."""
        pixels = np.frombuffer(self.pixels, np.int8).astype(int)
        return np.array([pixels[n : n + self.config.macro.rows] for n in range(count)]) + 128


async def load(ctx, engine, config, address, bank):
    fields = {"address": address, "groups": config.macro.groups, "bank": bank}
    ctx.set(engine.load_descriptor, number_of(Opcode.LOAD_WEIGHTS, fields))
    ctx.set(engine.load_start, 1)
    await ctx.tick()
    ctx.set(engine.load_start, 0)
    await ctx.tick().until(engine.load_done)


async def compute(ctx, engine, config, count, bank):
    """Returns when the macro has taken the last vector."""
    rows = config.macro.rows
    fields = {"row_bytes": 200, "height": 1, "step_x": 1, "run_bytes": rows, "depth": rows,
              "out_width": count, "out_height": 1, "bank": bank}
    ctx.set(engine.compute_descriptor, number_of(Opcode.COMPUTE, fields))
    ctx.set(engine.compute_start, 1)
    taken = 0
    while True:
        _, _, vector, done = await ctx.tick().sample(engine.round_taken, engine.compute_done)
        ctx.set(engine.compute_start, 0)
        taken += vector
        if done:
            assert taken == count
            return


@pytest.mark.parametrize("chance", [0, 0.8])
@pytest.mark.parametrize("macro", MACROS)
def test_sums(simulate, npu_config, streams, readable_bytes, macro, chance):
    """A bank is written, computed with, and written again; outputs may stall."""
    config = npu_config(macro, weight_bytes=1024)
    engine = MatrixEngine(config)
    around = Surroundings(engine, config, random.Random(1))
    memory = readable_bytes(engine.read, around.pixels, 8, chance / 2, seed=1)
    bank = config.macro.banks - 1
    inputs = around.vectors(5)

    async def drive(ctx):
        for address in (0, 16):
            await load(ctx, engine, config, address, bank)
            await compute(ctx, engine, config, 5, bank)

    async def collect(ctx):
        got = await streams.receive(ctx, engine.o[0], 10, chance)
        expected = np.concatenate([inputs @ around.matrix(0), inputs @ around.matrix(16)])
        assert [list(vector) for vector in got] == expected.tolist()

    simulate(engine, drive, collect, background=[around.serve_weights, memory.serve])


def test_one_bank_is_written_while_another_computes(simulate, npu_config, streams, readable_bytes):
    config = npu_config(MACROS[1], weight_bytes=1024)
    engine = MatrixEngine(config)
    around = Surroundings(engine, config, random.Random(2))
    memory = readable_bytes(engine.read, around.pixels, 8, 0, seed=1)
    inputs = around.vectors(12)
    ended = []

    async def load_other(ctx):
        await ctx.tick().until(engine.load_done)  # the first load's
        await ctx.tick()
        await load(ctx, engine, config, 64, 1)
        ended.append("load")

    async def drive(ctx):
        await load(ctx, engine, config, 0, 0)
        await compute(ctx, engine, config, 12, 0)
        ended.append("compute")
        await ctx.tick().repeat(60)
        await compute(ctx, engine, config, 12, 1)

    async def collect(ctx):
        got = await streams.receive(ctx, engine.o[0], 24)
        expected = np.concatenate([inputs @ around.matrix(0), inputs @ around.matrix(64)])
        assert [list(vector) for vector in got] == expected.tolist()

    simulate(engine, drive, load_other, collect, background=[around.serve_weights, memory.serve])
    assert ended == ["load", "compute"]


PACE = [
    ({"rows": 12, "columns": 6, "cell": "bitcell"}, 4),
    ({"rows": 12, "columns": 6, "cell": "bitcell", "storage": "lutram"}, 8),
    ({"rows": 12, "columns": 6}, 8),
    ({"rows": 12, "columns": 30}, 4),
    ({"rows": 30, "columns": 9, "table": "blockram", "banks": 8}, 4),
    ({"rows": 20, "columns": 9, "table": "blockram"}, 4),
    ({"rows": 20, "columns": 9, "table": "blockram"}, 16),
]


@pytest.mark.parametrize(("macro", "port"), PACE)
def test_pace_of_loading(simulate, npu_config, macro, port):
    """A load at rest, the macro itself behind the loader."""
    config = npu_config(macro, weight_bytes=1024, weight_port=port)
    engine = MatrixEngine(config)
    around = Surroundings(engine, config, random.Random(3))
    cycles = []

    async def count(ctx):
        while True:
            await ctx.tick()
            cycles.append(None)

    async def drive(ctx):
        await load(ctx, engine, config, 0, 0)

    simulate(engine, drive, background=[around.serve_weights, count])
    groups = config.macro.groups
    assert groups > 1
    at_first = 2 + WEIGHT_CYCLES + 1 + config.group_words
    assert len(cycles) == at_first + (groups - 1) * config.load_interval
