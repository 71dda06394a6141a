# SPDX-License-Identifier: Apache-2.0
"""Cycles of a run, from the program's acceptance to its end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, Queue
from .descriptor_queue import QueueTiming, Tokens
from .external_memory import FixedLatency, MemoryTiming
from .fetch_engine import FetchTiming
from .matrix_engine import MatrixTiming
from .sequencer import SequencerTiming
from .vector_engine import VectorTiming

__all__ = ["RunTiming", "TimingError", "predict"]

#: Cycles without any event after which a run surely has come to a stop: more than any table takes.
_PATIENCE = 4096


class TimingError(Exception):
    """The program does not come to its end."""


@dataclass
class RunTiming:
    """When things happen in a run; the counters and time stamps of a run hold the same."""

    cycles: int = 0
    """From the program's acceptance to its end."""
    busy: dict[Queue, int] = field(default_factory=lambda: dict.fromkeys(Queue, 0))
    """Cycles in which each engine has a descriptor at work."""
    stamps: dict[int, int] = field(default_factory=dict)
    """Cycle of each time stamp that the program leaves."""


def predict(
    config: NpuConfig, descriptors: Sequence[Descriptor], planes: Sequence[Sequence[int]] = (),
    memory: MemoryTiming | None = None,
) -> RunTiming:
    """How long a program takes, exactly, by walking through its cycles.

    Of the data it needs to know one thing, and that only where planes are skipped.

    What is fetched from external memory comes when `memory` says so; a run after one that was
    ended while data were under way may wait for the rest of them, which is not predicted.

    Parameters
    ----------
    config : NpuConfig
    descriptors : sequence of Descriptor
        A program that the golden model takes, up to its END.
    planes : sequence of sequence of int
        For each COMPUTE, in order, the planes of its rounds that meet the array, 1 to 8:
        `NpuModel.planes`. All meet it of those of which nothing is said.
    memory : MemoryTiming, optional
        External memory: a `FixedLatency` of `LATENCY` cycles where it is not given.

    Raises
    ------
    TimingError
        It waits for ever.
    """
    return _Run(config, descriptors, planes, memory or FixedLatency()).run()


class _Run:
    """The sequencer, the queues with their tokens, and the engines."""

    def __init__(
        self, config: NpuConfig, descriptors: Sequence[Descriptor],
        planes: Sequence[Sequence[int]], memory: MemoryTiming,
    ) -> None:
        self._queues = {queue: QueueTiming(queue, config) for queue in config.queues}
        self._sequencer = SequencerTiming(descriptors, self._queues)
        self._tokens: Tokens = {
            (giver, taker): 0
            for giver in config.queues for taker in config.queues if giver != taker
        }
        self._matrix = MatrixTiming(config, planes)
        self._vector = VectorTiming(config)
        self._fetch = FetchTiming(config, memory)
        self._starts = {
            Queue.LOAD: self._matrix.loader.start,
            Queue.COMPUTE: self._matrix.feeder.start,
            Queue.VECTOR: self._vector.start,
            Queue.FETCH: self._fetch.start,
        }
        self._timing = RunTiming()

    def run(self) -> RunTiming:
        """Go on until all is done."""
        timing, last_event = self._timing, 0
        while not self._is_done():
            if self._cycle(timing.cycles):
                last_event = timing.cycles
            timing.cycles += 1
            if timing.cycles > last_event + _PATIENCE:
                raise TimingError(f"the program comes to a stop in cycle {last_event}")
        # The cycle in which the end is seen is one of them, and that in which it is told.
        timing.cycles += 2
        return timing

    def _is_done(self) -> bool:
        return (
            self._sequencer.drains
            and all(queue.is_empty for queue in self._queues.values())
            and self._matrix.loader.is_settled
        )

    def _cycle(self, now: int) -> bool:
        """One cycle; whether anything happens in it."""
        reads, outputs = self._vector.reads, self._matrix.offers
        vector_done, takes = self._vector.cycle(outputs)
        load_done, compute_done = self._matrix.cycle(takes, not reads)
        if vector_done:
            self._stamp(now)
        done = {
            Queue.LOAD: load_done, Queue.COMPUTE: compute_done, Queue.VECTOR: vector_done,
            Queue.FETCH: self._fetch.cycle(),
        }
        word_for = self._sequencer.cycle()
        given, taken, started = [], [], []
        for name, queue in self._queues.items():
            self._timing.busy[name] += queue.is_busy
            given += queue.gives
            descriptor = queue.cycle(name is word_for, done[name], self._tokens)
            if descriptor is not None:
                taken += [(giver, name) for giver in descriptor.waits_for()]
                started.append((name, descriptor))
        for token in given:
            self._tokens[token] += 1
        for token in taken:
            self._tokens[token] -= 1
        for name, descriptor in started:
            self._starts[name](descriptor)
        return bool(
            started or given or word_for is not None or self._matrix.moves or self._vector.moves
            or self._fetch.moves
        )

    def _stamp(self, now: int) -> None:
        descriptor = self._queues[Queue.VECTOR].descriptor
        assert descriptor is not None
        if descriptor["stamp"]:
            self._timing.stamps[descriptor["stamp_index"]] = now
