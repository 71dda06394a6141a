# SPDX-License-Identifier: Apache-2.0
"""Adders that are named as cells of a family: what they compute, exhaustively, in every form."""

import itertools
from typing import Any

import pytest
from amaranth.hdl import signed as signed_shape

from cimple.hdl.macro import MacroConfig
from cimple.hdl.macro.add_sub import AddSub
from cimple.hdl.macro.carry_adder import CarryAdder
from cimple.hdl.macro.cells.and_adder import AndAdder
from cimple.hdl.macro.cells.choice_adder import ChoiceAdder
from cimple.hdl.macro.config import Target
from cimple.hdl.stamp import ModuleLibrary, to_rtlil

GENERIC = MacroConfig(rows=2, columns=1)
ECP5 = GENERIC.replace(target=Target.ECP5)


def signed(bits):
    return range(-1 << bits - 1, 1 << bits - 1)


@pytest.mark.parametrize("config", [GENERIC, ECP5], ids=lambda config: config.target.value)
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sums_and_differences(simulate, config, width):
    dut: Any = AddSub(config, width)
    wrong = []

    async def bench(ctx):
        for a, b, subtract in itertools.product(signed(width), signed(width), (0, 1)):
            for port, value in ((dut.a, a), (dut.b, b), (dut.subtract, subtract)):
                ctx.set(port, value)
            await ctx.delay(1e-9)
            total = a - b if subtract else a + b
            if (ctx.get(dut.o) - total) % (1 << width):
                wrong.append((a, b, subtract))

    simulate(dut, bench)
    assert wrong == []


@pytest.mark.parametrize("width", [1, 2, 3])
def test_two_products(simulate, width):
    dut: Any = AndAdder(width)
    wrong = []

    async def bench(ctx):
        for a, b, x, y in itertools.product(signed(width), signed(width), (0, 1), (0, 1)):
            for port, value in ((dut.a, a), (dut.b, b), (dut.x, x), (dut.y, y)):
                ctx.set(port, value)
            await ctx.delay(1e-9)
            if ctx.get(dut.o) != a * x + b * y:
                wrong.append((a, b, x, y))

    simulate(dut, bench)
    assert wrong == []


#: Widths of a, of b, and of a sum that holds them.
CHOICES = [(1, 1, 2), (2, 2, 3), (4, 2, 4), (3, 3, 5)]


def choice_adder(widths):
    return ChoiceAdder(*map(signed_shape, widths))


@pytest.mark.parametrize("widths", CHOICES)
def test_a_sum_by_choice(simulate, widths):
    dut: Any = choice_adder(widths)
    wrong = []

    async def bench(ctx):
        for a, b, one in itertools.product(signed(widths[0]), signed(widths[1]), (0, 1)):
            for port, value in ((dut.a, a), (dut.b, b), (dut.one, one)):
                ctx.set(port, value)
            await ctx.delay(1e-9)
            if a + b in signed(widths[2]) and ctx.get(dut.o) != a + b * one:
                wrong.append((a, b, one))

    simulate(dut, bench)
    assert wrong == []


@pytest.mark.parametrize("widths", CHOICES)
def test_logic_cells_that_add_by_choice(icarus_faults, widths):
    ports = {"a": widths[0], "b": widths[1], "one": 1}
    wanted = "$signed(a) + (one ? $signed(b) : 0)"
    assert icarus_faults(lambda: choice_adder(widths), "ice40", ports, wanted) == 0


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_carry_cells_of_the_adder_that_subtracts(icarus_faults, width):
    ports = {"a": width, "b": width, "subtract": 1}
    wanted = "subtract ? a - b : a + b"
    assert icarus_faults(lambda: AddSub(ECP5, width), "ecp5", ports, wanted) == 0


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_carry_cells_of_a_plain_adder(icarus_faults, width):
    ports = {"a": width, "b": width}
    assert icarus_faults(lambda: CarryAdder(width), "ecp5", ports, "a + b") == 0


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_carry_cells_that_multiply_two_rows(icarus_faults, width):
    ports = {"a": width, "b": width, "x": 1, "y": 1}
    wanted = "(x ? $signed(a) : 0) + (y ? $signed(b) : 0)"
    assert icarus_faults(lambda: AndAdder(width), "ecp5", ports, wanted) == 0


def test_only_the_ecp5_has_them():
    library = ModuleLibrary("plain")
    to_rtlil(AddSub(GENERIC, 4), "top", library)
    assert library.verilog == {}
