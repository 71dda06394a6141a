# SPDX-License-Identifier: Apache-2.0
"""The macro in Amaranth's simulator, where its columns are submodules, against the model.

The thorough test is that of the generated Verilog; this one tells a fault of the generator from one
of the design, and holds every latency to its formula.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.config import Storage, Table, Target, Tree
from cimple.hdl.macro.macro import Macro
from cimple.hdl.packing import pack, unpack
from cimple.verif.golden.macro import MacroModel

#: A cycle count that nothing here takes.
STUCK = 5000


class Bench:
    """A macro and its model, and the streams between them and a test."""

    def __init__(self, config, seed=1):
        self.config, self.random = config, np.random.default_rng(seed)
        self.dut: Any = Macro(config)
        self.model = MacroModel(config)

    async def send(self, ctx, name, value):
        """Put one payload and wait until it is taken; the cycles in which it was valid."""
        stream, layout = getattr(self.dut, name), self.layout(name)
        ctx.set(stream.payload.as_value(), pack(layout, value))
        ctx.set(stream.valid, 1)
        for cycle in range(STUCK):
            taken = ctx.get(stream.ready)
            await ctx.tick()
            if taken:
                ctx.set(stream.valid, 0)
                return cycle + 1
        raise AssertionError(f"{name} is stuck")

    async def receive(self, ctx, name):
        """Take one payload; with the cycles until it was there."""
        stream = getattr(self.dut, name)
        ctx.set(stream.ready, 1)
        for cycle in range(STUCK):
            valid, payload = ctx.get(stream.valid), ctx.get(stream.payload.as_value())
            if valid:
                await ctx.tick()
                ctx.set(stream.ready, 0)
                return unpack(self.layout(name), payload), cycle
            await ctx.tick()
        raise AssertionError(f"nothing comes on {name}")

    def layout(self, name):
        config = self.config
        return {
            "w": config.write_layout, "i": config.input_layout, "o": config.output_layout,
            "read_request": config.read_request_layout, "read_data": config.read_data_layout,
        }[name]

    async def write(self, ctx, group, bank, weights=None):
        """Write a row group; the cycles that each of its rows was valid."""
        config = self.config
        limit = 1 << config.weight_bits - 1
        if weights is None:
            size = config.rows_per_group, config.columns
            weights = self.random.integers(-limit, limit, size)
        cycles = []
        for row, values in enumerate(np.asarray(weights)):
            value = {"weights": values.tolist(), "row": row, "group": group, "bank": bank}
            cycles.append(await self.send(ctx, "w", value))
        self.model.write(group=group, bank=bank, weights=weights)
        return cycles

    async def write_all(self, ctx):
        for bank in range(self.config.banks if self.config.is_writable else 0):
            for group in range(self.config.groups):
                await self.write(ctx, group, bank)
        await ctx.tick().repeat(self.config.fill_cycles + 1)

    def vector(self, **fields):
        """Random inputs, some of them with leading planes of zeros."""
        config, random = self.config, self.random
        data = random.integers(0, 1 << config.input_bits, config.rows)
        if random.random() < 0.3:
            data >>= int(random.integers(config.input_bits + 1))
        return {
            "data": data.tolist(),
            "top_plane": int(random.integers(1 << config.plane_bits)),
            "signed": int(random.integers(2)),
            "bank": int(random.integers(1 << config.bank_bits)),
            "first": 1,
            "last": 1,
            "fused": int(random.integers(config.fusion)),
        } | fields

    def steps(self, vector):
        return self.config.steps(vector["top_plane"] + 1) - self.model.zero_steps(
            vector["data"], vector["top_plane"]
        )

    async def accumulate(self, ctx, *, timed):
        """An accumulation of random length, and its output."""
        config = self.config
        length, expected = int(self.random.integers(1, config.accumulations, endpoint=True)), None
        for index in range(length):
            vector = self.vector(first=int(index == 0), last=int(index == length - 1))
            cycles = await self.send(ctx, "i", vector)
            assert not timed or cycles == self.steps(vector)
            expected = self.model.vector(**vector)
        assert expected is not None
        output, cycles = await self.receive(ctx, "o")
        assert output == expected.tolist()
        # From the last step on, which is the cycle of the transfer.
        assert not timed or cycles == config.array_registers + config.output_registers
        return output

    async def expect(self, ctx, vector):
        """The output of a vector that has been taken."""
        expected = self.model.vector(**vector)
        assert expected is not None
        assert (await self.receive(ctx, "o"))[0] == expected.tolist()

    async def read(self, ctx, row):
        bank = int(self.random.integers(1 << self.config.bank_bits))
        assert await self.send(ctx, "read_request", {"row": row, "bank": bank}) == 1
        weights, cycles = await self.receive(ctx, "read_data")
        assert weights == self.model.read(row, bank).tolist()
        assert cycles == self.config.read_latency - 1


def bitcell(rows, columns, **fields):
    return {"cell": Cell.BITCELL, "rows": rows, "columns": columns, "weight_bits": 4} | fields


def lookup(rows, columns, **fields):
    return {"cell": Cell.LOOKUP, "rows": rows, "columns": columns, "weight_bits": 4} | fields


def rom(rows, columns, **fields):
    return {"cell": Cell.ROM, "rows": rows, "columns": columns, "weight_bits": 8} | fields


def near(rows, columns, **fields):
    return {"cell": Cell.NEAR, "rows": rows, "columns": columns, "weight_bits": 8} | fields


ICE40 = {"table": Table.BLOCKRAM, "target": Target.ICE40}
LATCH = {"storage": Storage.LATCH, "tree": Tree.CARRY_SAVE}
SIXTEEN = {"storage": Storage.LUTRAM, "banks": 16, "tree": Tree.CARRY_SAVE, "pipeline": 2}

CASES = [
    bitcell(1, 1, weight_bits=1, input_bits=1),
    bitcell(5, 2, input_bits=5, banks=2, accumulations=3),
    bitcell(11, 3, weight_bits=8, target=Target.ECP5, skip_zero_planes=True),
    bitcell(19, 2, banks=2, target=Target.ICE40),
    bitcell(10, 4, fusion=4, banks=2),
    bitcell(10, 4, fusion=2, input_bits=6, accumulations=4, target=Target.ECP5),
    bitcell(10, 3, bits_per_cycle=4, input_bits=6),
    bitcell(3, 2, bits_per_cycle=16, input_bits=16, weight_bits=1),
    bitcell(5, 4, bits_per_cycle=8, input_bits=12, fusion=4, skip_zero_planes=True),
    bitcell(10, 3, bits_per_cycle=2, weight_bits=2, **LATCH),
    bitcell(9, 2, **SIXTEEN),
    lookup(1, 1, weight_bits=1, input_bits=1),
    lookup(7, 5, input_bits=5, banks=2, accumulations=3),
    lookup(9, 2, input_bits=4, pipeline=2, tree=Tree.CARRY_SAVE),
    lookup(6, 3, weight_bits=2, input_bits=3, banks=8),
    lookup(7, 2, weight_bits=1, input_bits=16, skip_zero_planes=True, target=Target.ECP5),
    lookup(3, 2, weight_bits=2, input_bits=1, skip_zero_planes=True),
    lookup(10, 4, weight_bits=8, table=Table.BLOCKRAM),
    lookup(9, 4, weight_bits=8, banks=2, **ICE40),
    rom(30, 5, weights_seed=4, accumulations=2),
    rom(3, 2, weight_bits=4, weights=((1, -8), (7, 0), (0, 0)), skip_zero_planes=True,
        tree=Tree.CARRY_SAVE),
    near(10, 3, banks=2, accumulations=2),
    near(1, 2, weight_bits=1, input_bits=5),
]


def name_of(fields):
    return "-".join(str(getattr(value, "value", value)) for value in fields.values()
                    if not isinstance(value, tuple))


@pytest.mark.parametrize("fields", CASES, ids=name_of)
def test_writes_vectors_and_reads(simulate, fields):
    config = MacroConfig(**fields)
    run = Bench(config)
    ports = {"i", "o", "read_request", "read_data"}
    ports |= ({"w"} if config.cell is not Cell.ROM else set())
    ports |= ({"skipped"} if config.skip_zero_planes else set())
    assert set(run.dut.signature.members) == ports
    checked = []

    async def bench(ctx):
        await run.write_all(ctx)
        for _ in range(12):
            checked.append(await run.accumulate(ctx, timed=True))
        for row in range(1 << config.row_bits):
            await run.read(ctx, row)
        for _ in range(6 if config.is_writable else 0):
            # Group numbers beyond the last have no effect.
            group = int(run.random.integers(1 << config.group_bits))
            await run.write(ctx, group, int(run.random.integers(config.banks)))
            checked.append(await run.accumulate(ctx, timed=False))
        if config.skip_zero_planes:
            assert ctx.get(run.dut.skipped) == run.model.skipped > 0

    simulate(run.dut, bench)
    assert np.any(checked)


@pytest.mark.parametrize(
    "fields",
    [lookup(9, 2, banks=2), lookup(9, 2, banks=8), lookup(10, 1, table=Table.BLOCKRAM),
     bitcell(5, 2), near(5, 2)],
    ids=name_of,
)
def test_cycles_of_writing(simulate, fields):
    config = MacroConfig(**fields)
    run = Bench(config)

    async def bench(ctx):
        cycles = await run.write(ctx, 0, 0)
        assert sum(cycles) == config.write_cycles
        # A vector of the bank begins when the fill has ended, and not before.
        vector = run.vector(bank=0, top_plane=0)
        assert await run.send(ctx, "i", vector) == config.fill_cycles + run.steps(vector)
        await run.expect(ctx, vector)
        ends, now = [], 0
        for group in (0, 1, 0, 1):
            now += sum(await run.write(ctx, group, 0))
            ends.append(now)
        intervals = [after - before for before, after in pairwise(ends[1:])]
        assert intervals == [config.write_interval] * 2

    simulate(run.dut, bench)


@pytest.mark.parametrize("fields", [lookup(6, 2, banks=2), bitcell(6, 2, banks=2)], ids=name_of)
def test_other_banks_are_not_held_up(simulate, fields):
    config = MacroConfig(**fields)
    run = Bench(config)

    async def bench(ctx):
        await run.write_all(ctx)
        for _ in range(10):
            await run.write(ctx, int(run.random.integers(config.groups)), 1)
            vector = run.vector(bank=0)
            assert await run.send(ctx, "i", vector) == run.steps(vector)
            await run.expect(ctx, vector)

    simulate(run.dut, bench)


@pytest.mark.parametrize("fields", [bitcell(3, 2), lookup(6, 2), near(3, 2)], ids=name_of)
def test_vectors_and_writes_take_turns(simulate, fields):
    """With both always waiting, no more than one of one kind goes before one of the other."""
    config = MacroConfig(**fields)
    run = Bench(config)
    turns: list[str] = []

    async def bench(ctx):
        await run.write_all(ctx)
        dut, row = run.dut, 0
        vector = run.vector(top_plane=1)
        ctx.set(dut.i.payload.as_value(), pack(config.input_layout, vector))
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.w.valid, 1)
        ctx.set(dut.o.ready, 1)
        for _ in range(40 * (config.fill_cycles + 5)):
            group = {"weights": [1] * config.columns, "row": row, "group": 0, "bank": 0}
            ctx.set(dut.w.payload.as_value(), pack(config.write_layout, group))
            took, wrote = ctx.get(dut.i.ready), ctx.get(dut.w.ready)
            await ctx.tick()
            if took:
                turns.append("vector")
            if wrote:
                row = (row + 1) % config.rows_per_group
                if row == 0:
                    turns.append("write")

    simulate(run.dut, bench)
    # At first the rows of a table are gathered, and only the last one waits.
    turns = turns[turns.index("write") :]
    assert len(turns) > 30
    assert all(before != after for before, after in pairwise(turns))


@pytest.mark.parametrize(
    "fields",
    [bitcell(6, 2), bitcell(6, 4, fusion=4), bitcell(3, 2, fusion=2, bits_per_cycle=2),
     bitcell(3, 2, fusion=2, accumulations=2), lookup(6, 2, accumulations=2), near(2, 2)],
    ids=name_of,
)
def test_nothing_is_lost_when_outputs_are_taken_late(simulate, fields):
    config = MacroConfig(**fields)
    run = Bench(config)
    outputs, expected = [], []

    async def bench(ctx):
        await run.write_all(ctx)
        dut, vector = run.dut, {"last": 1}
        while len(outputs) < 30:
            if not ctx.get(dut.i.valid):
                vector = run.vector(
                    top_plane=1, first=vector["last"], last=int(run.random.random() < 0.8)
                )
                ctx.set(dut.i.payload.as_value(), pack(config.input_layout, vector))
                ctx.set(dut.i.valid, 1)
            ctx.set(dut.o.ready, run.random.random() < 0.15)
            took, came = ctx.get(dut.i.ready), ctx.get(dut.o.valid & dut.o.ready)
            payload = ctx.get(dut.o.payload.as_value())
            await ctx.tick()
            if took:
                ctx.set(dut.i.valid, 0)
                total = run.model.vector(**vector)
                expected.extend([] if total is None else [total.tolist()])
            if came:
                outputs.append(unpack(config.output_layout, payload))

    simulate(run.dut, bench)
    assert outputs == expected[: len(outputs)]


@pytest.mark.parametrize("cell", [Cell.BITCELL, Cell.LOOKUP, Cell.NEAR])
def test_reset_keeps_the_weights(simulate, cell):
    config = MacroConfig(rows=3, columns=2, cell=cell)
    run, reset = Bench(config), Signal()

    async def bench(ctx):
        await run.write_all(ctx)
        vector = run.vector(top_plane=7)
        ctx.set(run.dut.i.payload.as_value(), pack(config.input_layout, vector))
        ctx.set(run.dut.i.valid, 1)
        await ctx.tick().repeat(3)
        ctx.set(run.dut.i.valid, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        for _ in range(2 * config.vector_latency(8)):
            assert not ctx.get(run.dut.o.valid), "what was under way must be dropped"
            await ctx.tick()
        await run.send(ctx, "i", vector)
        await run.expect(ctx, vector)

    simulate(ResetInserter(reset)(run.dut), bench)


def test_a_group_that_a_reset_cut_short_is_written_again(simulate):
    config = MacroConfig(rows=6, columns=2, weight_bits=4, banks=2)
    run, reset = Bench(config), Signal()

    async def bench(ctx):
        await run.write_all(ctx)
        for rows in (1, 2, 3):
            # In the middle of the rows, or of the fill.
            for row in range(rows):
                value = {"weights": [5, -5], "row": row, "group": 1, "bank": 1}
                await run.send(ctx, "w", value)
            await ctx.tick().repeat(2)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            # The other group and bank are as they were; this one after it has been written again.
            vector = run.vector(bank=0)
            await run.send(ctx, "i", vector)
            await run.expect(ctx, vector)
            await run.write(ctx, 1, 1)
            vector = run.vector(bank=1)
            await run.send(ctx, "i", vector)
            await run.expect(ctx, vector)

    simulate(ResetInserter(reset)(run.dut), bench)
