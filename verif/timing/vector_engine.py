# SPDX-License-Identifier: Apache-2.0
"""Cycles of the vector engine: beats of the array's outputs; all else at a fixed pace."""

from typing import NamedTuple

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, Opcode
from ...hdl.npu.latency import (
    ADD_TURNS,
    BYTES_AFTER,
    FIRST_AFTER,
    MAX_POOL_CYCLES,
    REQUANTISE_CYCLES,
    STORE_CYCLES,
    STORE_START_CYCLES,
    SUM_WAITS,
    WINDOW_SUM_CYCLES,
)
from .output_join import JoinTiming

__all__ = ["VectorTiming"]

#: Cycles from a beat of sums to the one in which its results are written.
_LANES = REQUANTISE_CYCLES + 1


class _Bursts(NamedTuple):
    """`number` times `size` reads, one a cycle, every `interval` cycles from cycle `first` on."""

    first: int
    size: int
    interval: int
    number: int

    def reads(self, time: int) -> bool:
        before, within = divmod(time - self.first, self.interval)
        return 0 <= before < self.number and within < self.size


class VectorTiming:
    """Control of a `VectorEngine`.

    Its units but one read the activation memory, are never held up, and so have a fixed duration;
    the one that takes the array's outputs waits for them.
    """

    def __init__(self, config: NpuConfig) -> None:
        self._config = config
        #: Of the unit that reads: cycles since its first read, and its bursts of reads; none where
        #: another one is at work.
        self._time = 0
        self._bursts: tuple[_Bursts, ...] = ()
        #: Cycles until the descriptor is done, once that is known.
        self._until_done: int | None = None
        # Of the result store.
        self._until_running = 0
        self._running = False
        self._keeps = False
        self._pixels = 0
        self._beats_of_pixel = 1
        self._beats_left = 0
        self._round = 1
        self._place = 0
        self._which = 0
        self._join = JoinTiming(config)

    def start(self, descriptor: Descriptor) -> None:
        """A descriptor of the vector queue begins; called at the end of a cycle."""
        # What a unit asks for in its first cycle is read in its second.
        self._time, self._bursts = -1, ()
        self._until_done = None
        config = self._config
        match descriptor.opcode:
            case Opcode.REQUANTISE:
                self._start_store(descriptor)
            case Opcode.MAX_POOL:
                after = BYTES_AFTER + MAX_POOL_CYCLES
                self._walk(descriptor, config.pool_lanes, 1, after)
            case Opcode.DEPTHWISE | Opcode.AVERAGE_POOL:
                self._walk(
                    descriptor, config.lanes, config.sum_beats,
                    after=BYTES_AFTER + WINDOW_SUM_CYCLES + _LANES,
                )
            case Opcode.ADD:
                pieces = -(-descriptor["bytes"] // config.requantisers)
                # The second image's, then the first's.
                self._bursts = (
                    _Bursts(0, 1, ADD_TURNS, pieces), _Bursts(FIRST_AFTER, 1, ADD_TURNS, pieces)
                )
                self._until_done = (
                    ADD_TURNS * (pieces - 1) + 1 + BYTES_AFTER + 1 + REQUANTISE_CYCLES
                    + SUM_WAITS + _LANES
                )

    def _walk(self, descriptor: Descriptor, width: int, beats: int, after: int) -> None:
        """A tap of a chunk of `width` channels is read a cycle; the next chunk's not before its
        results have had `beats` cycles to leave. `after` the last tap so many cycles pass, and one
        for each beat of the last chunk behind its first.
        """
        windows = descriptor["out_width"] * descriptor["out_height"]
        taps = descriptor["kernel_width"] * descriptor["kernel_height"]
        chunks_of_window, channels = -(-descriptor["channels"] // width), descriptor["channels"]
        chunks = windows * chunks_of_window
        last = channels - width * (chunks_of_window - 1)
        interval = max(taps, beats)
        self._bursts = (_Bursts(0, taps, interval, chunks),)
        self._until_done = (
            interval * (chunks - 1) + taps + -(-last * beats // width) - 1 + after
        )

    def _start_store(self, descriptor: Descriptor) -> None:
        self._until_running = STORE_START_CYCLES - 1
        self._keeps = bool(descriptor["keep_partial"])
        self._pixels = descriptor["out_width"] * descriptor["out_height"]
        beats = -(-descriptor["channels"] // self._config.requantisers)
        self._beats_of_pixel = self._beats_left = beats
        self._round = 1 << descriptor["split"]
        self._place = self._which = 0

    @property
    def reads(self) -> bool:
        """The activation memory is read in this cycle."""
        return any(bursts.reads(self._time) for bursts in self._bursts)

    @property
    def moves(self) -> bool:
        """A descriptor is at work that surely ends."""
        return self._until_done is not None or self._until_running > 0

    def cycle(self, outputs: int) -> tuple[bool, int]:
        """One cycle; whether the descriptor is done, and the macros whose outputs are taken.

        Parameters
        ----------
        outputs : int
            The macros, as bits, that offer an output.
        """
        is_done = False
        if self._until_running:
            self._until_running -= 1
            self._running = not self._until_running
        elif self._running:
            self._take_beat(outputs)
        elif self._until_done is not None:
            is_done = self._go_on()
        return is_done, self._join.cycle(outputs)

    def _go_on(self) -> bool:
        """A cycle of a descriptor that surely ends; whether it does."""
        assert self._until_done is not None
        self._time += 1
        self._until_done -= 1
        if self._until_done:
            return False
        self._until_done = None
        return True

    def _take_beat(self, outputs: int) -> None:
        """The next beat, if its outputs are there."""
        ends_vector = self._beats_left == 1
        ends_round = ends_vector and (self._place == self._round - 1 or self._pixels == 1)
        if not self._join.take(outputs, self._which, ends_vector, ends_round):
            return
        self._which += 1
        self._beats_left -= 1
        if not ends_vector:
            return
        self._beats_left = self._beats_of_pixel
        self._place = 0 if ends_round else self._place + 1
        self._which = self._place * self._config.beats // self._round
        self._pixels -= 1
        if not self._pixels:
            self._running = False
            self._until_done = STORE_CYCLES + (0 if self._keeps else _LANES)
