# SPDX-License-Identifier: Apache-2.0
"""Cycles of the window feeder: chunks are read, gathered to windows, handed over in rounds."""

from collections import deque
from collections.abc import Iterator, Sequence

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor
from ...hdl.npu.latency import CHUNKS, READ_CYCLES, window_chunks, window_runs

__all__ = ["FeederTiming"]

_Chunk = tuple[bool, bool]


class FeederTiming:
    """Control of a `WindowFeeder`.

    Parameters
    ----------
    config : NpuConfig
    planes : sequence of sequence of int
        For each COMPUTE, in order, those of its rounds that meet the array; all of those beyond.

    Attributes
    ----------
    offers : bool
        A round is offered in this cycle.
    planes : int
        Of the round that is offered.
    reads : bool
        A chunk is asked for in this cycle, if the vector engine does not read.
    bank : int
        Of the weights that it is to meet.
    """

    def __init__(self, config: NpuConfig, planes: Sequence[Sequence[int]]) -> None:
        self._port = config.activation_port
        self._all_planes = config.macro.input_bits
        self._planes = iter(planes)
        #: Of the rounds of this descriptor that have not been handed over.
        self._planes_left: Iterator[int] = iter(())
        #: The walker has begun, and has a chunk from the next cycle on.
        self._starts = False
        self._running = False
        #: Chunks of a window that begins a row, and of any other; those of this one so far.
        self._chunks = 1, 1
        self._chunk = 0
        self._windows = 0
        self._width = 1
        self._round = 1
        #: Chunks that wait, those that come from the memory, and the one that is decoded: whether
        #: it ends its window, and whether this is the last.
        self._queue: deque[_Chunk] = deque()
        self._coming: deque[_Chunk | None] = deque([None] * READ_CYCLES)
        self._has_room = True
        self._decoded: _Chunk | None = None
        #: A window is complete; whether it, and the round that is offered, are the last.
        self._complete = False
        self._window_is_last = False
        self._round_is_last = False
        self._place = 0
        self.offers = False
        self.planes = self._all_planes
        self.bank = 0

    def start(self, descriptor: Descriptor) -> None:
        """A COMPUTE begins; called at the end of a cycle."""
        self._chunks = self._chunks_of(descriptor)
        self._width = descriptor["out_width"]
        self._windows = self._width * descriptor["out_height"]
        self._round = 1 << descriptor["split"]
        self.bank = descriptor["bank"]
        self._planes_left = iter(next(self._planes, ()))
        self._chunk = 0
        self._starts = True

    @property
    def reads(self) -> bool:
        """There is room for a chunk, and one to read."""
        return self._running and self._has_room

    def _chunks_of(self, descriptor: Descriptor) -> tuple[int, int]:
        """Chunks of a window that begins a row, and of one that slides on from its neighbour."""
        runs = window_runs(descriptor["depth"], descriptor["skip"], descriptor["run_bytes"])
        return window_chunks(runs, descriptor["step_x"], self._port)

    def cycle(self, is_taken: bool, may_read: bool) -> bool:
        """One cycle; whether the last round is taken.

        Parameters
        ----------
        is_taken : bool
            The round that is offered is taken.
        may_read : bool
            The vector engine does not read.
        """
        done = is_taken and self._round_is_last
        hand_over = self._complete and not self.offers
        accepts = self._decoded is not None and (not self._complete or hand_over)
        reads = self.reads and may_read
        # Told by what waits at the beginning of the cycle, for the next one.
        self._has_room = len(self._queue) < CHUNKS - READ_CYCLES - 1
        if is_taken:
            self.offers = False
        if hand_over:
            ends_round = self._window_is_last or self._place == self._round - 1
            self._complete = False
            self.offers = ends_round
            self._round_is_last = self._window_is_last
            self._place = 0 if ends_round else self._place + 1
            if ends_round:
                self.planes = next(self._planes_left, self._all_planes)
        if accepts:
            assert self._decoded is not None
            self._complete, self._window_is_last = self._decoded
        if accepts or self._decoded is None:
            self._decoded = self._queue.popleft() if self._queue else None
        arrives = self._coming.popleft()
        if arrives is not None:
            self._queue.append(arrives)
        self._coming.append(self._read() if reads else None)
        if self._starts:
            self._starts, self._running = False, True
        return done

    def _read(self) -> _Chunk:
        """Ask for the next chunk."""
        self._chunk += 1
        begins_row = not self._windows % self._width
        if self._chunk < self._chunks[not begins_row]:
            return False, False
        self._chunk = 0
        self._windows -= 1
        self._running = self._windows > 0
        return True, not self._running
