# SPDX-License-Identifier: Apache-2.0
"""An NPU in a wrapper, joined to its golden model: both get the same packets."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer, with_timeout

from ...hdl.link.config import WrapperConfig
from ...hdl.npu.config import WORD_BYTES, NpuConfig
from ...hdl.npu.packets import Memory, Request, memory_bytes
from ..golden.npu import NpuModel
from .axi_channels import Channels
from .case import bench_config, report_alive
from .check import require
from .external_memory import EXTERNAL_BYTES, ExternalMemory, contents
from .npu_malformed import MalformedPackets
from .npu_stimulus import NpuStimulus, Packet
from .protocol import WRAPPER_VARIABLE
from .stalls import stalls

__all__ = ["AxiEnvironment"]

#: Simulated time of a cycle, in ns.
_PERIOD = 10
#: Share of the usual number of stimuli: the NPU itself has a bench of its own.
_EFFORT = 0.3
#: Cycles that a packet and its answer take at most, stalls included.
_PATIENCE = 20_000

#: The models of the cases so far; None where a case failed. Memories survive from case to case.
_left: list[NpuModel | None] = []


class AxiEnvironment(ABC):
    """Clock, reset, model and the comparison of answers; a subclass knows the transport."""

    def __init__(self, dut: Any, channels: Channels) -> None:
        self.dut = dut
        self.channels = channels
        self.config = bench_config(NpuConfig)
        self.wrapper = WrapperConfig.from_mapping(
            json.loads(os.environ[WRAPPER_VARIABLE]), source=WRAPPER_VARIABLE
        )
        seed = cocotb.RANDOM_SEED
        self.random = Random(seed)
        self.stimulus = NpuStimulus(self.config, seed, _EFFORT)
        self.malformed = MalformedPackets(self.config, self.stimulus.random)
        self.memory, external = self._attach_memory()
        self.model = NpuModel(self.config, seed, external=external)
        self.answers = 0
        self._edge = RisingEdge(dut.aclk)

    def _attach_memory(self) -> tuple[ExternalMemory | None, bytes]:
        """What is at the NPU's external port, if it has one, and its contents."""
        if not self.config.external_port:
            return None, b""
        memory = ExternalMemory(
            self.dut, self.config, self.random, self.dut.aclk, self.dut.aresetn, is_wrapped=True
        )
        return memory, contents()

    async def open(self) -> None:
        """Start clock and watch, and reset the design."""
        self.dut.aresetn.value = 0
        await Timer(1, "ns")
        # Our main program for Verilator, `clocked.cpp`, toggles the clock by itself.
        if "verilator" not in cocotb.SIM_NAME.lower():
            Clock(self.dut.aclk, _PERIOD, "ns", impl="gpi").start()
        cocotb.start_soon(self._watch())
        if self.memory is not None:
            self.memory.set_stalls("light")
        await self.step(2)
        self.dut.aresetn.value = 1
        await self.step()
        if _left and (model := _left[-1]) is not None:
            self.model = model
        self.model.lose_counters()
        recovers = bool(_left) and _left[-1] is None
        _left.append(None)
        if recovers:
            await self.exchange(self._clear_memories())
            self.model.forget_weights()
            await self._refresh()

    async def finish(self, *, answers: int) -> None:
        """End the case: nothing comes too much, and enough was checked."""
        self.set_stalls("none")
        await self.exchange(self.read_all())
        await self.step(50)
        require(self.answers >= answers, f"only {self.answers} answers, at least {answers} wanted")
        await self.expect_silence()
        _left[-1] = self.model

    async def step(self, cycles: int = 1) -> None:
        """Let some cycles pass."""
        for _ in range(cycles):
            await self._edge

    async def bounded(self, work: Any, cycles: int = _PATIENCE) -> Any:
        """What `work`, a coroutine or a trigger, returns, within so many cycles."""
        return await with_timeout(work, cycles * _PERIOD, "ns")

    async def _watch(self) -> None:
        while True:
            await self._edge
            self.channels.sample()
            report_alive()

    async def disturb(self) -> None:
        """For ever: change all inputs amid a cycle and back; outputs must not follow within it."""
        channels = self.channels.all.values()
        inputs = [pin for channel in channels for pin in channel.inputs]
        outputs = [pin for channel in channels for pin in channel.outputs]
        while True:
            await self._edge
            await Timer(2, "ns")
            kept = [pin.value for pin in inputs]
            before = [int(pin.value) for pin in outputs]
            for pin in inputs:
                pin.value = self.random.getrandbits(len(pin))
            await Timer(2, "ns")
            for pin, value in zip(outputs, before, strict=True):
                require(int(pin.value) == value, f"{pin._name} depends on an input of its cycle")
            for pin, value in zip(inputs, kept, strict=True):
                pin.value = value

    # Requests -----------------------------------------------------------------------------------

    @abstractmethod
    async def transfer(self, packets: list[Packet]) -> list[Packet]:
        """Send packets and return their answers."""

    @abstractmethod
    def set_stalls(self, profile: str) -> None:
        """Hold up every channel by that profile from now on."""

    @abstractmethod
    async def expect_silence(self) -> None:
        """Require that no answer waits."""

    async def exchange(self, packets: Iterable[Packet], *, cycles: int = 0) -> None:
        """Send packets and compare their answers with the model's.

        `cycles` is what programs among them take.
        """
        packets = list(packets)
        expected = [self.model.expect(packet) for packet in packets]
        patience = cycles + _PATIENCE + 100 * sum(map(len, packets))
        patience += 100 * sum(len(each.words) for each in expected)
        answers = await self.bounded(self.transfer(packets), patience)
        require(len(answers) == len(packets), f"{len(answers)} answers to {len(packets)} requests")
        for packet, answer, right in zip(packets, answers, expected, strict=True):
            difference = right.difference(answer)
            require(difference is None, f"answer to {packet[0]:#010x}: {difference}")
        self.answers += len(answers)

    async def run_program(self) -> None:
        """New data, a random program, its results and all counters."""
        self.stimulus.move()
        await self.exchange(self.stimulus.data())
        program = self.stimulus.program(24, EXTERNAL_BYTES if self.memory else 0)
        packets, run = self.stimulus.run(program.builder.finish())
        await self.exchange([*packets, run], cycles=program.cycles)
        counters = self.stimulus.simple(Request.COUNTERS)
        await self.exchange([counters, *self.stimulus.read_results()])

    def stuck_program(self) -> tuple[list[Packet], Packet]:
        """Packets that write a program which comes to a standstill, and the RUN that starts it."""
        return self.stimulus.run(self.stimulus.program(24).builder.finish(stuck=True))

    async def recover(self, cut: Iterable[Packet]) -> None:
        """Make everything known again after a reset that cut off these requests."""
        self.model.lose_counters()
        packets = []
        for packet in cut:
            if packet[0] & 0xFF == Request.RUN:
                self.model.abort(packet)
            elif packet[0] & 0xFF == Request.WRITE:
                packets.append(packet)
        await self.exchange(packets)
        await self._refresh()

    async def _refresh(self) -> None:
        """Write activations that are unknown, and load all weights."""
        await self.exchange(self.stimulus.data())
        unknown = self.model.memories.unknown[: self.config.activation_bytes]
        await self.exchange(self.stimulus.refill(unknown))
        for program in self.stimulus.load_all():
            packets, run = self.stimulus.run(program)
            await self.exchange([*packets, run])

    def _clear_memories(self) -> list[Packet]:
        """Write all memories, after a case that failed."""
        return [
            packet
            for memory in Memory
            for packet in self.stimulus.writes(
                memory, 0, [0] * (memory_bytes(self.config, memory) // WORD_BYTES)
            )
        ]

    def read_all(self) -> list[Packet]:
        """Read each memory, or much of it."""
        return [packet for memory in Memory for packet in self.stimulus.read_much(memory)]

    def pauses(self, profile: str) -> Any:
        """A generator of pauses for a driver of cocotbext-axi."""
        return stalls(profile, Random(self.random.getrandbits(64)))
