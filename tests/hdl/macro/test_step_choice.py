# SPDX-License-Identifier: Apache-2.0
"""The number of the step comes from registers, but for the step with which a vector begins."""

import random
from typing import Any

import pytest

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.step_choice import SHARED, StepChoice


@pytest.mark.parametrize(
    ("input_bits", "bits_per_cycle"), [(1, 1), (3, 1), (8, 1), (16, 1), (3, 2), (16, 4)]
)
def test_numbers_and_rows(simulate, input_bits, bits_per_cycle):
    config = MacroConfig(rows=9, columns=1, cell=Cell.BITCELL, input_bits=input_bits,
                         bits_per_cycle=bits_per_cycle)
    dut: Any = StepChoice(config)
    source = random.Random(repr((input_bits, bits_per_cycle)))
    size = 1 << config.step_number_bits
    seen = set()

    async def bench(ctx):
        # What the registers hold: the number that follows, the row to read and whether it is here.
        number, row, absent = None, None, 0
        for _ in range(300):
            given = {
                "enable": source.random() < 0.8,
                "begin": source.randrange(size),
                "next_number": source.randrange(size),
                "goes_on": 0,
                "asks": source.random() < 0.3,
                "place": source.randrange(SHARED),
                "elsewhere": source.getrandbits(1),
            }
            if not given["asks"]:
                given["goes_on"] = source.getrandbits(1)
            given["prefers_read"] = given["asks"]
            if not given["asks"] and not given["goes_on"]:
                given["prefers_read"] = source.getrandbits(1)
            for name, value in given.items():
                ctx.set(getattr(dut, name), value)
            await ctx.delay(1e-9)
            assert ctx.get(dut.reads) == (row is not None)
            assert ctx.get(dut.clear) == (row is not None and absent and given["enable"])
            if row is not None:
                assert ctx.get(dut.low) == 1 << row
            else:
                expected = given["begin"] if number is None else number
                assert ctx.get(dut.number) == expected
                assert ctx.get(dut.low) == (expected & 1) * (2**SHARED - 1)
            seen.add((number is None, row is None, given["enable"]))
            await ctx.tick()
            if given["enable"]:
                number = given["next_number"] if given["goes_on"] else None
                row = given["place"] if given["asks"] else None
                absent = given["elsewhere"]

    simulate(dut, bench)
    assert len(seen) == 6
