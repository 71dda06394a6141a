# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The watchdog: how long it waits, and what makes it begin anew."""

import pytest

from cimple.hdl.npu.watchdog import Watchdog, patience


async def cycles_until_stuck(ctx, watchdog, limit):
    for cycle in range(limit):
        if ctx.get(watchdog.stuck):
            return cycle
        await ctx.tick()
    return None


def test_it_counts_cycles_without_progress(simulate, npu_config):
    watchdog = Watchdog(npu_config())

    async def bench(ctx):
        ctx.set(watchdog.running, 1)
        assert await cycles_until_stuck(ctx, watchdog, 2000) == 1023
        # It stays so until the run is over.
        await ctx.tick()
        assert ctx.get(watchdog.stuck)
        ctx.set(watchdog.running, 0)
        await ctx.tick()
        assert await cycles_until_stuck(ctx, watchdog, 2000) is None
        ctx.set(watchdog.running, 1)
        for _ in range(3):
            assert await cycles_until_stuck(ctx, watchdog, 1021) is None
            ctx.set(watchdog.progress, 1)
            await ctx.tick()
            ctx.set(watchdog.progress, 0)
        # It hears of progress a cycle later.
        assert await cycles_until_stuck(ctx, watchdog, 2000) == 1024

    simulate(watchdog, bench)


@pytest.mark.parametrize(("rows", "columns", "macros", "cycles"), [
    (4, 255, 1, 1024), (4, 256, 1, 1024), (4, 257, 1, 2048), (256, 4, 1, 1024), (257, 4, 1, 2048),
    (72, 16, 4, 2048),
])
def test_patience_grows_with_what_a_round_takes(npu_config, rows, columns, macros, cycles):
    macro = {"rows": rows, "columns": columns}
    assert patience(npu_config(macro=macro, macros=macros, lanes=1)) == cycles
