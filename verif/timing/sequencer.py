# SPDX-License-Identifier: Apache-2.0
"""Cycles of the sequencer: a word of the program a cycle, to the queue of its descriptor."""

from collections.abc import Mapping, Sequence

from ...hdl.npu.isa import WORDS, Descriptor, Opcode, Queue
from ...hdl.npu.latency import PROGRAM_CYCLES
from .descriptor_queue import QueueTiming

__all__ = ["SequencerTiming"]


class SequencerTiming:
    """Control of a `Sequencer`, from the cycle after its start on.

    Attributes
    ----------
    drains : bool
        END has come; the queues run empty.
    """

    def __init__(
        self, program: Sequence[Descriptor], queues: Mapping[Queue, QueueTiming]
    ) -> None:
        self._program = program
        self._queues = queues
        #: Cycles until the first word has come from the memory.
        self._reads = PROGRAM_CYCLES + 2
        self._number = 0
        self._word = 0
        self.drains = False

    def cycle(self) -> Queue | None:
        """One cycle; the queue that takes a word in it, if one does."""
        if self._reads or self.drains:
            self._reads = max(0, self._reads - 1)
            return None
        descriptor = self._program[self._number]
        if descriptor.opcode is Opcode.END:
            self.drains = True
            return None
        target = descriptor.opcode.queue
        assert target is not None
        if not self._queues[target].has_room:
            return None
        if not self._word:
            self._queues[target].announce(descriptor)
        self._word += 1
        if self._word == WORDS:
            self._word = 0
            self._number += 1
        return target
