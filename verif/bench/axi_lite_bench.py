# SPDX-License-Identifier: Apache-2.0
"""The test cases for an NPU behind AXI4-Lite; run by name in a simulation of it (see `run`)."""

from typing import Any

import cocotb
from cocotb.triggers import Timer

from ...hdl.link.axi_lite_port import Resp
from ...hdl.link.register_map import (
    COMMAND_DATA,
    COMMAND_LAST,
    CONTROL,
    ID,
    MAP_VERSION,
    RESPONSE_DATA,
    STATUS,
    VERSION,
)
from ...hdl.npu.packets import MAGIC, Memory, Request, response_header
from ..golden.packets import Status
from .axi_lite_environment import AxiLiteEnvironment
from .case import bench_case
from .check import require
from .stalls import PROFILES

_AW, _W, _B, _AR, _R = (f"s_axi_{name}" for name in ("aw", "w", "b", "ar", "r"))


@bench_case()
async def registers_at_rest(dut: Any) -> None:
    """What each register holds after a reset; the two low bits of an address do not count."""
    env = await AxiLiteEnvironment.start(dut)
    depth = env.wrapper.fifo_depth
    for low in range(4):
        for register, value in (
            (ID, MAGIC),
            (VERSION, MAP_VERSION | depth << 16),
            (CONTROL, 0),
            (STATUS, depth << 8),
        ):
            answer = await env.bounded(env.master.read(register.offset + low, 4 - low))
            expected = value.to_bytes(4, "little")[low:]
            require(answer.data == expected, f"{register.name} reads as {answer.data.hex()}")
    await env.finish(answers=4)


@bench_case(stalls=list(PROFILES))
async def transactions(dut: Any, stalls: str) -> None:
    """Memories, a program and malformed packets amid refused accesses, pauses on all channels."""
    env = await AxiLiteEnvironment.start(dut)
    env.set_stalls(stalls)

    async def refused() -> None:
        while True:
            await env.refused_write()
            await env.refused_read()
            await env.step(env.random.randrange(60))

    task = cocotb.start_soon(refused())
    await env.exchange([env.stimulus.simple(Request.IDENTIFY)])
    for memory in Memory:
        await env.exchange(env.stimulus.access(memory))
    await env.run_program()
    for make in env.malformed.kinds.values():
        await env.exchange([make(), env.stimulus.simple(Request.SYNC, env.stimulus.word())])
    task.cancel()
    await env.master.wait()
    await env.finish(answers=30)


@bench_case()
async def outputs_come_from_registers(dut: Any) -> None:
    """No output follows an input within a cycle."""
    env = await AxiLiteEnvironment.start(dut)
    env.set_stalls("heavy")
    cocotb.start_soon(env.disturb())
    for memory in Memory:
        await env.exchange(env.stimulus.access(memory))
    await env.finish(answers=8)


@bench_case()
async def refusals(dut: Any) -> None:
    """Every kind of refused access, often, between the words of a packet, which is untouched."""
    env = await AxiLiteEnvironment.start(dut)
    await env.control(INTERRUPT_ENABLE=1)
    for _ in range(40):
        await env.refused_write()
        await env.refused_read()
        value, resp = await env.read(RESPONSE_DATA.offset)
        require((value, resp) == (0, Resp.SLVERR), "there is a word where no answer is")
        space = await env.get(STATUS, "COMMAND_SPACE")
        require(space == env.wrapper.fifo_depth, "a refused write takes a place")
    require(await env.get(CONTROL) == 2, "a refused write changes CONTROL")
    await env.exchange([env.stimulus.simple(Request.SYNC, env.stimulus.word())])
    await env.finish(answers=1)


@bench_case()
async def full_fifos(dut: Any) -> None:
    """What nobody takes fills both FIFOs; a word too many is refused, and none is lost."""
    env = await AxiLiteEnvironment.start(dut)
    depth, sent, word = env.wrapper.fifo_depth, [], env.stimulus.word()
    header = env.stimulus.simple(Request.SYNC)[0]
    for index in range(8 * depth):
        register, value = ((COMMAND_DATA, header), (COMMAND_LAST, word + index))[index % 2]
        if await env.get(STATUS, "COMMAND_SPACE"):
            await env.put(register, value & 0xFFFFFFFF)
            sent.append(value & 0xFFFFFFFF)
        await env.step(8)
    require(len(sent) >= 2 * depth, f"only {len(sent)} words went into FIFOs of {depth}")
    require(await env.get(STATUS, "RESPONSE_LEVEL") == depth, "the FIFO of answers is not full")
    for register in (COMMAND_DATA, COMMAND_LAST):
        for _ in range(3):
            resp = await env.write(register.offset, 0)
            require(resp is Resp.SLVERR, f"a full FIFO takes {register.name}: {resp.name}")
    right = response_header(Request.SYNC, header >> 8 & 0xFF, Status.OK)
    for value in sent[1::2]:
        answer = await env.bounded(env.receive())
        require(answer == [right, value], f"answer {answer} to SYNC {value:#x}")
    if len(sent) % 2:
        await env.put(COMMAND_LAST, 0)
        await env.bounded(env.receive())
    await env.finish(answers=4)


@bench_case()
async def latency_and_speed(dut: Any) -> None:
    """A response 2 cycles after a write and 1 after a read; a write and a read in 2 cycles each."""
    env = await AxiLiteEnvironment.start(dut)
    for _ in range(3):
        await env.put(CONTROL, 0)
        await env.get(ID)
        await env.step(3)
    aw, w, b, ar, r = (env.channels[name] for name in (_AW, _W, _B, _AR, _R))
    for index in range(3):
        later = max(aw.taken[index], w.taken[index])
        require(b.offered[index] == later + 2, "a write is not answered after 2 cycles")
        require(r.offered[index] == ar.taken[index] + 1, "a read is not answered after 1 cycle")
    writes = [env.master.init_write(CONTROL.offset, bytes(4)) for _ in range(40)]
    reads = [env.master.init_read(ID.offset, 4) for _ in range(40)]
    for event in (*writes, *reads):
        await env.bounded(event.wait())
    for name in (_B, _R):
        taken = env.channels[name].taken[-40:]
        require(taken[-1] - taken[0] == 2 * 39, f"{name}: 40 accesses in {taken[-1] - taken[0]}")
    await env.finish(answers=4)


@bench_case()
async def channels_apart(dut: Any) -> None:
    """Address and data of a write in any order, any time apart; a response that is not taken."""
    env = await AxiLiteEnvironment.start(dut)
    drivers = env.drivers
    for late in ("aw", "w") * 3:
        drivers[late].pause = True
        before = env.channels.count(f"s_axi_{late}")
        write = env.master.init_write(CONTROL.offset, b"\2\0\0\0")
        await env.step(4 + env.random.randrange(20))
        early = _W if late == "aw" else _AW
        require(env.channels.count(early) == before + 1, f"{early} waits for {late}")
        require(env.channels.count(_B) == before, "a write of one half is answered")
        drivers[late].pause = False
        await env.bounded(write.wait())
    require(await env.get(CONTROL) == 2, "CONTROL is not what was written")
    drivers["b"].pause = drivers["r"].pause = True
    writes = [env.master.init_write(CONTROL.offset, bytes([n, 0, 0, 0])) for n in (2, 0, 2)]
    reads = [env.master.init_read(ID.offset, 4) for _ in range(3)]
    await env.step(40)
    require(bool(int(dut.s_axi_bvalid.value) & int(dut.s_axi_rvalid.value)), "no response waits")
    drivers["b"].pause = drivers["r"].pause = False
    for event in (*writes, *reads):
        await env.bounded(event.wait())
    require(await env.get(CONTROL) == 2, "writes are out of order")
    await env.finish(answers=4)


@bench_case()
async def interrupts(dut: Any) -> None:
    """`irq` is high while an answer waits, if CONTROL enables it."""
    env = await AxiLiteEnvironment.start(dut)
    for enable in (0, 1, 1, 0):
        await env.control(INTERRUPT_ENABLE=enable)
        require(await env.get(CONTROL) == enable << 1, "CONTROL does not read back")
        require(not int(dut.irq.value), "an interrupt without an answer")
        await env.send(env.stimulus.simple(Request.SYNC, 1))
        await env.step(20)
        require(int(dut.irq.value) == enable, f"irq with an answer and enable {enable}")
        await env.receive()
        await env.step(2)
        require(not int(dut.irq.value), "an interrupt outlasts the answer")
    await env.finish(answers=4)


@bench_case()
async def resets_by_register(dut: Any) -> None:
    """CONTROL ends a program, half a packet and answers that wait, and gets its own response."""
    env = await AxiLiteEnvironment.start(dut)
    for index in range(4):
        await env.exchange(env.stimulus.data())
        packets, run = env.stuck_program()
        await env.exchange(packets)
        cut = [env.stimulus.simple(Request.IDENTIFY)] if index % 2 else [run]
        for packet in cut:
            await env.send(packet)
        await env.put(COMMAND_DATA, env.stimulus.simple(Request.SYNC)[0])
        await env.step(env.random.randrange(200))
        env.drivers["b"].pause = index >= 2
        write = env.master.init_write(CONTROL.offset, bytes([1, 0, 0, 0]))
        await env.step(12)
        env.drivers["b"].pause = False
        await env.bounded(write.wait())
        require(await env.get(STATUS) == env.wrapper.fifo_depth << 8, "the FIFOs are not empty")
        require(await env.get(CONTROL) == 0, "RESET reads as 1")
        await env.exchange([env.stimulus.simple(Request.SYNC, index)])
        await env.recover(cut)
    await env.run_program()
    await env.finish(answers=20)


@bench_case()
async def resets_by_pin(dut: Any) -> None:
    """A reset amid accesses, packets and programs leaves nothing behind but memories."""
    env = await AxiLiteEnvironment.start(dut)
    for index in range(4):
        env.set_stalls(("none", "heavy")[index % 2])
        await env.exchange(env.stimulus.data())
        packets, run = env.stuck_program()
        await env.exchange(packets)
        await env.control(INTERRUPT_ENABLE=1)
        cut = [run] if index % 3 == 0 else [env.stimulus.simple(Request.IDENTIFY)]
        await env.send(cut[0])
        for _ in range(6):
            env.master.init_write(COMMAND_DATA.offset, bytes(4))
            env.master.init_read(STATUS.offset, 4)
        await env.step(env.random.randrange(30))
        dut.aresetn.value = 0
        await Timer(1, "ns")
        for channel in env.channels.all.values():
            channel.check_reset()
        await env.step(1 + index % 3)
        dut.aresetn.value = 1
        for channel in env.channels.all.values():
            channel.forget()
        await env.step()
        require(await env.get(STATUS) == env.wrapper.fifo_depth << 8, "the FIFOs are not empty")
        require(await env.get(CONTROL) == 0, "a reset leaves the interrupt enabled")
        await env.recover(cut)
    await env.run_program()
    await env.finish(answers=20)
