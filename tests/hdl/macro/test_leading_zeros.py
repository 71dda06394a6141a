# SPDX-License-Identifier: Apache-2.0
"""Leading planes of zeros, for every vector of a few small sizes."""

import itertools

import pytest

from cimple.hdl.macro import MacroConfig
from cimple.hdl.macro.leading_zeros import LeadingZeros
from cimple.hdl.packing import pack


@pytest.mark.parametrize(("rows", "input_bits"), [(1, 1), (1, 5), (2, 3), (3, 2)])
def test_every_vector(simulate, rows, input_bits):
    config = MacroConfig(rows=rows, columns=1, input_bits=input_bits)
    dut = LeadingZeros(config)
    seen, expected = [], []

    async def bench(ctx):
        words = range(1 << input_bits)
        for vector in itertools.product(words, repeat=rows):
            ctx.set(dut.data.as_value(), pack(dut.data.shape(), vector))
            for top in range(1 << config.plane_bits):
                ctx.set(dut.top_plane, top)
                await ctx.delay(1e-9)
                seen.append(ctx.get(dut.first_plane))
                together = 0
                for word in vector:
                    together |= word % (2 << top)
                expected.append(max(0, together.bit_length() - 1))

    simulate(dut, bench)
    assert seen == expected
    assert set(seen) == set(range(input_bits))
