# SPDX-License-Identifier: Apache-2.0
"""Amaranth's own simulator, for blocks small enough for it."""

import pytest
from amaranth.sim import Simulator


@pytest.fixture
def simulate():
    """Run an async bench ``bench(ctx)`` on a component; it must reach its end.

    The component has one clock, or none where it is combinational.
    """

    def run(component, bench):
        ended = []

        async def testbench(ctx):
            await bench(ctx)
            ended.append(True)

        simulator = Simulator(component)
        simulator.add_clock(1e-6, if_exists=True)
        simulator.add_testbench(testbench)
        simulator.run()
        assert ended, "the bench was left waiting"

    return run
