# SPDX-License-Identifier: Apache-2.0
"""The bit of an input that belongs to a step, and some rows' share of the step register."""

import random
from typing import Any

import pytest

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.bit_selector import BitSelector
from cimple.hdl.macro.config import Target
from cimple.hdl.macro.plane_selector import PlaneSelector
from cimple.hdl.packing import pack, unpack


def config_of(**fields):
    return MacroConfig(**({"rows": 11, "columns": 1, "cell": Cell.BITCELL} | fields))


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("input_bits", [1, 2, 3, 5, 8])
def test_every_bit(simulate, target, input_bits):
    config = config_of(input_bits=input_bits, target=target)
    dut: Any = BitSelector(config)
    wrong = []

    async def bench(ctx):
        for word in range(1 << input_bits):
            ctx.set(dut.data, word)
            for step in range(1 << config.step_number_bits):
                for read in (0, 1):
                    ctx.set(dut.low, step & 1)
                    if len(dut.high):
                        ctx.set(dut.high, step >> 1)
                    ctx.set(dut.read, read)
                    await ctx.delay(1e-9)
                    if ctx.get(dut.o) != (step & 1 if read else word >> step & 1):
                        wrong.append((word, step, read))

    simulate(dut, bench)
    assert wrong == []


@pytest.mark.parametrize("target", [Target.ECP5, Target.ICE40])
@pytest.mark.parametrize("input_bits", [3, 4, 5, 8, 9])
def test_its_cells(icarus_faults, target, input_bits):
    config = config_of(input_bits=input_bits, target=target)
    high = config.step_number_bits - 1
    ports = {"data": input_bits, "low": 1, "high": high, "read": 1}
    # A bit beyond the word is zero; in Verilog it would be unknown.
    wanted = "read ? low : ({16'd0, data} >> {high, low})"
    assert icarus_faults(lambda: BitSelector(config), target.value, ports, wanted) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"input_bits": 1},
        {"input_bits": 5},
        {"input_bits": 8, "target": Target.ECP5},
        {"input_bits": 6, "bits_per_cycle": 2},
        {"input_bits": 12, "bits_per_cycle": 8},
        {"input_bits": 16, "bits_per_cycle": 16},
    ],
)
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_step_register_of_some_rows(simulate, fields, rows):
    config = config_of(**fields)
    dut: Any = PlaneSelector(config, rows)
    size = config.bits_per_cycle
    source = random.Random(repr((fields, rows)))
    register = [0] * size

    def digits(words, step, extend, top, is_signed):
        """The planes of the step; those above the top one are copies of it, or zero."""
        planes = [
            sum((word >> step * size + plane & 1) << row for row, word in enumerate(words))
            for plane in range(size)
        ]
        if extend:
            planes[top + 1 :] = [planes[top] if is_signed else 0] * (size - 1 - top)
        return planes

    async def bench(ctx):
        nonlocal register
        for _ in range(150):
            words = [source.getrandbits(config.input_bits) for _ in range(rows)]
            step, top = source.randrange(1 << config.step_number_bits), source.randrange(size)
            extend, is_signed = source.getrandbits(1), source.getrandbits(1)
            enable, read = source.random() < 0.8, source.random() < 0.3
            place = source.randrange(8)
            clear = read and source.getrandbits(1)
            ctx.set(dut.data.as_value(), pack(dut.data.shape(), words))
            fields = {"step": step, "extend": extend, "signed": is_signed, "enable": enable,
                      "read": read, "low": 1 << place if read else 255 * (step & 1),
                      "clear": clear}
            if size > 1:
                fields["top"] = top
            for name, value in fields.items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            if enable and read:
                here = 1 << place if place < rows and not clear else 0
                register = [here, *[0] * (size - 1)]
            elif enable:
                register = digits(words, step, extend and size > 1, top, is_signed)
            assert unpack(dut.o.shape(), ctx.get(dut.o.as_value())) == register

    simulate(dut, bench)
