# SPDX-License-Identifier: Apache-2.0
"""The two directions of a serial link at the host's end: words that go, and words that come."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from ...hdl.link.frames import FRAME_WORDS, POSITIONS, Answer, Command
from .frame_codec import AnswerFrame

__all__ = ["AnswerStream", "CommandFrame", "CommandStream"]

#: Words under way at most: they bridge the time that adapters from USB take to hand on an answer.
WINDOW = 1024


class CommandFrame(NamedTuple):
    """Words of a packet that go in one frame."""

    position: int
    words: Sequence[int]
    flags: Command


class CommandStream:
    """Words for the device, kept in frames until they are acknowledged.

    The device takes frames in order only. So where one is lost all behind it go again, too.

    Attributes
    ----------
    end : int
        Position behind the last word.
    resent : int
        Frames that were sent again, so far.
    """

    def __init__(self) -> None:
        self.end = 0
        self.resent = 0
        self._frames: deque[CommandFrame] = deque()
        self._under_way = 0

    def add(self, packet: Sequence[int]) -> None:
        """Divide a packet into frames."""
        for start in range(0, len(packet), FRAME_WORDS):
            words = packet[start : start + FRAME_WORDS]
            is_last = start + FRAME_WORDS >= len(packet)
            flags = Command.LAST if is_last else Command(0)
            self._frames.append(CommandFrame(self.end, words, flags))
            self.end = (self.end + len(words)) % POSITIONS

    @property
    def is_acknowledged(self) -> bool:
        """Whether the device has all words."""
        return not self._frames

    @property
    def words_under_way(self) -> int:
        """Words that have been sent and are not acknowledged."""
        if self._under_way == 0:
            return 0
        last = self._frames[self._under_way - 1]
        return (last.position - self._frames[0].position) % POSITIONS + len(last.words)

    def next_frame(self) -> CommandFrame | None:
        """The next frame to send, if there is one and the window has room for it."""
        if self._under_way == len(self._frames):
            return None
        if self._under_way and self.words_under_way + FRAME_WORDS > WINDOW:
            return None
        self._under_way += 1
        return self._frames[self._under_way - 1]

    def acknowledge(self, ack: int) -> None:
        """Forget frames before that position; an old acknowledgement changes nothing.

        It may be for more than is under way: for what was sent before `go_back`.
        """
        if not self._frames:
            return
        count = (ack - self._frames[0].position) % POSITIONS
        if count > WINDOW:
            return
        while self._frames and count >= len(self._frames[0].words):
            count -= len(self._frames.popleft().words)
            self._under_way = max(0, self._under_way - 1)

    def is_missing(self, ack: int) -> bool:
        """Whether frames are under way and the first of them is what is awaited at `ack`."""
        return self._under_way > 0 and self._frames[0].position == ack

    def go_back(self) -> None:
        """Send all that is under way again."""
        self.resent += self._under_way
        self._under_way = 0


class AnswerStream:
    """Words from the device, put together to packets.

    Attributes
    ----------
    packets : deque of list of int
        The complete ones, the oldest first.
    expected : int
        Position of the word that is awaited.
    repeats, gaps : int
        Frames whose words had come already, and that came behind missing ones.
    """

    def __init__(self) -> None:
        self.packets: deque[list[int]] = deque()
        self.expected = 0
        self.repeats = 0
        self.gaps = 0
        self._words: list[int] = []

    def take(self, frame: AnswerFrame) -> bool:
        """Take a frame's words if they are awaited; whether some before them are missing."""
        ahead = (frame.position - self.expected) % POSITIONS
        is_ahead = 0 < ahead < POSITIONS // 2
        if not frame.words:
            return is_ahead
        if ahead:
            self.gaps += is_ahead
            self.repeats += not is_ahead
            return is_ahead
        self.expected = (self.expected + len(frame.words)) % POSITIONS
        self._words += frame.words
        if Answer.LAST in frame.flags:
            self.packets.append(self._words)
            self._words = []
        return False
