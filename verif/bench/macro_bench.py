# SPDX-License-Identifier: Apache-2.0
"""The test cases for a macro; run by name in a simulation of it (see `run`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from .case import bench_case
from .check import require
from .macro_coverage import wanted_events
from .macro_environment import COVERAGE, MacroEnvironment
from .macro_stimulus import WEIGHTS
from .stalls import PROFILES


@bench_case()
async def corner_values(dut: Any) -> None:
    """Extreme weights meet extreme inputs, in every precision, signed and unsigned."""
    env = await MacroEnvironment.start(dut)
    thorough = env.effort == 1
    inputs = ("ones", "top", "below_top")
    vectors = 0
    for weights in WEIGHTS if thorough else ("lowest", "highest", "random"):
        env.w.put(*env.stimulus.all_weights(weights))
        await env.drain()
        for bits in range(1, env.config.input_bits + 1):
            for signed in (0, 1):
                for kind in inputs if thorough else inputs[vectors % 3 :][:1]:
                    bank = vectors % env.config.banks
                    vectors += 1
                    env.i.put(env.stimulus.vector(bits=bits, signed=signed, bank=bank, kind=kind))
        await env.drain()
    await env.finish(outputs=vectors)


@bench_case(stalls=list(PROFILES))
async def random_traffic(dut: Any, stalls: str) -> None:
    """All streams at once, every one held up at random; writes run into what uses their bank."""
    env = await MacroEnvironment.start(dut)
    env.tb.set_stalls(stalls)
    vectors = env.stimulus.vectors(env.scaled(200))
    cycles = sum(vector["top_plane"] + 1 for vector in vectors)
    writes = max(8, cycles // (2 * env.config.write_cycles))
    reads = env.scaled(100)
    env.i.put(*vectors)
    env.w.put(*(env.stimulus.write() for _ in range(writes)))
    env.read_request.put(*(env.stimulus.read() for _ in range(reads)))
    outputs = sum(vector["last"] or env.config.accumulations == 1 for vector in vectors)
    await env.finish(outputs=outputs, rows=reads)


@bench_case()
async def accumulations(dut: Any) -> None:
    """The longest sums of the most extreme products fill the output to its last bit."""
    env = await MacroEnvironment.start(dut)
    most, bits = env.config.accumulations, env.config.input_bits
    for weights, inputs, signed in (
        ("lowest", "ones", 0), ("highest", "ones", 0), ("lowest", "top", 1), ("random", "random", 1)
    ):
        env.w.put(*env.stimulus.all_weights(weights))
        await env.drain()
        for length in sorted({1, 1 + env.stimulus.below(most), most}):
            fields = {"bits": bits, "signed": signed, "kind": inputs}
            env.i.put(*env.stimulus.accumulation(length, **fields))
        await env.drain()
    await env.finish(outputs=4)


@bench_case()
async def sums_wrap(dut: Any) -> None:
    """A sum of more vectors than `accumulations` wraps; tried where that takes few cycles."""
    env = await MacroEnvironment.start(dut)
    most, bits = env.config.accumulations, env.config.input_bits
    if most == 1 or most * bits > 256:
        return
    env.w.put(*env.stimulus.all_weights("lowest"))
    await env.drain()
    length = 2 * most + 1
    env.i.put(*env.stimulus.accumulation(length, bits=bits, signed=0, kind="ones"))
    await env.drain()
    exact = length * env.config.rows * (-1 << env.config.weight_bits - 1) * ((1 << bits) - 1)
    require(env.log["o"][-1].value[0] != exact, "the sum was meant to be too large for the output")
    await env.finish()


@bench_case()
async def read_back(dut: Any) -> None:
    """Every row of every bank reads as it was written; rows that do not exist read as zero."""
    env = await MacroEnvironment.start(dut)
    config = env.config
    env.w.put(*env.stimulus.all_weights("random"))
    await env.drain()
    step = max(1, round(0.2 / env.effort))
    rows = [*range(0, config.rows, step), config.rows - 1, (1 << config.row_bits) - 1]
    requests = [{"row": row, "bank": bank} for bank in range(config.banks) for row in rows]
    env.tb.random.shuffle(requests)
    env.read_request.put(*requests)
    await env.drain()
    # A group that does not exist is taken and changes nothing.
    env.w.put(env.stimulus.write(group=(1 << config.group_bits) - 1))
    await env.drain()
    env.read_request.put(*requests)
    await env.finish(outputs=0, rows=2 * len(requests))


@bench_case()
async def timing(dut: Any) -> None:
    """Latencies and intervals are those that the configuration states."""
    env = await MacroEnvironment.start(dut)
    config, log = env.config, env.log
    for _ in range(3):
        env.w.put(env.stimulus.write())
        await env.drain()
        took = log["w"][-1].cycle - log["w"][-1].since + 1
        require(took == config.write_cycles, f"a write took {took}, not {config.write_cycles}")
    for bits in range(1, config.input_bits + 1):
        env.i.put(env.stimulus.vector(bits=bits))
        await env.drain()
        latency = log["o"][-1].since - log["i"][-1].since
        expected = config.vector_latency(bits)
        require(latency == expected, f"{bits} bits took {latency}, not {expected} cycles")
    for _ in range(3):
        env.read_request.put(env.stimulus.read())
        await env.drain()
        latency = log["read_data"][-1].since - log["read_request"][-1].since
        require(latency == config.read_latency, f"a read took {latency}, not {config.read_latency}")
    last = config.banks - 1
    for bank, written in ((0, last), (last, 0)) if last else ((0, None),):
        await _full_rate(env, bank, written)
        await _reads_in_a_row(env, bank, written)
    await env.finish(outputs=config.input_bits, rows=3)


async def _full_rate(env: MacroEnvironment, bank: int, written: int | None) -> None:
    """Vectors of one bank follow each other without a gap, while another bank is written."""
    config = env.config
    count = env.scaled(20)
    vectors = len(env.log["i"])
    with _writes(env, written, count * config.vector_interval(config.input_bits)):
        env.i.put(*(env.stimulus.vector(bank=bank) for _ in range(count)))
        await env.drain()
    taken = env.log["i"][vectors:]
    starts = [vector.cycle - vector.value["top_plane"] for vector in taken]
    for vector, (start, following) in zip(taken, pairwise(starts), strict=False):
        interval = config.vector_interval(vector.value["top_plane"] + 1)
        require(following - start == interval, f"{following - start} cycles, not {interval}")


async def _reads_in_a_row(env: MacroEnvironment, bank: int, written: int | None) -> None:
    """A row of one bank is read back in every cycle, while another bank is written."""
    count = env.scaled(20)
    requests = len(env.log["read_request"])
    with _writes(env, written, count):
        env.read_request.put(*(env.stimulus.read(bank=bank) for _ in range(count)))
        await env.drain()
    for request in env.log["read_request"][requests:]:
        waited = request.cycle - request.since
        require(waited == 0, f"a read waited for {waited} cycles, with nothing before it")


@contextmanager
def _writes(env: MacroEnvironment, bank: int | None, cycles: int) -> Iterator[None]:
    """Write a bank, if any, with pauses for about so many cycles; each takes its time alone."""
    config, already = env.config, len(env.log["w"])
    if bank is not None:
        env.w.stalls = env.tb.stalls("light")
        count = 2 + cycles // config.write_cycles
        env.w.put(*(env.stimulus.write(bank=bank) for _ in range(count)))
    yield
    env.w.stalls = env.tb.stalls("none")
    for write in env.log["w"][already:]:
        took = write.cycle - write.since + 1
        require(took == config.write_cycles, f"a write took {took}, not {config.write_cycles}")


@bench_case()
async def turns(dut: Any) -> None:
    """Where a write, a vector and a read of one bank all wait, each gets its turn."""
    env = await MacroEnvironment.start(dut)
    count = 12
    env.w.put(*(env.stimulus.write(bank=0) for _ in range(count)))
    env.i.put(*(env.stimulus.vector(bank=0) for _ in range(count)))
    env.read_request.put(*(env.stimulus.read(bank=0) for _ in range(count)))
    await env.tb.until(lambda: any(source.idle for source in env.tb.sources.values()), "a turn")
    users = sorted([t.cycle for name in ("i", "read_request") for t in env.log[name]])
    writes = [t.cycle for t in env.log["w"] if t.cycle > users[0]]
    require(len(writes) > count // 2, f"{len(writes)} writes in the time of {len(users)} uses")
    for write, following in pairwise(writes):
        between = sum(write < user < following for user in users)
        require(between == 1, f"{between} uses of the bank between two writes, not 1")
    vectors, reads = len(env.log["i"]), len(env.log["read_request"])
    require(abs(vectors - reads) <= 1, f"{vectors} vectors and {reads} reads in turns")
    await env.drain()
    for stream in ("w", "i", "read_request"):
        await _turn_after(env, stream)
    await env.finish(outputs=count, rows=count)


async def _turn_after(env: MacroEnvironment, before: str) -> None:
    """Whose turn it was last is remembered until the streams meet, however long that takes."""
    offers = {
        "w": env.stimulus.write(bank=0),
        "i": env.stimulus.vector(bank=0, bits=1),
        "read_request": env.stimulus.read(bank=0),
    }
    env.tb.sources[before].put(offers[before])
    await env.drain()
    await env.tb.step(3)
    for stream, offer in offers.items():
        env.tb.sources[stream].put(offer)
    await env.drain()
    cycles = {stream: env.log[stream][-1].cycle for stream in offers}
    order = sorted(offers, key=lambda stream: cycles[stream])
    expected = {"w": order[0] != "w", "i": order[:2] == ["w", "read_request"],
                "read_request": order[:2] == ["w", "i"]}
    require(expected[before], f"the order after {before} was {', '.join(order)}")


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
        env.w.put(*(env.stimulus.write(bank=1) for _ in range(writes)))
        await env.tb.step(count * (config.vector_latency(bits) + config.write_cycles))
        require(sink.port.waits, f"{stream} offers nothing, though nothing was taken")
        require(len(env.log["w"]) - written == writes, "another bank's writes were held up")
        sink.stalls = env.tb.stalls("none")
        await env.drain()
    await env.finish(outputs=2 * count, rows=2 * count)


@bench_case()
async def reset_in_traffic(dut: Any) -> None:
    """A reset drops what is under way, in whatever state, and leaves the weights."""
    env = await MacroEnvironment.start(dut)
    moments = {name: env.tb.monitors[name].port for name in env.tb.monitors}
    for round_, port in enumerate([*moments.values(), *moments.values()]):
        env.tb.set_stalls("heavy" if round_ % 2 else "light")
        env.i.put(*env.stimulus.vectors(24))
        env.w.put(*(env.stimulus.write() for _ in range(8)))
        env.read_request.put(*(env.stimulus.read() for _ in range(24)))
        await env.tb.step(env.stimulus.below(2 * env.config.vector_latency(8)))
        # Best while this stream's sender waits, if that comes before the end of the traffic.
        for _ in range(100):
            if port.waits:
                break
            await env.tb.step()
        await env.reset(1 + env.stimulus.below(3))
        env.tb.set_stalls("none")
        env.i.put(*(env.stimulus.vector() for _ in range(4)))
        env.read_request.put(*(env.stimulus.read() for _ in range(8)))
        await env.drain()
    await env.finish(outputs=40, rows=80)


@bench_case(stage=1)
async def stimulus_coverage(dut: Any) -> None:
    """The cases above made happen what the configuration allows."""
    env = MacroEnvironment(dut)
    COVERAGE.finish(wanted_events(env.config))
