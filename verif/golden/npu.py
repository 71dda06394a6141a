# SPDX-License-Identifier: Apache-2.0
"""What an NPU answers and what it leaves in its memories, from the very words it is sent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, Opcode, Queue
from ...hdl.npu.packets import BUSY, COUNTERS, Counter, Memory, Request, Status, identity
from .hazards import check_hazards
from .macro import MacroModel
from .memories import Memories
from .operation import Operation, ProgramError, State
from .packets import Expected, find_fault, take_apart
from .program import Program, fetch
from .schedule import Schedule

__all__ = ["Clock", "NpuModel", "ProgramError", "Times"]

_ALL = 0xFFFFFFFF


class Times(Protocol):
    """When things happen in a run."""

    @property
    def cycles(self) -> int:
        """From the program's acceptance to its end."""
        ...

    @property
    def busy(self) -> Mapping[Queue, int]:
        """Cycles in which each engine has a descriptor at work."""
        ...

    @property
    def stamps(self) -> Mapping[int, int]:
        """The cycle of each time stamp that the program leaves."""
        ...


#: For each COMPUTE of a program, in order, the planes of its rounds that meet the array.
Planes = Sequence[Sequence[int]]
#: What knows how long the program of these descriptors takes, up to its END; None where it cannot
#: be known.
Clock = Callable[[NpuConfig, Sequence[Descriptor], Planes], Times | None]


@dataclass
class _Compiled:
    """A program that has been checked, in an order that its tokens allow."""

    program: Program
    order: list[Operation]
    #: What the clock said of the last run, and the planes of that run.
    timed: tuple[Planes, Times | None] | None = None


class NpuModel:
    """The golden model: executes packets and programs, and ends with the hardware's memories.

    It does not know time, unless it is given a `clock`. Without one cycle counts are zero in its
    answers, and masked in what `expect` returns. Programs run in an order that is drawn from `seed`
    among those that their tokens allow; a program whose result could depend on the order is
    refused.

    Parameters
    ----------
    config : NpuConfig
    seed : int
        Of the order in which operations run.
    clock : Clock, optional
        `verif.timing.npu.predict`.
    external : bytes
        External memory, from address 0 on. What is beyond it must not be fetched.

    Attributes
    ----------
    memories : Memories
    macros : list of MacroModel
        With their weights.
    planes : sequence of sequence of int
        Of the last run: for each COMPUTE, in order, the planes of its rounds that met the array.
    """

    def __init__(
        self, config: NpuConfig, seed: int = 0, clock: Clock | None = None, external: bytes = b""
    ) -> None:
        self.config = config
        self.seed = seed
        self._clock = clock
        self.memories = Memories(config, external)
        self.macros = [MacroModel(config.macro) for _ in range(config.macros)]
        self._rows_known = np.ones((config.macros, config.macro.banks, config.macro.rows), bool)
        self.planes: Planes = ()
        self._counters = [0] * COUNTERS
        self._counter_masks = [_ALL] * COUNTERS
        self._stamps = [0] * config.stamps
        self._stamp_masks = [_ALL] * config.stamps
        self._compiled: dict[int, _Compiled] = {}

    def load_external(self, data: bytes) -> None:
        """Replace external memory, from address 0 on."""
        self.memories.load_external(data)

    # Packets ------------------------------------------------------------------------------------

    def transact(self, packet: Sequence[int]) -> list[int]:
        """The words that answer one request; its last word is the packet's end.

        Raises ProgramError if the request runs a program whose result is not defined.
        """
        return self.expect(packet).words

    def expect(self, packet: Sequence[int]) -> Expected:
        """Carry out one request; its answer, with the bits of it that do not depend on time.

        Raises ProgramError as `transact` does.
        """
        if not packet:
            raise ValueError("a packet has at least one word")
        code, count = take_apart(packet[0])
        fault = find_fault(packet, self.memories)
        if code == Request.WRITE and (fault is None or fault.status in _PARTLY_WRITTEN):
            self._write(packet, count)
        if fault is not None:
            return Expected.answer(packet[0], fault.status, [fault.detail])
        match Request(code):
            case Request.IDENTIFY:
                return Expected.answer(packet[0], Status.OK, identity(self.config))
            case Request.READ:
                return self._read(packet, count)
            case Request.RUN:
                return self._run(packet)
            case Request.SYNC:
                return Expected.answer(packet[0], Status.OK, packet[1:])
            case Request.COUNTERS:
                words = [*self._counters, *self._stamps]
                masks = [*self._counter_masks, *self._stamp_masks]
                return Expected.answer(packet[0], Status.OK, words, masks)
            case Request.WRITE | Request.RESET:
                return Expected.answer(packet[0], Status.OK, [])

    def abort(self, packet: Sequence[int], status: Status = Status.ABORTED) -> Expected:
        """The answer to a RUN that a RESET ended, or with DEADLOCK the watchdog.

        The program's tokens may be wrong, as it need not come to its end. What it may have written
        is unknown.
        """
        self._forget(fetch(self.memories, packet[1]))
        return Expected.answer(packet[0], status, [0], [0])

    def refuse(self, packet: Sequence[int], address: int) -> Expected:
        """The answer to a RUN that ended as external memory refused to read an address."""
        self._forget(fetch(self.memories, packet[1]))
        return Expected.answer(packet[0], Status.BUS_ERROR, [address])

    def lose_counters(self) -> None:
        """Stop predicting counters and time stamps, as after the reset of the whole design."""
        self._counter_masks = [0] * COUNTERS
        self._stamp_masks = [0] * self.config.stamps

    def forget_weights(self) -> None:
        """Stop predicting the macro's weights, until they are loaded again."""
        self._rows_known[:] = False

    def forget_run(self, packet: Sequence[int]) -> None:
        """Stop predicting what the program of a RUN may have changed, be it defined or not."""
        try:
            program = fetch(self.memories, packet[1])
        except ProgramError:
            self.forget_engines()
        else:
            self._forget(program)

    def forget_engines(self) -> None:
        """Stop predicting all that any program can change."""
        self.forget_weights()
        self.lose_counters()
        self.memories.forget_activations()

    def _write(self, packet: Sequence[int], count: int) -> None:
        place = self.memories.locate(packet[1], count) if len(packet) > 2 else None
        if place is None:
            return
        self.memories.write(*place, packet[2 : 2 + count])
        if place[0] is Memory.PROGRAM:
            self._compiled.clear()

    def _read(self, packet: Sequence[int], count: int) -> Expected:
        place = self.memories.locate(packet[1], count)
        assert place is not None
        words = self.memories.read(*place, count)
        return Expected.answer(
            packet[0], Status.OK, words, self.memories.read_masks(*place, count)
        )

    # Programs -----------------------------------------------------------------------------------

    def _run(self, packet: Sequence[int]) -> Expected:
        start = packet[1]
        if start not in self._compiled:
            program = fetch(self.memories, start)
            if program.bad is not None:
                self._forget(program)
                return Expected.answer(packet[0], Status.BAD_DESCRIPTOR, [program.bad])
            self._compiled[start] = self._compile(program)
        compiled = self._compiled[start]
        state = self._state()
        for operation in compiled.order:
            operation.execute(state)
        self.planes = [state.planes[number] for number in sorted(state.planes)]
        times = self._times(compiled)
        self._count(compiled.program, times)
        known = 0 if times is None else _ALL
        return Expected.answer(packet[0], Status.OK, [self._counters[Counter.CYCLES]], [known])

    def _times(self, compiled: _Compiled) -> Times | None:
        """When things happened in the run that has just ended."""
        if self._clock is None:
            return None
        if compiled.timed is None or compiled.timed[0] != self.planes:
            descriptors = [operation.descriptor for operation in compiled.program.operations]
            descriptors.append(Descriptor(Opcode.END, {}))
            compiled.timed = self.planes, self._clock(self.config, descriptors, self.planes)
        return compiled.timed[1]

    def _count(self, program: Program, times: Times | None) -> None:
        """Counters and time stamps after a run."""
        known = 0 if times is None else _ALL
        self._counters = [0] * COUNTERS
        self._counter_masks = [known] * COUNTERS
        self._counters[Counter.PLANES] = sum(map(sum, self.planes))
        self._counter_masks[Counter.PLANES] = _ALL
        if times is not None:
            self._counters[Counter.CYCLES] = times.cycles
            for queue, counter in BUSY.items():
                self._counters[counter] = times.busy[queue]
        for index in _stamps(program):
            self._stamps[index] = 0 if times is None else times.stamps[index]
            self._stamp_masks[index] = known

    def _compile(self, program: Program) -> _Compiled:
        schedule = Schedule(program.operations, self.config, self.seed)
        check_hazards(program.operations, schedule)
        return _Compiled(program, schedule.order)

    def _forget(self, program: Program) -> None:
        """Whatever the program may have changed cannot be predicted any more."""
        state = self._state()
        for operation in program.operations:
            operation.forget(state)
        for index in _stamps(program):
            self._stamp_masks[index] = 0
        self._counter_masks = [0] * COUNTERS

    def _state(self) -> State:
        return State(self.memories, self.macros, self._rows_known)


#: Faults of a WRITE whose words are written as they come.
_PARTLY_WRITTEN = (Status.TRUNCATED, Status.OVERLONG)


def _stamps(program: Program) -> list[int]:
    """The time stamps that the program leaves behind."""
    descriptors = [operation.descriptor for operation in program.operations]
    return [d["stamp_index"] for d in descriptors if d["stamp"]]
