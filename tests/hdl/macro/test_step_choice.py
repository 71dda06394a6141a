# SPDX-License-Identifier: Apache-2.0
"""The number of the step comes from registers, but for the step with which a vector begins."""

import random
from typing import Any

import pytest

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.step_choice import SHARED, StepChoice

PARTS = 3


@pytest.mark.parametrize(
    ("input_bits", "bits_per_cycle"), [(1, 1), (3, 1), (8, 1), (16, 1), (3, 2), (16, 4)]
)
def test_numbers_and_rows(simulate, input_bits, bits_per_cycle):
    config = MacroConfig(rows=9, columns=1, cell=Cell.BITCELL, input_bits=input_bits,
                         bits_per_cycle=bits_per_cycle)
    dut: Any = StepChoice(config, PARTS)
    source = random.Random(repr((input_bits, bits_per_cycle)))
    size = 1 << config.step_number_bits
    seen = set()

    async def bench(ctx):
        # What the registers hold: the number that follows, the row to read and the parts it is
        # not in. A vector that has begun stays until its step 0, so where it begins stays too.
        begin, number, row, absent = 0, None, None, 0
        for _ in range(400):
            if number is None:
                begin = source.randrange(size)
            now = begin if number is None else number
            takes = number is not None or (row is None and source.random() < 0.7)
            given = {
                "enable": source.random() < 0.8,
                "begin": begin,
                "next_high": (now - 1) % size >> 1,
                "next_odd": source.getrandbits(1),
                "goes_on": takes and now > 0,
                "asks": source.random() < 0.5 and not (takes and now > 0),
                "place": source.randrange(SHARED),
                "elsewhere": source.getrandbits(PARTS),
            }
            if given["goes_on"]:
                given["next_odd"] = (begin - now + 1) % 2
            for name, value in given.items():
                ctx.set(getattr(dut, name), value)
            await ctx.delay(1e-9)
            assert ctx.get(dut.reads) == (row is not None)
            assert ctx.get(dut.clear) == (absent if row is not None else 0)
            if row is not None:
                assert ctx.get(dut.low) == 1 << row
            else:
                assert ctx.get(dut.number) == now
                assert ctx.get(dut.low) == (now & 1) * (2**SHARED - 1)
            seen.add((number is None, row is None, given["enable"]))
            await ctx.tick()
            if given["enable"]:
                number = now - 1 if given["goes_on"] else None
                row = given["place"] if given["asks"] else None
                absent = given["elsewhere"]

    simulate(dut, bench)
    assert len(seen) == 6
