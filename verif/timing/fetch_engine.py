# SPDX-License-Identifier: Apache-2.0
"""Cycles of the fetch engine and of the bursts that it has under way."""

from collections import deque

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor
from ...hdl.npu.latency import MOST_BURSTS
from .external_memory import MemoryTiming

__all__ = ["FetchTiming"]


class FetchTiming:
    """Control of a `FetchEngine` and an `AxiReader` that has nothing to drop.

    Attributes
    ----------
    moves : bool
        A burst was asked for, an address taken, or a beat came in the last cycle.
    """

    def __init__(self, config: NpuConfig, memory: MemoryTiming) -> None:
        self._config, self._memory = config, memory
        self._now = 0
        self._asks = self._left_to_ask = self._left_to_come = 0
        #: Beats of the burst whose address is offered, and the cycle in which it is taken.
        self._offered: tuple[int, int] | None = None
        #: Beats that have not come of bursts whose address was taken, and in which cycle it was.
        self._under_way: deque[tuple[int, int]] = deque()
        self._is_first = True
        #: The cycles of the last beat, and of the next one where its address was taken.
        self._before = -1
        self._next: int | None = None
        self.moves = False

    def start(self, descriptor: Descriptor) -> None:
        """A FETCH begins; called at the end of a cycle."""
        port = self._config.external_port
        self._asks = descriptor["source"] // port
        self._left_to_ask = self._left_to_come = descriptor["bytes"] // port

    def cycle(self) -> bool:
        """One cycle; whether the descriptor is done."""
        if not self._left_to_come:
            self._now += 1
            self.moves = False
            return False
        burst = None
        if self._left_to_ask and self._offered is None and len(self._under_way) < MOST_BURSTS:
            burst = self._ask()
        comes = self._next == self._now
        if comes:
            self._come()
        taken = self._offered is not None and self._offered[1] == self._now
        if taken:
            assert self._offered is not None
            self._under_way.append((self._offered[0], self._now))
            self._offered = None
        if burst is not None:
            self._offered = burst, self._now + 1 + self._memory.address_wait()
        if self._next is None and self._under_way:
            self._next = self._memory.beat(
                self._under_way[0][1], self._before, is_first=self._is_first
            )
        self._now += 1
        self.moves = taken or comes or burst is not None
        return comes and not self._left_to_come

    def _ask(self) -> int:
        """Beats of the burst that is asked for."""
        most = self._config.burst_beats
        beats = min(self._left_to_ask, most - self._asks % most)
        self._asks += beats
        self._left_to_ask -= beats
        return beats

    def _come(self) -> None:
        """The next beat."""
        beats, taken = self._under_way.popleft()
        self._is_first = beats == 1
        if beats > 1:
            self._under_way.appendleft((beats - 1, taken))
        self._left_to_come -= 1
        self._before, self._next = self._now, None
