# SPDX-License-Identifier: Apache-2.0
"""An NPU under test joined to its golden model: both get the same packets, answers are compared."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Self

import cocotb
from amaranth.lib import data
from cocotb.triggers import Timer

from ...hdl.npu.config import WORD_BYTES, NpuConfig
from ...hdl.npu.isa import Descriptor, Opcode
from ...hdl.npu.packets import Memory, Request, Status, StreamWord, memory_bytes
from ..golden.npu import NpuModel, Planes
from ..golden.packets import Expected
from ..timing.npu import RunTiming, predict
from .case import bench_config
from .check import require
from .coverage import Coverage
from .npu_coverage import events_of_answer, events_of_planes, events_of_program
from .npu_malformed import MalformedPackets
from .npu_stimulus import NpuStimulus, Packet
from .programs import RandomProgram
from .stream import Transfer
from .testbench import Testbench

__all__ = ["COVERAGE", "NpuEnvironment"]

#: What the cases of this simulation have made happen.
COVERAGE = Coverage()

#: The models of the cases so far; None where a case failed. Memories survive from case to case.
_left: list[NpuModel | None] = []

_LAYOUT = data.Layout.cast(StreamWord)


class NpuEnvironment:
    """Testbench, model, stimuli and the comparison of answers of one NPU.

    The model carries out each request when it is queued. As requests are carried out in order, it
    need not know when the hardware does.

    Attributes
    ----------
    answers : int
        Answers that came and were right.
    unanswered : deque of packets
        Requests whose answers have not come.
    memory : ExternalMemory or None
        What is at the external port, where there is one.
    """

    def __init__(self, dut: Any) -> None:
        self.config = config = bench_config(NpuConfig)
        seed = cocotb.RANDOM_SEED
        self.stimulus = NpuStimulus(config, seed, self.effort)
        self.malformed = MalformedPackets(config, self.stimulus.random)
        self.tb = Testbench(dut, patience=5000)
        self.memory, external = self._attach_memory(dut)
        self.model = NpuModel(config, seed, _known_times, external)
        self.command = self.tb.add_source("command", _LAYOUT, lambda transfer: None)
        self.response = self.tb.add_sink("response", _LAYOUT, self._on_response)
        self.answers = 0
        self.unanswered: deque[tuple[Packet, Expected]] = deque()
        self._words: list[int] = []

    def _attach_memory(self, dut: Any) -> tuple[Any, bytes]:
        """What is at the external port, and its contents, which nothing changes."""
        if not self.config.external_port:
            return None, b""
        # It needs a package that other NPUs do without.
        from .external_memory import ExternalMemory, contents

        memory = ExternalMemory(
            dut, self.config, self.tb.random, dut.clk, dut.rst, is_wrapped=False
        )
        return memory, contents()

    @classmethod
    async def start(cls, dut: Any) -> Self:
        """An environment after a reset. Memories are as they were, or zero at first."""
        if bench_config(NpuConfig).external_port:
            # Its drivers look at the pins at the first edge already, which may be now.
            dut.rst.value = 1
            dut.m_axi_arready.value = dut.m_axi_rvalid.value = 0
            await Timer(1, "ns")
        environment = cls(dut)
        await environment.tb.reset(2)
        if _left:
            environment.model.lose_counters()
        if _left and (left := _left[-1]) is not None:
            environment.model = left
            left.lose_counters()
        elif _left:
            await environment._recover()
        _left.append(None)
        return environment

    async def _recover(self) -> None:
        """Make everything known after a case that failed."""
        for memory in Memory:
            words = memory_bytes(self.config, memory) // WORD_BYTES
            self.send(*self.stimulus.writes(memory, 0, [0] * words))
        self.model.forget_weights()
        self.refresh()
        await self.drain()

    @property
    def effort(self) -> float:
        """Share of the usual number of stimuli: large macros and some simulators are slow."""
        size = 1024 + self.config.macro.binary_operations + 256 * self.config.lanes
        speed = 1024 if "verilator" in cocotb.SIM_NAME.lower() else 512
        return min(1.0, max(0.1, speed / size))

    def rounds(self, count: int) -> int:
        """That many rounds of a case, or fewer, but at least 2."""
        return max(2, round(count * self.effort))

    def program(self, slides: bool = False) -> RandomProgram:
        """A random program for the data that is there."""
        return self.stimulus.program(max(32, round(150 * self.effort)), slides=slides)

    # Requests -----------------------------------------------------------------------------------

    def send(self, *packets: Packet) -> None:
        """Queue requests; the model carries them out and says what to expect."""
        for packet in packets:
            self._send(packet, self.model.expect(packet))

    def send_ended(self, run: Packet, status: Status) -> None:
        """Queue a RUN that does not come to its end: a RESET or the watchdog ends it later."""
        self._send(run, self.model.abort(run, status))

    def _send(self, packet: Packet, expected: Expected) -> None:
        last = len(packet) - 1
        self.command.put(
            *({"data": word, "last": int(index == last)} for index, word in enumerate(packet))
        )
        self.unanswered.append((packet, expected))

    def send_program(self, program: RandomProgram, *, ended: Status | None = None) -> None:
        """Write a program and run it; one that is to be `ended` gets stuck."""
        self.allow(program.cycles)
        self.send_descriptors(program.builder.finish(stuck=ended is not None), ended=ended)

    def send_descriptors(
        self, descriptors: list[Descriptor], *, ended: Status | None = None
    ) -> None:
        """Write descriptors somewhere and run them."""
        COVERAGE.hit(*events_of_program(descriptors, self.config))
        packets, run = self.stimulus.run(descriptors)
        self.send(*packets)
        if ended is not None:
            self.send_ended(run, ended)
        else:
            self.send(run)
            COVERAGE.hit(*events_of_planes(self.model.planes))

    def allow(self, cycles: int) -> None:
        """Wait at least so long for an answer."""
        self.tb.patience = max(self.tb.patience, 5000 + cycles)

    @property
    def load_cycles(self) -> int:
        """Cycles that loading a row group surely does not exceed."""
        return self.config.load_interval + self.config.macro.fill_cycles + 8

    def refresh(self) -> None:
        """Make everything known again that an ended program has left undefined."""
        self.send(*self.stimulus.data())
        # An odd window may have had results put where programs should have none.
        unknown = self.model.memories.unknown[: self.config.activation_bytes]
        self.send(*self.stimulus.refill(unknown))
        macro = self.config.macro
        for program in self.stimulus.load_all():
            self.allow(macro.banks * macro.groups * self.load_cycles)
            self.send_descriptors(program)

    def read_all(self) -> Iterable[Packet]:
        """Read results, and the whole of every memory that is not too big for it."""
        yield from self.stimulus.read_results()
        for memory in Memory:
            yield from self.stimulus.read_much(memory)

    # The course of a case -----------------------------------------------------------------------

    async def drain(self) -> None:
        """Wait until all requests are answered."""
        await self.tb.until(
            lambda: self.command.idle and not self.unanswered, "all requests to be answered"
        )

    async def finish(self, *, answers: int) -> None:
        """End the case: all is answered, nothing comes too much, and enough was checked."""
        self.send(*self.read_all())
        await self.drain()
        self.tb.set_stalls("none")
        await self.tb.step(50)
        self.tb.dut._log.info("%d answers in %d cycles", self.answers, self.tb.cycle)
        require(not self._words, "words came that belong to no answer")
        require(self.answers >= answers, f"only {self.answers} answers, at least {answers} wanted")
        for name, monitor in self.tb.monitors.items():
            COVERAGE.hit(*[f"wait: {name}"] if monitor.waited else [])
        _left[-1] = self.model

    async def reset(self, cycles: int) -> None:
        """Reset the design while requests are under way; what they may have changed is unknown."""
        pending = [packet for packet, _ in self.unanswered]
        await self.tb.reset(cycles)
        self.unanswered.clear()
        self._words.clear()
        self.model.lose_counters()
        for packet in pending:
            if packet[0] & 0xFF == Request.RUN:
                self.model.abort(packet)
            elif packet[0] & 0xFF == Request.WRITE:
                self.send(packet)

    def _on_response(self, transfer: Transfer) -> None:
        self._words.append(transfer.value["data"])
        place = f"answer {self.answers}"
        require(bool(self.unanswered), f"{place} comes, and no request is without one")
        request, expected = self.unanswered[0]
        if not transfer.value["last"]:
            enough = len(self._words) < len(expected.words)
            require(enough, f"{place} to {_show(request)}: more than {len(expected.words)} words")
            return
        difference = expected.difference(self._words)
        require(difference is None, f"{place} to {_show(request)}: {difference}")
        self.unanswered.popleft()
        self._words.clear()
        self.answers += 1
        COVERAGE.hit(*events_of_answer(expected))


def _known_times(
    config: NpuConfig, descriptors: Sequence[Descriptor], planes: Planes
) -> RunTiming | None:
    """When things happen in a run; None where that depends on external memory."""
    if any(descriptor.opcode is Opcode.FETCH for descriptor in descriptors):
        return None
    return predict(config, descriptors, planes)


def _show(packet: Packet) -> str:
    words = " ".join(f"{word:08x}" for word in packet[:6])
    return f"[{words}{' ...' if len(packet) > 6 else ''}] ({len(packet)} words)"
