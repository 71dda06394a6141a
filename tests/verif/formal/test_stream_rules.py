# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The watcher of a stream tells what keeps the rules from what does not."""

import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from cimple.verif.formal.stream_rules import StreamRule


def kept(*cycles: tuple[int, int, int], reset: int | None = None) -> list[int]:
    """Whether the rule is kept in each cycle of (valid, ready, payload); `reset` is high in one."""
    rule, clear = StreamRule(4), Signal()
    seen = []

    async def bench(ctx):
        for index, (valid, ready, payload) in enumerate(cycles):
            ctx.set(rule.valid, valid)
            ctx.set(rule.ready, ready)
            ctx.set(rule.payload, payload)
            ctx.set(clear, index == reset)
            seen.append(ctx.get(rule.kept))
            assert ctx.get(rule.transfer) == (valid and ready)
            await ctx.tick()

    simulator = Simulator(ResetInserter(clear)(rule))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


@pytest.mark.parametrize(
    ("cycles", "expected"),
    [
        ([(1, 0, 5), (1, 0, 5), (1, 1, 5), (0, 0, 0)], [1, 1, 1, 1]),
        ([(1, 1, 5), (1, 1, 6), (0, 1, 0)], [1, 1, 1]),
        ([(0, 0, 1), (1, 1, 2)], [1, 1]),
        ([(1, 0, 5), (0, 0, 5)], [1, 0]),
        ([(1, 0, 5), (1, 1, 6)], [1, 0]),
        ([(1, 0, 5), (0, 0, 5), (1, 0, 7), (1, 1, 7)], [1, 0, 1, 1]),
    ],
)
def test_what_was_offered_stays(cycles, expected):
    assert kept(*cycles) == expected


def test_a_reset_ends_the_obligation():
    cycles = [(1, 0, 5), (1, 0, 5), (0, 0, 0)]
    assert kept(*cycles, reset=1) == [1, 1, 1]
    assert kept(*cycles) == [1, 1, 0]
    # In the cycle of the reset itself the rule still applies.
    assert kept((1, 0, 5), (0, 0, 0), reset=1) == [1, 0]
