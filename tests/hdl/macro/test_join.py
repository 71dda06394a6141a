# SPDX-License-Identifier: Apache-2.0
"""Planes of one cycle, and fused columns, add up with their powers of two."""

import random

import pytest

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.join import ColumnFusion, PlaneJoin
from cimple.hdl.packing import pack, unpack


def pipelined(source, count):
    """Whether the pipeline moves, cycle by cycle, with `count` moves."""
    moves = 0
    while moves < count:
        move = source.random() < 0.7
        moves += move
        yield move


@pytest.mark.parametrize("planes", [2, 4, 8, 16])
@pytest.mark.parametrize("fusion", [1, 2])
def test_planes_of_a_step(simulate, planes, fusion):
    config = MacroConfig(
        rows=5, columns=2, weight_bits=2, input_bits=16, cell=Cell.BITCELL, bits_per_cycle=planes,
        fusion=fusion,
    )
    dut = PlaneJoin(config)
    source = random.Random(planes)
    low, high = config.plane_sum_range
    weights = [source.randint(low, high) for _ in range(40)]
    entered, seen = [], []

    def step():
        """Plane sums as inputs make them: of all rows at most."""
        if source.random() < 0.3:
            return [source.choice((low, high))] * planes
        # Each row's weight counts in the planes in which its input has a one.
        rows = [(source.choice(weights) // 5, source.getrandbits(planes)) for _ in range(5)]
        return [sum(w for w, x in rows if x >> plane & 1) for plane in range(planes)]

    async def bench(ctx):
        for move in pipelined(source, 80):
            sums, negative = step(), source.getrandbits(1)
            ctx.set(dut.enable, move)
            ctx.set(dut.i.as_value(), pack(dut.i.shape(), sums))
            ctx.set(dut.negative, negative)
            await ctx.tick()
            if move:
                top = -1 if negative else 1
                signs = [1] * (planes - 1) + [top]
                pairs = enumerate(zip(signs, sums, strict=True))
                entered.append(sum(s * t << p for p, (s, t) in pairs))
                seen.append(ctx.get(dut.o))

    simulate(dut, bench)
    delay = config.join_registers - 1
    assert seen[delay:] == entered[: len(entered) - delay]
    assert (1 << config.join_registers) == planes


@pytest.mark.parametrize(("fusion", "weight_bits"), [(2, 1), (2, 8), (4, 1), (4, 4)])
def test_fused_columns(simulate, fusion, weight_bits):
    config = MacroConfig(
        rows=3, columns=fusion, weight_bits=weight_bits, input_bits=4, cell=Cell.BITCELL,
        fusion=fusion,
    )
    dut = ColumnFusion(config)
    source = random.Random(repr((fusion, weight_bits)))
    checked = []

    def expected(dots, fused):
        """The columns of a set together, in place of its first; the others are zero."""
        outputs = [0] * fusion
        for first in range(0, fusion, fused + 1):
            part = dots[first : first + fused + 1]
            if len(part) <= fused:
                # What is left over stands for itself.
                outputs[first:] = part
                break
            outputs[first] = sum(dot << weight_bits * n for n, dot in enumerate(part))
        return outputs

    def dot(weight):
        return weight * source.choice((-24, 45, 0, 17))

    async def bench(ctx):
        # What is in each register on the way: whether there is a dot product, its mode and result.
        way = [(False, 0, [0] * fusion)] * config.fused_bits
        held = [0] * fusion
        for move in pipelined(source, 200):
            valid, fused = source.random() < 0.7, source.randrange(fusion)
            # The highest of fused columns is signed, those below are not.
            dots = []
            for column in range(fusion):
                is_signed = (column + 1) % (fused + 1) == 0 or column == fusion - 1
                half = 1 << weight_bits - 1
                limits = (-half, half - 1) if is_signed else (0, 2 * half - 1)
                dots.append(dot(source.choice(limits)))
            ctx.set(dut.enable, move)
            ctx.set(dut.i.as_value(), pack(dut.i.shape(), dots))
            entering = [(valid, fused, expected(dots, fused)), *way[:-1]]
            ctx.set(dut.valid.as_value(), pack(dut.valid.shape(), [each[0] for each in entering]))
            ctx.set(dut.fused.as_value(), pack(dut.fused.shape(), [each[1] for each in entering]))
            await ctx.tick()
            if move:
                way = entering
                if way[-1][0]:
                    held = way[-1][2]
                    checked.append(held)
            # A result stays until the next one: it may be the output of the macro.
            assert unpack(dut.o.shape(), ctx.get(dut.o.as_value())) == held

    simulate(dut, bench)
    assert any(map(any, checked))
