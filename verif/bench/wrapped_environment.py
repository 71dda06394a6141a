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
from .case import bench_config, report_alive
from .check import require
from .external_memory import EXTERNAL_BYTES, ExternalMemory, contents
from .npu_malformed import MalformedPackets
from .npu_stimulus import NpuStimulus, Packet
from .protocol import WRAPPER_VARIABLE

__all__ = ["PERIOD", "WrappedEnvironment"]

#: Simulated time of a cycle, in ns.
PERIOD = 10
#: Share of the usual number of stimuli: the NPU itself has a bench of its own.
_EFFORT = 0.3
#: Cycles between two signs of life.
_HEARTBEAT = 1000

#: The models of the cases so far; None where a case failed. Memories survive from case to case.
_left: list[NpuModel | None] = []


class WrappedEnvironment(ABC):
    """Clock, reset, model and the comparison of answers; a subclass knows the transport.

    Parameters
    ----------
    dut : cocotb handle of the top level
    clock, reset : cocotb handles of two of its pins
    reset_level : int
        Of `reset` in a reset.
    """

    #: Cycles that an exchange takes at most besides its words, and a word, stalls included.
    patience, word_cycles = 20_000, 100

    def __init__(self, dut: Any, clock: Any, reset: Any, *, reset_level: int) -> None:
        self.dut = dut
        self.clock = clock
        self._reset = reset
        self._reset_level = reset_level
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
        self._edge = RisingEdge(clock)

    def _attach_memory(self) -> tuple[ExternalMemory | None, bytes]:
        """What is at the NPU's external port, if it has one, and its contents."""
        if not self.config.external_port:
            return None, b""
        memory = ExternalMemory(
            self.dut, self.config, self.random, self.clock, self._reset,
            is_wrapped=self._reset_level == 0,
        )
        return memory, contents()

    async def open(self) -> None:
        """Start clock and watch, and reset the design."""
        self.set_reset(True)
        await Timer(1, "ns")
        # Our main program for Verilator, `clocked.cpp`, toggles the clock by itself.
        if "verilator" not in cocotb.SIM_NAME.lower():
            Clock(self.clock, PERIOD, "ns", impl="gpi").start()
        cocotb.start_soon(self.watch())
        if self.memory is not None:
            self.memory.set_stalls("light")
        await self.step(2)
        self.set_reset(False)
        await self.step()
        await self.connect()
        if _left and (model := _left[-1]) is not None:
            self.model = model
        self.model.lose_counters()
        recovers = bool(_left) and _left[-1] is None
        _left.append(None)
        if recovers:
            await self.exchange(self._clear_memories())
            self.model.forget_weights()
            await self._refresh()

    def set_reset(self, is_active: bool) -> None:
        """Begin or end a reset."""
        self._reset.value = self._reset_level if is_active else 1 - self._reset_level

    async def connect(self) -> None:  # noqa: B027 - most transports need nothing
        """Called after the first reset, before the first packet."""

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

    async def bounded(self, work: Any, cycles: int | None = None) -> Any:
        """What `work`, a coroutine or a trigger, returns, within so many cycles."""
        return await with_timeout(work, (cycles or self.patience) * PERIOD, "ns")

    async def watch(self) -> None:
        """For ever: watch what the transport has to be watched for, and say that time goes on."""
        while True:
            await Timer(_HEARTBEAT * PERIOD, "ns")
            report_alive()

    # Requests -----------------------------------------------------------------------------------

    @abstractmethod
    async def transfer(self, packets: list[Packet]) -> list[Packet]:
        """Send packets and return their answers."""

    def set_stalls(self, profile: str) -> None:  # noqa: B027 - a line cannot be held up
        """Hold up the transport by that profile from now on, where it can be held up."""

    @abstractmethod
    async def expect_silence(self) -> None:
        """Require that no answer waits."""

    async def exchange(self, packets: Iterable[Packet], *, cycles: int = 0) -> None:
        """Send packets and compare their answers with the model's.

        `cycles` is what programs among them take.
        """
        packets = list(packets)
        expected = [self.model.expect(packet) for packet in packets]
        words = sum(map(len, packets)) + sum(len(each.words) for each in expected)
        patience = cycles + self.patience + self.word_cycles * words
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
