# SPDX-License-Identifier: Apache-2.0
"""The host's end of a serial link. It does no input or output and has no clock: both are given.

So the same code runs over a port, over a model of a device, and over the pins of a simulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...hdl.link.frames import (
    CLOCK_UNIT,
    FRAME_WORDS,
    LINK_VERSION,
    REPORT_WORDS,
    Answer,
    Command,
    Fact,
    LinkEvent,
)
from .device import DeviceError
from .frame_codec import AnswerFrame, FrameFinder, command_frame, open_frame
from .link_streams import AnswerStream, CommandFrame, CommandStream

__all__ = ["ATTEMPTS", "HostLink", "LinkError", "LinkPace", "Report"]

#: Of `LinkPace`: enough for a line that damages every third frame.
ATTEMPTS = 20

#: Bytes of a frame on the line that are no words: control, checksum, zeros and COBS's codes.
_WORD_BYTES, _OVERHEAD = 4, 14

_NONE = Command(0)


class LinkError(DeviceError):
    """The link cannot go on: the device is gone, was reset, or is none."""


@dataclass(frozen=True)
class LinkPace:
    """How fast a line is, in seconds."""

    byte: float
    """A byte on the line."""
    margin: float
    """What computers and adapters at both ends add to the time that bytes take."""
    idle: float
    """From one question to the next where nothing but an answer is awaited."""
    attempts: int = ATTEMPTS
    """How often nothing may come in time before the device is taken to be gone."""


@dataclass(frozen=True)
class Report:
    """What a device tells of itself."""

    counters: dict[LinkEvent, int]
    facts: dict[Fact, int]

    @classmethod
    def parse(cls, words: Sequence[int]) -> "Report":
        """From a report's words."""
        return cls(
            {event: words[event] for event in LinkEvent}, {fact: words[fact] for fact in Fact}
        )

    @property
    def clock_hz(self) -> int:
        """The frequency of the device's clock."""
        return self.facts[Fact.CLOCK] * CLOCK_UNIT

    def since(self, before: "Report") -> dict[LinkEvent, int]:
        """What has been counted since another report, without zeros."""
        counts = {
            event: (count - before.counters[event]) % (1 << 16)
            for event, count in self.counters.items()
        }
        return {event: count for event, count in counts.items() if count}


class HostLink:
    """Sends packets and collects answers, each once and in order.

    Call `receive` with what comes and `poll` for what to send, the latter again as long as it
    gives something, and at `wake` at the latest.

    Parameters
    ----------
    name : str
        Of the device, for messages.
    session : int
        A number of `SESSION_BITS` bits that no session before had, as far as that can be.
    pace : LinkPace

    Attributes
    ----------
    commands, answers : CommandStream, AnswerStream
    report : Report or None
        The latest one; there is one once `is_open`.
    is_open : bool
        The session has begun.
    wake : float
        When `poll` must be called, if nothing comes.
    timeouts : int
        Times nothing came when something should have.
    """

    def __init__(self, name: str, session: int, pace: LinkPace) -> None:
        self.name = name
        self.session = session
        self.pace = pace
        self.commands = CommandStream()
        self.answers = AnswerStream()
        self.finder = FrameFinder()
        self.report: Report | None = None
        self.is_open = False
        self.wake = 0.0
        self.timeouts = 0
        #: What the next frame must tell; None where nothing but words makes one necessary.
        self._owed: Command | None = Command.OPEN
        self._is_awaiting = False
        self._unanswered = 0
        #: Until then what says that words are missing may be older than their repetition.
        self._repeated_until = 0.0
        self._asked_until = 0.0

    def ask_report(self) -> None:
        """Ask for a new report; `report` is None until it comes."""
        self.report = None
        self._owe(Command.REPORT)

    # Sending ------------------------------------------------------------------------------------

    def poll(self, now: float) -> bytes:
        """What to send now, a frame at most.

        Raises LinkError if nothing sound has come for long.
        """
        if now >= self.wake and self._owed is None:
            self._lose_patience(now)
        if not self.is_open:
            return self._open(now) if self._owed is not None else b""
        frame = self.commands.next_frame()
        if frame is None and self._owed is None:
            return b""
        flags, self._owed = self._owed or _NONE, None
        sent = frame or CommandFrame(self.commands.end, (), _NONE)
        self._await(now)
        return command_frame(
            flags | sent.flags, sent.position, self.answers.expected, sent.words
        )

    def _open(self, now: float) -> bytes:
        self._owed = None
        self._await(now)
        return open_frame(self.session)

    def _owe(self, flags: Command = _NONE) -> None:
        self._owed = flags if self._owed is None else self._owed | flags

    def _await(self, now: float) -> None:
        self._is_awaiting = True
        self.wake = now + self._patience()

    def _patience(self) -> float:
        """Until what is under way has come, what the device is sending too, and an answer."""
        words = self.commands.words_under_way
        sent = _WORD_BYTES * words + (2 + words // FRAME_WORDS) * _OVERHEAD
        answered = _WORD_BYTES * FRAME_WORDS + 2 * _OVERHEAD
        return self.pace.margin + self.pace.byte * (sent + answered)

    def _lose_patience(self, now: float) -> None:
        """Nothing has come: what is under way goes again, or a question does."""
        if self._is_awaiting:
            self.timeouts += 1
            self._unanswered += 1
            if self._unanswered >= self.pace.attempts:
                raise LinkError(self._why_gone())
            self._go_back(now)
        self._owe(_NONE if self.is_open else Command.OPEN)
        if self.is_open and self.report is None:
            self._owe(Command.REPORT)

    def _go_back(self, now: float) -> None:
        self.commands.go_back()
        self._repeated_until = now + self._patience()

    def _why_gone(self) -> str:
        if self.is_open:
            return (
                f"{self.name}: the device does not answer any more; check the cable and its "
                "power, and run again"
            )
        if self.finder.bytes == 0:
            return (
                f"{self.name}: nothing answers; check that this is the board's port, that it is "
                "configured, and that --baud is its baud rate"
            )
        return (
            f"{self.name}: {self.finder.bytes:,} bytes came and no answer of a Cimple NPU; check "
            "that this is the board's port and that --baud is its baud rate"
        )

    # Receiving ----------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Take what has come. Raises LinkError if the device has no session any more."""
        for frame in self.finder.feed(data):
            if Answer.REPORT in frame.flags:
                self._take_report(frame, now)
            elif self.is_open:
                self._take(frame, now)

    def _take_report(self, frame: AnswerFrame, now: float) -> None:
        if len(frame.words) != REPORT_WORDS:
            self._refuse_version()
        if frame.session != self.session:
            # Before the session has begun it may be of the one before.
            if self.is_open:
                raise LinkError(f"{self.name}: another program has begun to use the device")
            return
        report = Report.parse(frame.words)
        if report.facts[Fact.VERSION] != LINK_VERSION:
            self._refuse_version()
        self.report = report
        if not self.is_open and Answer.OPEN in frame.flags:
            self.is_open = True
            self._owed = None
        self._hear(frame, now)

    def _refuse_version(self) -> None:
        raise LinkError(
            f"{self.name}: the device has another version of the serial link, and this is "
            f"version {LINK_VERSION}; generate and load the design again"
        )

    def _take(self, frame: AnswerFrame, now: float) -> None:
        self._hear(frame, now)
        is_missing = self.answers.take(frame)
        if frame.words:
            self._owe()
        if is_missing and now >= self._asked_until:
            self._owe(Command.RESEND)
            self._asked_until = now + self._patience()

    def _hear(self, frame: AnswerFrame, now: float) -> None:
        """The device is there; what it says of the words that were sent to it."""
        if self.is_open and Answer.OPEN not in frame.flags:
            raise LinkError(
                f"{self.name}: the device was reset or another program has used it; run again"
            )
        self._unanswered = 0
        if Answer.REPORT not in frame.flags:
            self.commands.acknowledge(frame.ack)
            is_lost = Answer.GAP in frame.flags and self.commands.is_missing(frame.ack)
            if is_lost and now >= self._repeated_until:
                self._go_back(now)
        self._is_awaiting = not self.commands.is_acknowledged or self.report is None
        self.wake = now + (self._patience() if self._is_awaiting else self.pace.idle)
