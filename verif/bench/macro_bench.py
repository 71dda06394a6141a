# SPDX-License-Identifier: Apache-2.0
"""The test cases for a macro; run by name in a simulation of it (see `run`)."""

from itertools import product
from typing import Any

import numpy as np

from .case import bench_case
from .check import require
from .macro_coverage import wanted_events
from .macro_environment import COVERAGE, MacroEnvironment
from .macro_timing import held_output, timing, turns
from .macro_writing import banks_at_full_rate, reset_in_write, write_timing
from .stalls import PROFILES

__all__ = [
    "accumulations",
    "banks_at_full_rate",
    "binary_network",
    "corner_values",
    "held_output",
    "random_traffic",
    "read_back",
    "reset_in_traffic",
    "reset_in_write",
    "stimulus_coverage",
    "sums_wrap",
    "timing",
    "turns",
    "write_timing",
]

#: Most steps for which an accumulation is as long as it can be with every kind of values.
_MANY_STEPS = 1024


@bench_case()
async def corner_values(dut: Any) -> None:
    """Extreme weights meet extreme inputs, in every precision, signed and unsigned."""
    env = await MacroEnvironment.start(dut)
    thorough = env.effort == 1 and not env.writes_slowly
    inputs = ("ones", "top", "below_top")
    every = env.stimulus.weight_kinds
    vectors = 0
    for weights in every if thorough else [k for k in every if k not in ("mixed", "sparse")]:
        env.write(*env.stimulus.all_weights(weights))
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
    cycles = sum(env.steps(vector) for vector in vectors)
    reads = env.scaled(100)
    env.i.put(*vectors)
    if env.config.is_writable:
        least = 3 if env.writes_slowly else 8
        writes = max(least, cycles // (2 * env.config.write_interval))
        env.write(*(env.stimulus.write() for _ in range(writes)))
    env.read_request.put(*(env.stimulus.read() for _ in range(reads)))
    outputs = sum(vector["last"] or env.config.accumulations == 1 for vector in vectors)
    await env.finish(outputs=outputs, rows=reads)


@bench_case()
async def accumulations(dut: Any) -> None:
    """The longest sums of the most extreme products fill the output to its last bit."""
    env = await MacroEnvironment.start(dut)
    config = env.config
    most, bits = config.accumulations, config.input_bits
    wide = "wide_" if config.fusion > 1 else ""
    fused = config.fusion - 1
    for weights, inputs, signed in (
        (f"{wide}lowest", "ones", 0), (f"{wide}highest", "ones", 0), (f"{wide}lowest", "top", 1),
        ("random", "random", 1),
    ):
        env.write(*env.stimulus.all_weights(weights))
        await env.drain()
        lengths = {1, 1 + env.stimulus.below(min(most, 8))}
        if most * config.steps(bits) <= _MANY_STEPS or inputs == "top":
            lengths.add(most)
        for length in sorted(lengths):
            fields = {"bits": bits, "signed": signed, "kind": inputs, "fused": fused}
            env.i.put(*env.stimulus.accumulation(length, **fields))
        await env.drain()
    await env.finish(outputs=4)


@bench_case()
async def sums_wrap(dut: Any) -> None:
    """A sum of more vectors than `accumulations` wraps; tried where that takes few cycles."""
    env = await MacroEnvironment.start(dut)
    config = env.config
    most, bits = config.accumulations, config.input_bits
    if most == 1 or most * config.steps(bits) > 256 or not config.is_writable:
        return
    wide = config.fusion > 1
    env.write(*env.stimulus.all_weights("wide_lowest" if wide else "lowest"))
    await env.drain()
    length, fused = 2 * most + 1, config.fusion - 1
    env.i.put(*env.stimulus.accumulation(length, bits=bits, signed=0, kind="ones", fused=fused))
    await env.drain()
    lowest = -1 << config.weight_bits * config.fusion - 1
    exact = length * config.rows * lowest * ((1 << bits) - 1)
    require(env.log["o"][-1].value[0] != exact, "the sum was meant to be too large for the output")
    await env.finish()


@bench_case()
async def binary_network(dut: Any) -> None:
    """Weights of +1 and -1 as 0 and -1, by ``sum(x b) = 2 sum(x w) + sum(x)``, and inputs of +1 and
    -1 as 1 and 0: exact.
    """
    env = await MacroEnvironment.start(dut)
    config, random = env.config, env.stimulus.random
    if config.is_writable:
        weights = random.integers(-1, 1, (config.groups * config.rows_per_group, config.columns))
        for group, rows in enumerate(np.split(weights, config.groups)):
            env.write({"weights": rows.tolist(), "group": group, "bank": 0})
        await env.settle()
        weights = weights[: config.rows]
    elif config.weight_bits == 1:
        weights = np.array(config.rom_weights)
    else:
        return
    signs = 2 * weights + 1
    for bits, signed in product({1, config.input_bits}, (0, 1)):
        vector = env.stimulus.vector(bits=bits, signed=signed, bank=0, fused=0, kind="random")
        env.i.put(vector)
        await env.drain()
        words = np.array(vector["data"]) & (1 << bits) - 1
        inputs = words - (words >> bits - 1 << bits) * signed
        corrected = 2 * np.array(env.log["o"][-1].value) + inputs.sum()
        require((corrected == inputs @ signs).all(), f"weights of +1 and -1, {bits} bits: inexact")
        if bits == 1 and not signed:
            either = 2 * corrected - signs.sum(axis=0)
            require((either == (2 * words - 1) @ signs).all(), "all of +1 and -1: inexact")
    await env.finish(outputs=2)


@bench_case()
async def read_back(dut: Any) -> None:
    """Every row of every bank reads as it was written; rows that do not exist read as zero."""
    env = await MacroEnvironment.start(dut)
    config = env.config
    env.write(*env.stimulus.all_weights("random"))
    await env.drain()
    step = max(1, round(0.3 / env.effort))
    rows = [*range(0, config.rows, step), config.rows - 1, (1 << config.row_bits) - 1]
    requests = [{"row": row, "bank": bank} for bank in range(config.banks) for row in rows]
    env.tb.random.shuffle(requests)
    env.read_request.put(*requests)
    await env.drain()
    if config.is_writable:
        # A group that does not exist is taken and changes nothing.
        env.write(env.stimulus.write(group=(1 << config.group_bits) - 1))
        await env.drain()
    env.read_request.put(*requests)
    await env.finish(outputs=0, rows=2 * len(requests))


@bench_case()
async def reset_in_traffic(dut: Any) -> None:
    """A reset drops what is under way, in whatever state, and leaves the weights."""
    env = await MacroEnvironment.start(dut)
    moments = [monitor.port for monitor in env.tb.monitors.values()]
    rounds = 1 if env.writes_slowly else 2
    for round_, port in enumerate(moments * rounds):
        env.tb.set_stalls("heavy" if round_ % 2 else "light")
        env.i.put(*env.stimulus.vectors(24))
        if env.config.is_writable:
            env.write(*(env.stimulus.write() for _ in range(8)))
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
    await env.finish(outputs=4 * rounds * len(moments), rows=8 * rounds * len(moments))


@bench_case(stage=1)
async def stimulus_coverage(dut: Any) -> None:
    """The cases above made happen what the configuration allows."""
    env = MacroEnvironment(dut)
    COVERAGE.finish(wanted_events(env.config))
