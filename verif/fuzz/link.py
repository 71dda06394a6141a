# SPDX-License-Identifier: Apache-2.0
"""What the fuzzer needs of an NPU: words in, words out, and its reset."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["LAST", "Exchange", "Link", "Stalls", "stream_words"]

#: The bit of a word that says that a packet ends with it.
LAST = 1 << 32


@dataclass(frozen=True)
class Stalls:
    """How often the streams pause, of 256 cycles, drawn from a seed."""

    #: No word is offered to the NPU.
    idle: int = 0
    #: No word is taken from it.
    hold: int = 0
    seed: int = 1


@dataclass(frozen=True)
class Exchange:
    """What came of an exchange."""

    #: Words that came, with `LAST`.
    words: list[int]
    cycles: int
    #: Words that the NPU has not taken yet, and packets that it has taken and not yet answered.
    left: int
    owed: int
    #: Words that it offered and that changed, or were gone, before they were taken; since ever.
    withdrawn: int = 0


class Link(Protocol):
    """The two streams of one NPU."""

    def exchange(
        self, words: Sequence[int], *, limit: int, stalls: Stalls, reset: int = 0
    ) -> Exchange:
        """Send words until all packets are answered, for at most `limit` cycles.

        Words that the NPU does not take in that time are offered first at the next exchange. With
        `reset` it is reset for so many cycles before, and everything outstanding is forgotten.
        """
        ...


def stream_words(packet: Sequence[int]) -> list[int]:
    """A packet's words, the last one marked."""
    return [*packet[:-1], packet[-1] | LAST]
