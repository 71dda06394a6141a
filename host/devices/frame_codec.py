# SPDX-License-Identifier: Apache-2.0
"""Frames of the serial link as bytes of the line: made for a device, and found in what it sends."""

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from cobs import cobs

from ...hdl.link.frames import (
    ANSWER,
    COMMAND,
    FRAME_WORDS,
    POSITION_BITS,
    POSITIONS,
    Answer,
    Command,
)

__all__ = ["AnswerFrame", "FrameFinder", "command_frame", "open_frame"]

_WORD = 4

#: Where the fields of a control word are.
_KIND, _POSITION, _ACK = 4, 8, 8 + POSITION_BITS

#: Bytes between two zeros that are surely no frame: control, words and checksum, and COBS's codes.
_MOST_BYTES = _WORD * (FRAME_WORDS + 2) + 8


class AnswerFrame(NamedTuple):
    """A sound frame that a device has sent."""

    flags: Answer
    position: int
    """Of its first word."""
    ack: int
    session: int
    """Of a report, which has no position and no acknowledgement."""
    words: list[int]


def open_frame(session: int) -> bytes:
    """The bytes of the frame that begins a session."""
    return command_frame(Command.OPEN, session % POSITIONS, session // POSITIONS)


def command_frame(
    flags: Command, position: int, ack: int, words: Sequence[int] = ()
) -> bytes:
    """The bytes of a frame on the line. `position` and `ack` are taken modulo `POSITIONS`."""
    control = (
        flags | COMMAND << _KIND | position % POSITIONS << _POSITION | ack % POSITIONS << _ACK
    )
    body = np.array([control, *words], "<u4").tobytes()
    return b"\0" + cobs.encode(body + zlib.crc32(body).to_bytes(_WORD, "little")) + b"\0"


class FrameFinder:
    """Finds frames in the bytes of a line, whatever lies between them.

    Attributes
    ----------
    damaged : int
        What ended in a zero and was no sound frame, so far.
    bytes : int
        Bytes that have come, so far.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self.bytes = 0
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[AnswerFrame]:
        """The frames that end in these bytes."""
        self.bytes += len(data)
        *ended, rest = (self._rest + data).split(b"\0")
        # What is too long to be a frame is kept as such, and not at its length.
        self._rest = rest[: _MOST_BYTES + 1]
        for coded in ended:
            if not coded:
                continue
            frame = _decode(bytes(coded)) if len(coded) <= _MOST_BYTES else None
            if frame is None:
                self.damaged += 1
            else:
                yield frame


def _decode(coded: bytes) -> AnswerFrame | None:
    try:
        frame = cobs.decode(coded)
    except cobs.DecodeError:
        return None
    body, checksum = frame[:-_WORD], int.from_bytes(frame[-_WORD:], "little")
    if len(frame) % _WORD or len(body) < _WORD or zlib.crc32(body) != checksum:
        return None
    *words, control = np.frombuffer(body, "<u4").tolist()
    if control >> _KIND & 0xF != ANSWER:
        return None
    # An answer's control word tells where its words end.
    position = ((control >> _POSITION) - len(words)) % POSITIONS
    return AnswerFrame(
        Answer(control & 0xF), position, control >> _ACK, control >> _POSITION, words
    )
