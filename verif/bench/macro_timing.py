# SPDX-License-Identifier: Apache-2.0
"""Cases of the macro's bench: when vectors and reads begin, and when their results come."""

from itertools import pairwise
from typing import Any

from .case import bench_case
from .check import require
from .macro_environment import MacroEnvironment

__all__ = ["held_output", "reads_in_a_row", "timing", "turns", "vectors_in_a_row"]


@bench_case()
async def timing(dut: Any) -> None:
    """Latencies and intervals of vectors and reads are those that the configuration states."""
    env = await MacroEnvironment.start(dut)
    config, log = env.config, env.log
    registers = config.array_registers + config.output_registers
    for bits in range(1, config.input_bits + 1):
        vector = env.stimulus.vector(bits=bits)
        env.i.put(vector)
        await env.drain()
        latency = log["o"][-1].since - log["i"][-1].since
        expected = env.steps(vector) + registers
        require(latency == expected, f"{bits} bits took {latency}, not {expected} cycles")
        slowest = config.vector_latency(bits)
        require(
            expected <= slowest if config.skip_zero_planes else expected == slowest,
            f"vector_latency({bits}) is {slowest}, with {registers} registers behind the steps",
        )
    for _ in range(3):
        env.read_request.put(env.stimulus.read())
        await env.drain()
        latency = log["read_data"][-1].since - log["read_request"][-1].since
        require(latency == config.read_latency, f"a read took {latency}, not {config.read_latency}")
    for bank in {0, config.banks - 1}:
        await vectors_in_a_row(env, bank, env.scaled(20))
        await reads_in_a_row(env, bank, env.scaled(20))
    await env.finish(outputs=config.input_bits, rows=3)


async def vectors_in_a_row(env: MacroEnvironment, bank: int, count: int) -> None:
    """Vectors of one bank follow each other without a gap; nothing else may use it."""
    vectors = len(env.log["i"])
    env.i.put(*(env.stimulus.vector(bank=bank) for _ in range(count)))
    await env.drain()
    taken = env.log["i"][vectors:]
    for vector, following in pairwise(taken):
        interval, expected = following.cycle - vector.cycle, env.steps(following.value)
        require(interval == expected, f"{interval} cycles from vector to vector, not {expected}")


async def reads_in_a_row(env: MacroEnvironment, bank: int, count: int) -> None:
    """A row of one bank is read back in every cycle; nothing else may use it."""
    requests = len(env.log["read_request"])
    env.read_request.put(*(env.stimulus.read(bank=bank) for _ in range(count)))
    await env.drain()
    for request in env.log["read_request"][requests:]:
        waited = request.cycle - request.since
        require(waited == 0, f"a read waited for {waited} cycles, with nothing before it")


@bench_case()
async def turns(dut: Any) -> None:
    """Where a write, a vector and a read of one bank all wait, each gets its turn."""
    env = await MacroEnvironment.start(dut)
    count = 6 if env.writes_slowly else 12
    if env.config.is_writable:
        env.write(*(env.stimulus.write(bank=0) for _ in range(count)))
    env.i.put(*(env.stimulus.vector(bank=0) for _ in range(count)))
    env.read_request.put(*(env.stimulus.read(bank=0) for _ in range(count)))
    await env.tb.until(lambda: any(source.idle for source in env.tb.sources.values()), "a turn")
    if env.config.is_writable:
        _require_turns_of_writes(env, count)
    vectors, reads = len(env.log["i"]), len(env.log["read_request"])
    require(abs(vectors - reads) <= 1, f"{vectors} vectors and {reads} reads in turns")
    await env.drain()
    for stream in ("w", "i", "read_request") if env.w else ():
        await _turn_after(env, stream)
    await env.finish(outputs=count, rows=count)


def _require_turns_of_writes(env: MacroEnvironment, count: int) -> None:
    assert env.w is not None
    users = sorted([t.cycle for name in ("i", "read_request") for t in env.log[name]])
    last_rows = [t for t in env.w.rows if t.value["row"] == env.config.rows_per_group - 1]
    writes = [t for t in last_rows if t.cycle > users[0]]
    # Rows that do not change weights are taken at any time; what waits for its turn is the last.
    # Where the rows of the next group are taken early, it waits when a table is complete.
    at_once = env.config.rows_per_group == 1 or env.config.stages_two_groups
    least = count // 2 if at_once else 0
    require(len(writes) > least, f"{len(writes)} writes in the time of {len(users)} uses")
    for write, following in pairwise(writes):
        waits_from = write.cycle if at_once else following.since
        between = sum(waits_from < user < following.cycle for user in users)
        right = between == 1 if at_once else between <= 1
        require(right, f"{between} uses of the bank while a write waited")


async def _turn_after(env: MacroEnvironment, before: str) -> None:
    """Where all meet again after a pause, a write is second; what came last of the others is last.
    """
    assert env.w is not None
    group = env.stimulus.write(bank=0)
    offers = {
        "i": env.stimulus.vector(bank=0, bits=1),
        "read_request": env.stimulus.read(bank=0),
    }
    if before == "w":
        env.write(env.stimulus.write(bank=0))
    else:
        env.tb.sources[before].put(offers[before])
    await env.settle()
    # Rows that do not change weights need no turn.
    env.w.open(group)
    await env.drain()
    await env.tb.step(3)
    env.w.close()
    for stream, offer in offers.items():
        env.tb.sources[stream].put(offer)
    await env.drain()
    cycles = {stream: env.log[stream][-1].cycle for stream in ("w", *offers)}
    order = sorted(cycles, key=lambda stream: cycles[stream])
    require(
        order[1] == "w" and (before == "w" or order[2] == before),
        f"the order after {before} was {', '.join(order)}",
    )


@bench_case(stream=["o", "read_data"])
async def held_output(dut: Any, stream: str) -> None:
    """An output that nobody takes for long holds up what is behind it, and loses nothing."""
    env = await MacroEnvironment.start(dut)
    config, count = env.config, 8
    sink = env.tb.sinks[stream]
    for bits in (1, config.input_bits):
        sink.hold()
        written = len(env.log["w"])
        env.i.put(*(env.stimulus.vector(bits=bits, bank=0) for _ in range(count)))
        env.read_request.put(*(env.stimulus.read(bank=0) for _ in range(count)))
        writes = 4 if config.banks > 1 else 0
        env.write(*(env.stimulus.write(bank=1) for _ in range(writes)))
        await env.tb.step(count * (config.vector_latency(bits) + config.write_interval))
        require(sink.port.waits, f"{stream} offers nothing, though nothing was taken")
        require(len(env.log["w"]) - written == writes, "another bank's writes were held up")
        sink.stalls = env.tb.stalls("none")
        await env.drain()
    await env.finish(outputs=2 * count, rows=2 * count)
