# SPDX-License-Identifier: Apache-2.0
"""When external memory takes an address, and when its data come."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["LATENCY", "FixedLatency", "MemoryTiming", "Recorded"]

#: Cycles from an address to the first of its data where nothing else is said.
LATENCY = 32


class MemoryTiming(Protocol):
    """What of a memory's behaviour the cycles of a run depend on. Asked once for each event."""

    def address_wait(self) -> int:
        """Cycles for which the next address is offered in vain."""
        ...

    def beat(self, taken: int, before: int, *, is_first: bool) -> int:
        """The cycle of the next beat.

        `taken` is the cycle in which the address of its burst was, `before` that of the beat before
        it, of whichever burst; `is_first`: it is the first of its burst.
        """
        ...


class FixedLatency:
    """A memory that takes every address at once, and reads bursts one behind the other.

    The first beat of a burst comes `latency` cycles (1 or more) after its address, or right behind
    the burst before it; then there is one a cycle.
    """

    def __init__(self, latency: int = LATENCY) -> None:
        self._latency = latency

    def address_wait(self) -> int:
        """None."""
        return 0

    def beat(self, taken: int, before: int, *, is_first: bool) -> int:
        """As the protocol says."""
        return max(before + 1, taken + self._latency) if is_first else before + 1


class Recorded:
    """A memory as it was watched.

    Parameters
    ----------
    waits : sequence of int
        For each address the cycles for which it was offered and not taken.
    gaps : sequence of int
        For each beat the cycles since the beat before it, or since its burst's address was taken,
        whichever was later; at least 1.
    """

    def __init__(self, waits: Sequence[int], gaps: Sequence[int]) -> None:
        self._waits, self._gaps = iter(waits), iter(gaps)

    def address_wait(self) -> int:
        """As the protocol says. Raises StopIteration where nothing more was recorded."""
        return next(self._waits)

    def beat(self, taken: int, before: int, *, is_first: bool) -> int:
        """As the protocol says. Raises StopIteration where nothing more was recorded."""
        return max(taken, before) + next(self._gaps)
