# SPDX-License-Identifier: Apache-2.0
"""Cases of the macro's bench: writing row groups, its time, and resets in the middle of it."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from .case import bench_case
from .check import require
from .macro_environment import MacroEnvironment
from .macro_groups import RowGroups
from .macro_timing import reads_in_a_row, vectors_in_a_row

__all__ = ["banks_at_full_rate", "reset_in_write", "write_timing"]


@bench_case()
async def write_timing(dut: Any) -> None:
    """Row groups take the time that the configuration states, and hold up their bank for no longer.
    """
    env = await MacroEnvironment.start(dut)
    config, w = env.config, env.w
    if w is None:
        return
    for _ in range(3):
        env.write(env.stimulus.write())
        await env.settle()
        took = env.log["w"][-1].cycle - env.log["w"][-1].since + 1
        require(took == config.write_cycles, f"a write took {took}, not {config.write_cycles}")
    await _writes_in_a_row(env, [0] * 4, config.write_interval)
    if config.banks > 1:
        # A table of another bank is begun when the one before is complete.
        interval = config.write_interval
        if config.has_fill and config.stages_two_groups:
            interval = max(config.fill_cycles + 1, config.write_cycles)
        await _writes_in_a_row(env, [0, 1, 0, config.banks - 1], interval)
    for stream in ("i", "read_request"):
        await _first_use(env, w, stream)
    await _pause_in_group(env, w)
    await env.finish(outputs=2, rows=2)


async def _writes_in_a_row(env: MacroEnvironment, banks: Iterable[int], interval: int) -> None:
    """Row groups of these banks follow each other at full rate."""
    already = len(env.log["w"])
    env.write(*(env.stimulus.write(bank=bank) for bank in banks))
    await env.settle()
    _require_intervals(env, already, interval)


def _require_intervals(env: MacroEnvironment, first: int, interval: int) -> None:
    for write, following in pairwise(env.log["w"][first:]):
        took = following.cycle - write.cycle
        require(took == interval, f"a row group came {took} cycles after another, not {interval}")


async def _first_use(env: MacroEnvironment, w: RowGroups, stream: str) -> None:
    """What waits for a write begins when the write is complete; another bank is not waited for."""
    config, log = env.config, env.log
    offer = {"i": env.stimulus.vector, "read_request": env.stimulus.read}[stream]
    source = env.tb.sources[stream]
    await env.settle()
    w.open(env.stimulus.write(bank=0))
    await env.drain()
    w.close()
    await env.tb.step()
    source.put(offer(bank=0))
    await env.drain()
    written, user = log["w"][-1].cycle, log[stream][-1]
    begin = env.begin_of(user) if stream == "i" else user.cycle
    waited, expected = begin - written, config.fill_cycles + 1
    require(user.since == written + 1, f"{stream} was meant to come right after the write")
    require(waited == expected, f"{stream} began {waited} cycles after a write, not {expected}")
    if config.banks == 1 or not config.has_fill:
        return
    await env.settle()
    env.write(env.stimulus.write(bank=0))
    await env.tb.until(lambda: not w.is_begun, "a write")
    source.put(offer(bank=1))
    await env.drain()
    user = log[stream][-1]
    begin = env.begin_of(user) if stream == "i" else user.cycle
    require(begin < log["w"][-1].cycle + config.fill_cycles, "no table was being filled")
    begin = env.begin_of(user) if stream == "i" else user.cycle
    require(begin == user.since, f"{stream} waited for the table of another bank")


async def _pause_in_group(env: MacroEnvironment, w: RowGroups) -> None:
    """Rows that are taken change nothing until the last one is, and hold up nothing."""
    await env.settle()
    w.open(env.stimulus.write(bank=0))
    await env.drain()
    await vectors_in_a_row(env, 0, 4)
    await reads_in_a_row(env, 0, 4)
    for name in ("i", "read_request"):
        first = env.log[name][-4]
        begin = env.begin_of(first) if name == "i" else first.cycle
        require(begin == first.since, f"{name} waited for a row group that is not whole")
    w.close()
    await env.settle()


@bench_case()
async def banks_at_full_rate(dut: Any) -> None:
    """A bank is written while another computes: both at full rate, and neither disturbs the other.
    """
    env = await MacroEnvironment.start(dut)
    config = env.config
    if config.banks == 1 or env.w is None:
        return
    w, last = env.w, config.banks - 1
    most, interval = config.steps(config.input_bits), config.write_interval
    # Both go on for about so long, so that each meets all phases of the other.
    cycles = max(40, (3 if env.writes_slowly else 5) * interval)
    vectors = max(8, 2 * cycles // (most + 1))
    for used, written in ((0, last), (last, 0), (last // 2, last // 2 + 1)):
        # A write that comes after a pause finds that it has its turn: that is none of other banks.
        for stalls in ("none", "light"):
            w.source.stalls = env.tb.stalls(stalls)
            for use, count in ((vectors_in_a_row, vectors), (reads_in_a_row, cycles)):
                already = len(env.log["w"])
                env.write(*(env.stimulus.write(bank=written) for _ in range(cycles // interval)))
                await use(env, used, count)
                await env.settle()
                if stalls == "none":
                    _require_intervals(env, already, interval)
        w.source.stalls = env.tb.stalls("none")
        rows = range(min(config.rows, 8))
        env.read_request.put(*(env.stimulus.read(row=row, bank=written) for row in rows))
        env.i.put(*(env.stimulus.vector(bank=written) for _ in range(4)))
        await env.drain()
    await env.finish(outputs=24, rows=24)


@bench_case()
async def reset_in_write(dut: Any) -> None:
    """A reset between the rows of a group or in a fill: that group is written again, no other is.
    """
    env = await MacroEnvironment.start(dut)
    config, w = env.config, env.w
    if w is None:
        return
    rows, fill = config.rows_per_group, config.fill_cycles
    for taken in sorted({1, rows // 2, rows - 1} - {0, rows}):
        await _reset_after(env, w, taken, 0)
    for cycles in sorted({0, fill // 3, max(0, fill - 2), max(0, fill - 1), fill, fill + 1}):
        await _reset_after(env, w, rows, cycles)
    if config.has_fill:
        # The next group's rows are there too.
        await _reset_after(env, w, rows, fill // 2, behind=1)
    await env.finish(outputs=4, rows=4)


async def _reset_after(
    env: MacroEnvironment, w: RowGroups, rows: int, cycles: int, behind: int = 0
) -> None:
    """Reset so many cycles after so many rows of a group were taken; then use its bank."""
    bank = env.stimulus.below(env.config.banks)
    already = len(w.rows)
    groups = [env.stimulus.write(bank=bank) for _ in range(1 + behind)]
    w.put(*groups)
    await env.tb.until(lambda: len(w.rows) == already + rows, "rows to be taken")
    await env.tb.step(cycles)
    await env.reset(1 + env.stimulus.below(2))
    env.i.put(*(env.stimulus.vector(bank=bank) for _ in range(4)))
    count = env.config.rows_per_group
    first = min(groups[0]["group"] * count, env.config.rows - 1)
    last = min(first + count, env.config.rows)
    env.read_request.put(*(env.stimulus.read(row=row, bank=bank) for row in range(first, last)))
    env.read_request.put(*(env.stimulus.read(bank=bank) for _ in range(4)))
    await env.drain()
