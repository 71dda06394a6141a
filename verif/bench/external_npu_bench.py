# SPDX-License-Identifier: Apache-2.0
"""The test cases for an NPU with a port to external memory, on top of those for every NPU."""

from typing import Any

from ...hdl.npu.isa import Descriptor, Opcode, Queue
from ...hdl.npu.packets import Memory, Request, Status
from .case import bench_case
from .external_environment import ExternalEnvironment
from .npu_bench import *  # noqa: F403 (its cases are cases of this bench too)
from .npu_environment import COVERAGE
from .stalls import PROFILES

_END = Descriptor(Opcode.END, {})


@bench_case(stalls=list(PROFILES))
async def fetches(dut: Any, stalls: str) -> None:
    """Random programs with weights from external memory; results, memories and cycles."""
    env = await ExternalEnvironment.start(dut)
    env.memory.set_stalls(stalls)
    for _ in range(env.rounds(5)):
        env.stimulus.move()
        env.send(*env.stimulus.data())
        program = env.fetching_program()
        await env.run(program.builder.finish(), program.cycles)
        env.send(*env.stimulus.read_results(), *env.stimulus.read_much(Memory.WEIGHTS))
        await env.drain()
    await env.finish(answers=10)


@bench_case(stalls=["none", "bursts"])
async def long_fetches(dut: Any, stalls: str) -> None:
    """As much as the weight memory takes, from anywhere: full bursts, as many as may be under way.
    """
    env = await ExternalEnvironment.start(dut)
    env.memory.set_stalls(stalls)
    most = env.config.weight_bytes
    for index in range(env.rounds(6)):
        # The first is as long as can be, so that more bursts are wanted than may be under way.
        fetch = env.fetch(most, 1 if index else most)
        await env.run([fetch, _END], 100 * fetch["bytes"])
        env.read_fetched(fetch)
        await env.drain()
    await env.finish(answers=10)


@bench_case(stalls=["none", "heavy"])
async def refused_reads(dut: Any, stalls: str) -> None:
    """A run ends at the first beat that is refused and says which; the next one begins at once.

    It does not get what is still under way of the one before.
    """
    env = await ExternalEnvironment.start(dut)
    env.memory.set_stalls(stalls)
    for _ in range(env.rounds(8)):
        refused = [env.fetch(80) for _ in range(1 + env.stimulus.below(3))]
        other = env.fetch(40)
        cut, whole = await env.prepare([*refused, _END], [other, _END])
        env.send_refused(cut, refused)
        if env.memory.grants(other["source"], other["bytes"]):
            env.send(whole)
        env.read_fetched(*refused, other)
        await env.drain()
        env.memory.refuse(range(0))
    COVERAGE.hit("RUN: BUS_ERROR")
    env.refresh()
    env.send_program(env.fetching_program())
    await env.finish(answers=8)


@bench_case(stalls=["none", "heavy"])
async def resets_while_fetching(dut: Any, stalls: str) -> None:
    """A RESET, or the reset pin, amid bursts: the next program begins at once, and is right."""
    env = await ExternalEnvironment.start(dut)
    env.memory.set_stalls(stalls)
    cut = 0
    for index in range(env.rounds(8)):
        # The last waits in vain.
        first = [env.fetch(600), env.fetch(80), Descriptor(Opcode.FETCH, {"bytes": 32, "wait": 1})]
        other = env.fetch(40)
        runs = await env.prepare([*first, _END], [other, _END])
        env.send_ended(runs[0], Status.ABORTED)
        await env.tb.until(lambda: env.command.idle, "the program to be taken")
        await env.tb.step(60 + env.stimulus.below(400))
        cut += bool(env.memory.under_way)
        if index % 4:
            env.send(env.stimulus.simple(Request.RESET))
        else:
            await env.reset(1 + env.stimulus.below(3))
        env.send(runs[1])
        env.read_fetched(other)
        await env.drain()
    COVERAGE.hit(*["reset amid a burst"] if cut else [])
    env.refresh()
    env.send_program(env.fetching_program())
    await env.finish(answers=8)


@bench_case(stage=1)
async def external_coverage(dut: Any) -> None:
    """The cases above made happen what they are there for."""
    others = [queue.name for queue in Queue if queue is not Queue.FETCH]
    COVERAGE.finish(
        [
            "descriptor: FETCH", "RUN: BUS_ERROR", "reset amid a burst",
            *(f"token: FETCH to {other}" for other in others),
            *(f"token: {other} to FETCH" for other in others),
        ]
    )
