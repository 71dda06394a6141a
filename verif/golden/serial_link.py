# SPDX-License-Identifier: Apache-2.0
"""What a device does at its end of a serial link, byte by byte; it does not know time."""

import zlib
from collections.abc import Callable, Sequence

from ...hdl.link.frames import (
    ANSWER,
    CLOCK_UNIT,
    COMMAND,
    FRAME_WORDS,
    LINK_VERSION,
    POSITIONS,
    Answer,
    Command,
    Fact,
    LinkEvent,
)

__all__ = ["LinkModel", "cobs_decode", "cobs_encode"]

_NONE = Answer(0)


def cobs_encode(data: bytes) -> bytes:
    """Consistent overhead byte stuffing: the same data without a zero."""
    coded = bytearray()
    for part in (data + b"\0").split(b"\0")[:-1]:
        while len(part) >= 254:
            coded += b"\xff" + part[:254]
            part = part[254:]
        coded += bytes([len(part) + 1]) + part
    return bytes(coded)


def cobs_decode(coded: bytes) -> bytes | None:
    """The data that was stuffed; None where the bytes end within a block."""
    data, place = bytearray(), 0
    while place < len(coded):
        code = coded[place]
        if place + code > len(coded):
            return None
        data += coded[place + 1 : place + code]
        place += code
        if code != 0xFF and place < len(coded):
            data += b"\0"
    return bytes(data)


class LinkModel:
    """The device's end, with what answers packets behind it.

    Parameters
    ----------
    transact : callable
        Answers a packet; with no words, not yet.
    reset : callable
        Told when a session begins.
    clock_hz, buffer_words : int
        What its reports tell.

    Attributes
    ----------
    packets : list of list of int
        What has been given to `transact`.
    counters : dict
        By `LinkEvent`; those that take a line are zero.
    """

    def __init__(
        self, transact: Callable[[Sequence[int]], Sequence[int]],
        reset: Callable[[], None] = lambda: None, *, clock_hz: int = 12_000_000,
        buffer_words: int = 256,
    ) -> None:
        self.packets: list[list[int]] = []
        self.counters = dict.fromkeys(LinkEvent, 0)
        self.facts = {
            Fact.VERSION: LINK_VERSION, Fact.BUFFER_WORDS: buffer_words,
            Fact.CLOCK: clock_hz // CLOCK_UNIT,
        }
        self._transact = transact
        self._reset = reset
        self._line = bytearray()
        self._session: int | None = None
        self._begin()

    def _begin(self) -> None:
        self._gap = False
        self._expected = 0
        self._packet: list[int] = []
        #: Words that are not acknowledged, with their `last`, and the first one's position.
        self._kept: list[tuple[int, bool]] = []
        self._first = 0
        self._sent = 0

    def power_on(self) -> None:
        """Forget the session, as a reset of the whole device does."""
        self._session = None
        self._line.clear()
        self._begin()

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the line; those that go back."""
        answer = bytearray()
        for byte in data:
            if byte:
                self._line.append(byte)
            elif self._line:
                answer += self._take(bytes(self._line))
                self._line.clear()
        return bytes(answer)

    def _take(self, coded: bytes) -> bytes:
        frame = cobs_decode(coded)
        event = self._fault(frame)
        if event is not None or frame is None:
            self.counters[event or LinkEvent.SHORT] += 1
            self._gap = self._session is not None
            return self._frame([]) if self._gap else b""
        words = [int.from_bytes(frame[at : at + 4], "little") for at in range(0, len(frame), 4)]
        control, *words = words[:-1]
        flags = Command(control & 0xF)
        if Command.OPEN in flags:
            return self._open(control >> 8)
        if self._session is not None:
            self._acknowledge(control >> 20, rewinds=Command.RESEND in flags)
        self._take_words(control >> 8 & POSITIONS - 1, words, flags)
        report = self._report() if Command.REPORT in flags else b""
        return report + (self._send() or (b"" if report else self._frame([])))

    def _fault(self, frame: bytes | None) -> LinkEvent | None:
        if frame is not None and len(frame) > 4 * (FRAME_WORDS + 2):
            return LinkEvent.LONG
        if frame is None or len(frame) < 8 or len(frame) % 4:
            return LinkEvent.SHORT
        is_command = frame[0] >> 4 == COMMAND
        if not is_command or zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "little"):
            return LinkEvent.CHECKSUM
        return None

    def _open(self, session: int) -> bytes:
        if session != self._session:
            self._begin()
            self._session = session
            self._reset()
        return self._report()

    def _acknowledge(self, ack: int, *, rewinds: bool) -> None:
        came = (ack - self._first) % POSITIONS
        if came <= len(self._kept):
            del self._kept[:came]
            self._first = ack
            self._sent = max(0, self._sent - came)
        if rewinds:
            self._sent = 0

    def _take_words(self, position: int, words: Sequence[int], flags: Command) -> None:
        if not words:
            return
        ahead = (position - self._expected) % POSITIONS
        if self._session is None:
            self.counters[LinkEvent.CLOSED] += 1
        elif ahead:
            is_behind = ahead >= POSITIONS // 2
            self.counters[LinkEvent.REPEAT if is_behind else LinkEvent.AHEAD] += 1
            self._gap |= not is_behind
        else:
            self._gap = False
            self._expected = (self._expected + len(words)) % POSITIONS
            self._packet += words
            if Command.LAST in flags:
                self._answer()

    def _answer(self) -> None:
        packet, self._packet = self._packet, []
        self.packets.append(packet)
        if answer := self._transact(packet):
            self.answer_also(answer)

    def answer_also(self, answer: Sequence[int]) -> None:
        """Add a packet to what is answered, as to a request that was not answered at once."""
        *words, last = answer
        self._kept += [*((word, False) for word in words), (last, True)]

    def _send(self) -> bytes:
        """All that has not been sent, in frames; answers longer than a buffer too."""
        sent = bytearray()
        while self._sent < len(self._kept):
            part = self._kept[self._sent : self._sent + FRAME_WORDS]
            ends = [index for index, (_, last) in enumerate(part) if last]
            part = part[: ends[0] + 1] if ends else part
            self._sent += len(part)
            sent += self._frame([word for word, _ in part], Answer.LAST if ends else _NONE)
        return bytes(sent)

    def _report(self) -> bytes:
        return self._frame([*self.counters.values(), *self.facts.values()], Answer.REPORT)

    def _frame(self, words: Sequence[int], flags: Answer = _NONE) -> bytes:
        flags |= Answer.OPEN if self._session is not None else _NONE
        flags |= Answer.GAP if self._gap else _NONE
        places = (self._first + self._sent) % POSITIONS | self._expected << 12
        if Answer.REPORT in flags:
            places = self._session or 0
        control = flags | ANSWER << 4 | places << 8
        body = b"".join(word.to_bytes(4, "little") for word in [*words, control])
        return b"\0" + cobs_encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"
