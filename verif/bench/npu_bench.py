# SPDX-License-Identifier: Apache-2.0
"""The test cases for an NPU; run by name in a simulation of it (see `run`)."""

from typing import Any

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.packets import Memory, Request, Status, header
from ...hdl.npu.watchdog import patience
from ..timing.npu import predict
from .case import bench_case, bench_config
from .check import require
from .npu_coverage import wanted_events
from .npu_environment import COVERAGE, NpuEnvironment
from .stalls import PROFILES


@bench_case()
async def first_contact(dut: Any) -> None:
    """Identity, echo, and what memories and counters hold before anything was written."""
    env = await NpuEnvironment.start(dut)
    send, stimulus = env.send, env.stimulus
    send(stimulus.simple(Request.COUNTERS), stimulus.simple(Request.IDENTIFY))
    for memory in Memory:
        send(*stimulus.read_much(memory))
    for _ in range(20):
        send(stimulus.simple(Request.SYNC, stimulus.word()), stimulus.simple(Request.RESET))
    send(stimulus.simple(Request.COUNTERS), stimulus.simple(Request.IDENTIFY))
    await env.finish(answers=50)


@bench_case(stalls=list(PROFILES))
async def memories(dut: Any, stalls: str) -> None:
    """Reads and writes of all lengths, all over the memories, and at their ends."""
    env = await NpuEnvironment.start(dut)
    env.tb.set_stalls(stalls)
    for _ in range(env.rounds(12)):
        for memory in Memory:
            env.send(*env.stimulus.access(memory))
        await env.drain()
    await env.finish(answers=16)


@bench_case(stalls=list(PROFILES))
async def programs(dut: Any, stalls: str) -> None:
    """Random programs on random data, their results and all memories afterwards."""
    env = await NpuEnvironment.start(dut)
    await _random_programs(env, stalls)


@bench_case(stalls=["none", "heavy"])
async def sliding_windows(dut: Any, stalls: str) -> None:
    """Windows that keep what they share with the one before, where macros have rows enough."""
    env = await NpuEnvironment.start(dut)
    if env.config.macro.rows <= env.config.activation_port:
        return
    await _random_programs(env, stalls, slides=True)


async def _random_programs(env: NpuEnvironment, stalls: str, slides: bool = False) -> None:
    env.tb.set_stalls(stalls)
    for _ in range(env.rounds(8)):
        env.stimulus.move()
        env.send(*env.stimulus.data())
        for _ in range(2):
            env.send_program(env.program(slides))
            env.send(env.stimulus.simple(Request.COUNTERS), *env.stimulus.read_results())
        await env.drain()
    await env.finish(answers=10)


@bench_case()
async def roundings(dut: Any) -> None:
    """Results at and next to ties, under both rules."""
    env = await NpuEnvironment.start(dut)
    for _ in range(env.rounds(30)):
        env.send(*env.stimulus.tie_data())
        env.send_descriptors(env.stimulus.tie_program())
        env.send(*env.stimulus.read_results())
        await env.drain()
    await env.finish(answers=20)


@bench_case(stalls=["none", "heavy"])
async def malformed_packets(dut: Any, stalls: str) -> None:
    """Each gets its one answer, changes nothing it should not, and the next request is in order."""
    env = await NpuEnvironment.start(dut)
    env.tb.set_stalls(stalls)
    for _ in range(env.rounds(6)):
        for make in env.malformed.kinds.values():
            env.send(make())
            if env.stimulus.chance(0.5):
                env.send(env.stimulus.simple(Request.SYNC, env.stimulus.word()))
            else:
                env.send(*env.stimulus.access(Memory(env.stimulus.below(len(Memory)))))
        await env.drain()
    await env.finish(answers=40)


@bench_case()
async def resets_by_packet(dut: Any) -> None:
    """A RESET ends a program at any moment, and after it everything works as before."""
    env = await NpuEnvironment.start(dut)
    env.send(*env.stimulus.data())
    for _ in range(env.rounds(16)):
        program = env.program()
        cycles = predict(env.config, program.builder.finish()).cycles
        env.send_program(program, ended=Status.ABORTED)
        await env.tb.until(lambda: env.command.idle, "the program to be taken")
        # At its end it stands still, and the watchdog leaves it so for some time.
        await env.tb.step(env.stimulus.below(cycles + patience(env.config) // 2))
        env.send(env.stimulus.simple(Request.RESET), env.stimulus.simple(Request.COUNTERS))
        env.refresh()
        env.send_program(env.program())
        env.send(env.stimulus.simple(Request.COUNTERS), *env.stimulus.read_results())
        await env.drain()
    await env.finish(answers=8)


@bench_case()
async def deadlocks(dut: Any) -> None:
    """A program that waits in vain ends by itself, and what stands behind it gets its turn."""
    env = await NpuEnvironment.start(dut)
    stimulus = env.stimulus
    env.send(*stimulus.data())
    for _ in range(env.rounds(4)):
        env.send_program(env.program(), ended=Status.DEADLOCK)
        env.send(stimulus.simple(Request.SYNC, stimulus.word()), stimulus.simple(Request.RESET))
        env.refresh()
        env.send_program(env.program())
        env.send(stimulus.simple(Request.COUNTERS), *stimulus.read_results())
        await env.drain()
    await env.finish(answers=8)


@bench_case()
async def bad_descriptors(dut: Any) -> None:
    """A program with a descriptor that no hardware takes ends there, and says where."""
    env = await NpuEnvironment.start(dut)
    env.send(*env.stimulus.data())
    for _ in range(env.rounds(8)):
        program = env.program()
        whole = [descriptor.encode() for descriptor in program.builder.finish()][:-1]
        env.allow(program.cycles)
        # By itself some times, then behind other descriptors, which may be at work.
        for before in (*[[]] * 6, whole):
            packets, run = env.stimulus.run_words([*before, env.stimulus.bad_descriptor()])
            env.send(*packets, run, env.stimulus.simple(Request.SYNC, 1))
        # And one that comes to the end of the memory.
        packets, run = env.stimulus.run_words(whole, at_end=True)
        env.send(*packets, run)
        env.refresh()
        env.send_program(env.program())
        env.send(*env.stimulus.read_results())
        await env.drain()
    await env.finish(answers=8)


@bench_case()
async def programs_in_a_row(dut: Any) -> None:
    """The next program begins at once: loaded weights are there, and nothing else is left."""
    env = await NpuEnvironment.start(dut)
    for _ in range(env.rounds(8)):
        env.send(*env.stimulus.data())
        packets, runs = env.stimulus.in_a_row()
        env.allow(env.config.macro.groups * env.load_cycles)
        env.send(*packets, *runs, *env.stimulus.read_results())
        await env.drain()
    await env.finish(answers=8)


@bench_case()
async def requests_wait_for_a_run(dut: Any) -> None:
    """Whatever is sent while a program runs waits for its end, a malformed RESET too."""
    env = await NpuEnvironment.start(dut)
    stimulus = env.stimulus
    for index in range(env.rounds(6)):
        env.send(*stimulus.data())
        env.send_program(env.program())
        if index % 2:
            env.send([header(Request.RESET, stimulus.below(256)), stimulus.word()])
        else:
            env.send(*stimulus.read_results(), stimulus.simple(Request.RESET))
        env.send(stimulus.simple(Request.COUNTERS))
    await env.finish(answers=10)


@bench_case()
async def held_answers(dut: Any) -> None:
    """Answers that nobody takes for long hold up what is behind them, and lose nothing."""
    env = await NpuEnvironment.start(dut)
    for _ in range(3):
        env.response.hold()
        env.send(*env.stimulus.data(), *env.stimulus.read_results())
        env.send_program(env.program())
        env.send(*env.stimulus.read_results())
        await env.tb.step(500)
        require(env.response.port.waits, "no answer is offered, though none was taken")
        env.tb.set_stalls("none")
        await env.drain()
    await env.finish(answers=20)


@bench_case()
async def resets_by_pin(dut: Any) -> None:
    """A reset in the middle of anything leaves the memories and a working design."""
    env = await NpuEnvironment.start(dut)
    for index in range(env.rounds(9)):
        env.tb.set_stalls("heavy" if index % 2 else "none")
        env.send(*env.stimulus.data())
        await env.drain()
        cycles = 400
        if index % 3:
            program = env.program()
            env.send_program(program)
            cycles += program.cycles // 4
        env.send(*env.stimulus.access(Memory.ACTIVATIONS), *env.stimulus.read_results())
        await env.tb.step(env.stimulus.below(cycles))
        await env.reset(1 + env.stimulus.below(3))
        env.tb.set_stalls("none")
        env.send(*env.read_all())
        env.refresh()
        env.send_program(env.program())
        env.send(*env.stimulus.read_results())
        await env.drain()
    await env.finish(answers=9)


@bench_case(stage=1)
async def stimulus_coverage(dut: Any) -> None:
    """The cases above made happen what they are there for."""
    COVERAGE.finish(wanted_events(bench_config(NpuConfig)))
