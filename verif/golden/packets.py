# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request, if anything is, and what an answer must look like."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...hdl.npu.packets import Request, Status, response_header
from .memories import Memories

__all__ = ["Expected", "Fault", "find_fault", "take_apart"]

#: Words of the requests that have only one length, their headers included.
LENGTHS = {
    Request.IDENTIFY: 1,
    Request.READ: 2,
    Request.RUN: 2,
    Request.SYNC: 2,
    Request.RESET: 1,
    Request.COUNTERS: 1,
}

_ALL = 0xFFFFFFFF


@dataclass(frozen=True)
class Expected:
    """An answer, and the bits of each of its words that can be predicted without knowing time."""

    words: list[int]
    masks: list[int]

    @classmethod
    def answer(
        cls, request: int, status: Status, words: Sequence[int], masks: Sequence[int] | None = None
    ) -> "Expected":
        """The answer to the request with this header; without masks all of it is predicted."""
        header = response_header(request & 0xFF, request >> 8 & 0xFF, status)
        return cls([header, *words], [_ALL, *(masks or [_ALL] * len(words))])

    def difference(self, words: Sequence[int]) -> str | None:
        """How an answer differs from this one; None if it does not."""
        for index, (word, expected, mask) in enumerate(
            zip(words, self.words, self.masks, strict=False)
        ):
            if (word ^ expected) & mask:
                masked = "" if mask == _ALL else f" under {mask:#010x}"
                return f"word {index} is {word:#010x}, expected {expected:#010x}{masked}"
        if len(words) != len(self.words):
            return f"{len(words)} words, expected {len(self.words)}"
        return None


@dataclass(frozen=True)
class Fault:
    """Why a request is refused, wholly or from some word on."""

    status: Status
    detail: int


def take_apart(header: int) -> tuple[int, int]:
    """Opcode and count of a request."""
    return header & 0xFF, header >> 16


def find_fault(packet: Sequence[int], memories: Memories) -> Fault | None:
    """The first fault of a request, in the order in which the hardware looks for them."""
    code, count = take_apart(packet[0])
    if code not in set(Request):
        return Fault(Status.UNKNOWN_OPCODE, packet[0])
    request = Request(code)
    # A WRITE has at least its address; how long it must be is known, and asked, last.
    if fault := _length_fault(packet, LENGTHS.get(request, max(2, len(packet)))):
        return fault
    if request in (Request.READ, Request.WRITE):
        if count == 0:
            return Fault(Status.BAD_COUNT, packet[0])
        if memories.locate(packet[1], count) is None:
            return Fault(Status.BAD_ADDRESS, packet[1])
    if request is Request.RUN and packet[1] >= memories.config.descriptors:
        return Fault(Status.BAD_ADDRESS, packet[1])
    return _length_fault(packet, 2 + count) if request is Request.WRITE else None


def _length_fault(packet: Sequence[int], length: int) -> Fault | None:
    if len(packet) < length:
        return Fault(Status.TRUNCATED, len(packet))
    return Fault(Status.OVERLONG, len(packet)) if len(packet) > length else None
