# SPDX-License-Identifier: Apache-2.0
"""The test cases for an NPU behind AXI4-Stream; run by name in a simulation of it (see `run`)."""

from typing import Any

import cocotb
from cocotb.triggers import Timer
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

from ...hdl.npu.latency import ANSWER_CYCLES
from ...hdl.npu.packets import Memory, Request, address, header
from .axi_channels import Channel, Channels
from .axi_environment import AxiEnvironment
from .case import bench_case
from .check import require
from .npu_stimulus import Packet
from .stalls import PROFILES

_COMMAND, _RESPONSE = "s_axis_command_t", "m_axis_response_t"
_PAYLOAD = ("data", "last")


class StreamEnvironment(AxiEnvironment):
    """The drivers of the two streams."""

    def __init__(self, dut: Any) -> None:
        command = Channel(dut, _COMMAND, _PAYLOAD, is_sent=False)
        response = Channel(dut, _RESPONSE, _PAYLOAD, is_sent=True)
        super().__init__(dut, Channels(dut, [command, response]))
        pins = (dut.aclk, dut.aresetn)
        self.source = AxiStreamSource(
            AxiStreamBus.from_prefix(dut, "s_axis_command"), *pins, reset_active_level=False
        )
        self.sink = AxiStreamSink(
            AxiStreamBus.from_prefix(dut, "m_axis_response"), *pins, reset_active_level=False
        )

    @classmethod
    async def start(cls, dut: Any) -> "StreamEnvironment":
        """An environment after a reset."""
        environment = cls(dut)
        await environment.open()
        return environment

    def set_stalls(self, profile: str) -> None:
        for driver in (self.source, self.sink):
            driver.set_pause_generator(self.pauses(profile))

    def send(self, packet: Packet) -> None:
        """Queue a packet."""
        self.source.send_nowait(b"".join(word.to_bytes(4, "little") for word in packet))

    async def receive(self) -> Packet:
        """The next packet that comes."""
        data = bytes((await self.sink.recv()).tdata)
        return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]

    async def transfer(self, packets: list[Packet]) -> list[Packet]:
        for packet in packets:
            self.send(packet)
        return [await self.receive() for _ in packets]

    async def expect_silence(self) -> None:
        require(self.sink.empty(), "an answer came that nobody asked for")


@bench_case(stalls=list(PROFILES))
async def transactions(dut: Any, stalls: str) -> None:
    """Identity, memories, a random program and malformed packets, with pauses on both streams."""
    env = await StreamEnvironment.start(dut)
    env.set_stalls(stalls)
    await env.exchange([env.stimulus.simple(Request.IDENTIFY)])
    for memory in Memory:
        await env.exchange(env.stimulus.access(memory))
    await env.run_program()
    for make in env.malformed.kinds.values():
        await env.exchange([make(), env.stimulus.simple(Request.SYNC, env.stimulus.word())])
    await env.finish(answers=30)


@bench_case()
async def outputs_come_from_registers(dut: Any) -> None:
    """No output follows an input within a cycle."""
    env = await StreamEnvironment.start(dut)
    env.set_stalls("heavy")
    cocotb.start_soon(env.disturb())
    for memory in Memory:
        await env.exchange(env.stimulus.access(memory))
    await env.finish(answers=8)


@bench_case()
async def full_speed(dut: Any) -> None:
    """Words of a WRITE follow each other at once, those of a READ as the memories are read."""
    env = await StreamEnvironment.start(dut)
    words = [env.stimulus.word() for _ in range(60)]
    place = address(Memory.ACTIVATIONS, 0)
    await env.exchange([
        [header(Request.WRITE, 1, len(words)), place, *words],
        [header(Request.READ, 2, len(words)), place],
    ])
    command, response = env.channels[_COMMAND].taken, env.channels[_RESPONSE].taken
    require(command[61] - command[2] == 59, "a WRITE is not taken at a word a cycle")
    pace = ANSWER_CYCLES
    is_paced = response[-1] - response[-60] == pace * 59
    require(is_paced, f"a READ is not answered at a word in {pace} cycles")
    await env.finish(answers=2)


@bench_case()
async def resets(dut: Any) -> None:
    """A reset amid a packet, an answer or a program leaves nothing behind but memories."""
    env = await StreamEnvironment.start(dut)
    for index in range(6):
        env.set_stalls(("none", "heavy")[index % 2])
        await env.exchange(env.stimulus.data())
        packets, run = env.stuck_program()
        await env.exchange(packets)
        cut = [*env.stimulus.access(Memory.ACTIVATIONS), *env.stimulus.read_results()]
        cut += [run] if index % 3 == 0 else []
        for packet in cut:
            env.send(packet)
        await env.step(env.random.randrange(20 if index % 3 else 2000))
        dut.aresetn.value = 0
        env.source.clear()
        await env.step(1 + index % 3)
        dut.aresetn.value = 1
        await env.step()
        env.sink.clear()
        await env.recover(cut)
    await env.run_program()
    await env.finish(answers=20)


@bench_case()
async def a_reset_is_seen_at_once(dut: Any) -> None:
    """Ready and an offered answer fall with `aresetn`, before the next edge of the clock."""
    env = await StreamEnvironment.start(dut)
    await env.step(10)
    require(bool(int(dut.s_axis_command_tready.value)), "a packet is not taken after a reset")
    dut.aresetn.value = 0
    await Timer(1, "ns")
    require(not int(dut.s_axis_command_tready.value), "ready in a reset")
    await env.step(2)
    dut.aresetn.value = 1
    await env.step()
    env.sink.pause = True
    env.send(env.stimulus.simple(Request.SYNC, 1))
    await env.step(20)
    require(bool(int(dut.m_axis_response_tvalid.value)), "no answer is offered")
    dut.aresetn.value = 0
    await Timer(1, "ns")
    require(not int(dut.m_axis_response_tvalid.value), "valid in a reset")
    await env.step(2)
    env.sink.pause = False
    dut.aresetn.value = 1
    await env.step(20)
    await env.expect_silence()
    await env.finish(answers=1)
