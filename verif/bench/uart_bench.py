# SPDX-License-Identifier: Apache-2.0
"""The test cases for an NPU behind a serial line; run by name in a simulation of it (see `run`).

The host's end is the one that `cimple run` uses.
"""

from typing import Any

from ...hdl.link.frame_receiver import patience
from ...hdl.link.frames import FRAME_WORDS, Answer, Command, LinkEvent
from ...hdl.npu.isa import Descriptor
from ...hdl.npu.packets import Memory, Request, address, header
from ...host.devices.frame_codec import command_frame, open_frame
from ...host.devices.host_link import LinkError
from ..timing.npu import predict
from .case import bench_case
from .check import require
from .serial_line import BREAK, SILENCE, Symbol, bits_of, raw
from .uart_environment import UartEnvironment, now

#: Share of the line's bytes that bulk writes must reach as payload.
_THROUGHPUT = 0.8

#: Vectors of a program that may take longer than a frame with a RESET, such a frame's bytes and
#: some more, and how many programs are drawn.
_LONG_RUN, _RESET_BYTES, _DRAWS = 1000, 24, 50


@bench_case(deviation=[-2.0, 0.0, 2.0])
async def transactions(dut: Any, deviation: float) -> None:
    """All kinds of packets at a baud rate that is exact or 2 % off, and not one error counted."""
    env = await UartEnvironment.start(dut, deviation=deviation)
    await env.exchange([env.stimulus.simple(Request.IDENTIFY)])
    for memory in Memory:
        await env.exchange(env.stimulus.access(memory))
    if not env.is_slow or deviation == 0:
        await env.run_program()
    for make in env.malformed.kinds.values():
        await env.exchange([make(), env.stimulus.simple(Request.SYNC, env.stimulus.word())])
    await env.finish(answers=30)
    require(env.host.timeouts == env.host.commands.resent == 0, "something was sent again")
    counts = {event.name: n for event, n in (await env.report()).counters.items() if n}
    require(not counts, f"errors were counted: {counts}")


@bench_case()
async def bulk_writes(dut: Any) -> None:
    """The bytes of long WRITEs take most of the line's time."""
    env = await UartEnvironment.start(dut)
    words = [env.stimulus.word() | 0x01010101 for _ in range(env.config.activation_bytes // 4)]
    packet = [header(Request.WRITE, 1, len(words)), address(Memory.ACTIVATIONS, 0), *words]
    started = now()
    await env.exchange([packet, packet])
    seconds = now() - started
    share = 2 * 4 * len(words) * env.byte_seconds / seconds
    dut._log.info("%.1f %% of the line's bytes are payload of WRITEs", 100 * share)
    require(share >= _THROUGHPUT, f"payload is only {100 * share:.1f} % of the line's bytes")
    await env.finish(answers=2)


@bench_case()
async def long_answers(dut: Any) -> None:
    """An answer longer than the buffer waits for its acknowledgements, and loses nothing."""
    env = await UartEnvironment.start(dut)
    words = env.config.activation_bytes // 4
    require(words >= 2 * FRAME_WORDS, "the memory is too small for this case")
    place = address(Memory.ACTIVATIONS, 0)
    # Hardly a byte is zero, for the longest blocks of COBS.
    values = [env.stimulus.word() | 0x01010101 for _ in range(words)]
    await env.exchange([[header(Request.WRITE, 2, words), place, *values]])
    read = [header(Request.READ, 1, words), place]
    await env.exchange([read] * (2 + 2 * env.wrapper.buffer_words // words))
    await env.finish(answers=3)


@bench_case()
async def noise(dut: Any) -> None:
    """Faults of all kinds in both directions: each packet is carried out once, all are answered."""
    env = await UartEnvironment.start(dut, noise=0.25)
    while (env.up.events + env.down.events).total() < (10 if env.is_slow else 60):
        await env.exchange(env.simple_traffic())
    env.up.is_on = env.down.is_on = False
    await env.finish(answers=4)


@bench_case()
async def reset_by_packet(dut: Any) -> None:
    """A RESET ends a program whose answer is awaited."""
    env = await UartEnvironment.start(dut)
    await env.exchange(env.stimulus.data())
    packets, run = env.stimulus.run(_long_program(env))
    await env.exchange(packets)
    reset = env.stimulus.simple(Request.RESET)
    expected = [env.model.abort(run), env.model.expect(reset)]
    for right, answer in zip(expected, await env.transfer([run, reset]), strict=True):
        difference = right.difference(answer)
        require(difference is None, f"the program was not ended: {difference}")
    await env.recover([])
    await env.run_program()
    await env.finish(answers=10)


def _long_program(env: UartEnvironment) -> list[Descriptor]:
    """A program that surely runs until a frame has come."""
    frame = _RESET_BYTES * 10 * env.wrapper.divisor
    for _ in range(_DRAWS):
        program = env.stimulus.program(_LONG_RUN).builder.finish()
        if predict(env.config, program).cycles > frame:
            return program
    raise AssertionError(f"no program takes {frame} cycles")


@bench_case()
async def resets_in_a_frame(dut: Any) -> None:
    """A host, or the device, begins anew amid a frame: nothing is carried out twice."""
    env = await UartEnvironment.start(dut)
    for index in range(2 if env.is_slow else 6):
        cut = [*env.stimulus.access(Memory.ACTIVATIONS), *env.stimulus.read_results()]
        for packet in cut:
            env.send(packet)
        for _ in range(env.random.randrange(4)):
            await env.driver.send(env.host.poll(now()))
        frame = env.host.poll(now()) or command_frame(Command.LAST, 0, 0, [Request.RESET])
        await env.driver.send(frame[: env.random.randrange(1, len(frame))])
        if index % 2:
            env.set_reset(True)
            await env.step(2)
            env.set_reset(False)
            await _expect_refusal(env)
        await env.connect()
        await env.recover(cut)
    await env.run_program()
    await env.finish(answers=8)


@bench_case()
async def half_a_packet(dut: Any) -> None:
    """The NPU does not wait for the rest of a packet of which the host has gone."""
    env = await UartEnvironment.start(dut)
    sync = [header(Request.SYNC, 1), 2]
    half = [header(Request.WRITE, 1, 8), address(Memory.ACTIVATIONS, 0)]
    await env.ask(command_frame(Command(0), 0, 0, half))
    require(env.reached.rest == half, "the NPU did not get the packet's beginning")
    env.meant.append(half)
    await env.connect()
    await env.exchange([sync])
    await env.finish(answers=1)


async def _expect_refusal(env: UartEnvironment) -> None:
    """A host that does not know of the reset is told, and nothing is carried out."""
    env.reached.rest.clear()
    before = len(env.reached.packets)
    try:
        await env.pump(lambda: False)
    except LinkError as error:
        require("was reset" in str(error), f"the host says: {error}")
    require(len(env.reached.packets) == before, "a packet was carried out without a session")
    require(not env.reached.rest, "words were passed on without a session")


@bench_case()
async def repeated_frames(dut: Any) -> None:
    """A frame that comes again is not carried out again, and its answer can be had again."""
    env = await UartEnvironment.start(dut)
    sync = [header(Request.SYNC, 7), 0x12345678]
    frame = command_frame(Command.LAST, 0, 0, sync)
    answers = await env.ask([*frame, *frame, *frame])
    require(env.reached.packets == [sync], "a repeated frame was carried out again")
    first = [one for one in answers if one.words]
    require(len(first) == 1, f"{len(first)} frames with an answer")
    for _ in range(2):
        again = await env.ask(command_frame(Command.RESEND, len(sync), 0))
        again = [one for one in again if one.words]
        require(again == first, "what is sent again is not what was sent before")
    # What was never sent has not come: an acknowledgement of it changes nothing.
    for ack in (3, 2047, 4095):
        again = await env.ask(command_frame(Command.RESEND, len(sync), ack))
        require([one for one in again if one.words] == first, f"acknowledgement {ack} counts")
    # What is acknowledged is not kept. An old acknowledgement does not bring it back.
    for ack in (2, 0):
        later = await env.ask(command_frame(Command.RESEND, len(sync), ack))
        require(not any(one.words for one in later), "an acknowledged answer was sent again")
    # The frame that began the session does not begin another one.
    begin = open_frame(env.host.session)
    await env.ask([*begin, *command_frame(Command.LAST, len(sync), 2, sync)])
    require(env.reached.packets == [sync, sync], "the session has begun anew")
    env.meant += [sync, sync]
    await env.connect()
    await env.finish(answers=1)


@bench_case()
async def counters(dut: Any) -> None:
    """Each kind of fault is counted by its own counter, and by no other."""
    env = await UartEnvironment.start(dut)
    for event, symbols in _faults().items():
        before = await env.report()
        await env.ask(symbols)
        counts = (await env.report()).since(before)
        require(counts == {event: 1}, f"{event.name} has counted {counts}")
    require(not env.reached.packets, "a faulty frame was carried out")
    await env.finish(answers=1)


def _faults() -> dict[LinkEvent, list[Symbol]]:
    """Symbols that each counter counts once, where that takes no time and no other session."""
    sound = list(command_frame(Command.LAST, 0, 0, [1, 2]))
    wrong = sound.copy()
    wrong[5] ^= 4
    # A byte of which the stop bit is missing.
    no_stop = raw(bits_of(0x5A) & 0x1FF)
    return {
        LinkEvent.FRAMING: [*sound[:5], no_stop, SILENCE, *sound[6:]],
        LinkEvent.BREAK: [*sound[:5], *BREAK, SILENCE, *sound[6:]],
        LinkEvent.SHORT: [*sound[:7], 0],
        LinkEvent.LONG: list(command_frame(Command.LAST, 0, 0, [5] * (FRAME_WORDS + 1))),
        LinkEvent.CHECKSUM: wrong,
        LinkEvent.REPEAT: list(command_frame(Command.LAST, -3, 0, [1, 2])),
        LinkEvent.AHEAD: list(command_frame(Command.LAST, 3, 0, [1, 2])),
    }


@bench_case()
async def words_without_a_session(dut: Any) -> None:
    """A device that was reset takes no words, and says that it has no session."""
    env = await UartEnvironment.start(dut)
    before = await env.report()
    env.set_reset(True)
    await env.step(2)
    env.set_reset(False)
    answers = await env.ask(command_frame(Command.LAST, 0, 0, [Request.RESET]))
    require(len(answers) == 1, f"{len(answers)} frames came")
    require(Answer.OPEN not in answers[0].flags, "there is a session after a reset")
    require(not env.reached.packets, "words were taken without a session")
    await env.connect()
    # What was counted outlasts a reset.
    require((await env.report()).since(before) == {LinkEvent.CLOSED: 1}, "it was not counted")
    await env.finish(answers=1)


@bench_case()
async def unfinished_frames(dut: Any) -> None:
    """A frame that does not go on is given up after a while, and not before."""
    env = await UartEnvironment.start(dut)
    frame = list(command_frame(Command.LAST, 0, 0, [Request.RESET]))
    bits = patience(env.wrapper) / env.wrapper.divisor
    for share, event in ((0.95, LinkEvent.SHORT), (1.05, LinkEvent.TIMEOUT)):
        before = await env.report()
        await env.driver.send(frame[:6])
        await env.driver.rest(share * bits)
        await env.ask([0])
        counts = (await env.report()).since(before)
        require(counts == {event: 1}, f"after {share} of its time a frame has counted {counts}")
    await env.finish(answers=1)


@bench_case()
async def full_buffers(dut: Any) -> None:
    """Answers that nobody takes hold the NPU, then requests are dropped; none is lost for good."""
    env = await UartEnvironment.start(dut)
    count = 2 * env.wrapper.buffer_words
    packets = [[header(Request.SYNC, tag % 256), env.stimulus.word()] for tag in range(count)]
    expected = [env.model.expect(packet) for packet in packets]
    for packet in packets:
        env.send(packet)
    # The host hears nothing at first.
    while frame := env.host.poll(now()):
        await env.driver.send(frame)
    env.line.take()
    for right, answer in zip(expected, await env.collect(count), strict=True):
        difference = right.difference(answer)
        require(difference is None, f"answer to a SYNC: {difference}")
    report = await env.report()
    require(report.counters[LinkEvent.NO_ROOM] > 0, "there was room for everything")
    await env.finish(answers=1)
