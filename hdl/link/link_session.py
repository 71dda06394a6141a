# SPDX-License-Identifier: Apache-2.0
"""The session of a serial link: what becomes of each frame, and what is to be sent."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .frames import POSITION_BITS, SESSION_BITS, Command, Control, LinkEvent

__all__ = ["LinkSession"]


class LinkSession(wiring.Component):
    """Decides on frames.

    A frame's words are taken if it begins with the word that is awaited, so each word is taken
    once, in order, whatever is lost or repeated. A host begins with a frame that carries a number
    of its choice, the session's. With a new one everything begins anew, once no frame is being
    sent: both queues are emptied, and the NPU is reset. With the current one, which is the same
    frame again, there is only another report. Without a session no words are taken.

    Every sound frame is answered by a frame, and within a session every damaged one too.

    Members
    -------
    sound, damaged, has_word, control : In
        Those of a `FrameReceiver`.
    has_room : In(1)
    expected : In(12)
        The command queue's `position`.
    commit, drop : Out(1)
        The command queue's.
    acknowledge : Out(1)
        The frame's `ack` holds.
    rewind : Out(1)
        The answer queue's.
    reset : Out(1)
        A session begins: for one cycle, from a register.
    is_idle, begins_report, begins : In(1)
        Those of a `FrameSender`, as are the others.
    pause, report_due, status_due, gap, is_open : Out(1)
    session : Out(24)
    events : Out(...)
        What there is to count in this cycle, from `LinkEvent.REPEAT` on.
    """

    sound: Signal
    damaged: Signal
    has_word: Signal
    control: Any
    has_room: Signal
    expected: Signal
    commit: Signal
    drop: Signal
    acknowledge: Signal
    rewind: Signal
    reset: Signal
    is_idle: Signal
    begins_report: Signal
    begins: Signal
    pause: Signal
    report_due: Signal
    status_due: Signal
    gap: Signal
    is_open: Signal
    session: Signal
    events: Signal

    def __init__(self) -> None:
        heard = ("sound", "damaged", "has_word", "has_room", "is_idle", "begins_report", "begins")
        told = (
            "commit", "drop", "acknowledge", "rewind", "reset", "pause", "report_due",
            "status_due", "gap", "is_open",
        )
        super().__init__(
            {
                **{name: In(1) for name in heard},
                "control": In(Control),
                "expected": In(POSITION_BITS),
                **{name: Out(1) for name in told},
                "session": Out(SESSION_BITS),
                "events": Out(len(LinkEvent) - LinkEvent.REPEAT),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        session = Signal(SESSION_BITS, reset_less=True)
        number = Cat(self.control.position, self.control.ack)
        m.d.comb += self.session.eq(session)
        opens = Signal()
        rewinds = Signal()
        with m.If(self.begins):
            m.d.sync += self.status_due.eq(0)
        with m.If(self.begins_report):
            m.d.sync += self.report_due.eq(0)
        self._begin_anew(m, opens, rewinds)
        m.d.comb += self.drop.eq((self.sound & ~self.commit) | self.damaged)
        with m.If(self.sound & self._has(Command.OPEN)):
            m.d.sync += self.report_due.eq(1)
            with m.If(~(self.is_open & (session == number))):
                m.d.sync += [session.eq(number), self.is_open.eq(0), opens.eq(1)]
        with m.Elif(self.sound):
            m.d.comb += self.acknowledge.eq(self.is_open)
            m.d.sync += self.status_due.eq(1)
            with m.If(self._has(Command.RESEND) & self.is_open):
                m.d.sync += rewinds.eq(1)
            with m.If(self._has(Command.REPORT)):
                m.d.sync += self.report_due.eq(1)
            with m.If(self.has_word):
                self._take(m)
        with m.If(self.damaged & self.is_open):
            m.d.sync += [self.gap.eq(1), self.status_due.eq(1)]
        return m

    def _has(self, flag: Command) -> Any:
        return self.control.flags[flag.bit_length() - 1]

    def _event(self, event: LinkEvent) -> Any:
        return self.events[event - LinkEvent.REPEAT]

    def _begin_anew(self, m: Module, opens: Signal, rewinds: Signal) -> None:
        """Reset or rewind between two frames; the sender sees it one cycle later."""
        settles = Signal()
        m.d.sync += [
            self.reset.eq(opens & self.is_idle & ~self.reset),
            settles.eq(self.reset | self.rewind),
        ]
        m.d.comb += [
            self.rewind.eq(rewinds & self.is_idle & ~opens),
            self.pause.eq(opens | rewinds | settles),
        ]
        with m.If(self.rewind):
            m.d.sync += rewinds.eq(0)
        with m.If(self.reset):
            m.d.sync += [
                opens.eq(0), rewinds.eq(0), self.is_open.eq(1), self.gap.eq(0),
            ]

    def _take(self, m: Module) -> None:
        """Whether the words of a sound frame are those that are awaited."""
        ahead = Signal(POSITION_BITS)
        m.d.comb += ahead.eq((self.control.position - self.expected)[:POSITION_BITS])
        with m.If(~self.is_open):
            m.d.comb += self._event(LinkEvent.CLOSED).eq(1)
        with m.Elif((ahead == 0) & self.has_room):
            m.d.comb += self.commit.eq(1)
            m.d.sync += self.gap.eq(0)
        with m.Elif(ahead == 0):
            m.d.comb += self._event(LinkEvent.NO_ROOM).eq(1)
            m.d.sync += self.gap.eq(1)
        with m.Elif(ahead[-1]):
            m.d.comb += self._event(LinkEvent.REPEAT).eq(1)
        with m.Else():
            m.d.comb += self._event(LinkEvent.AHEAD).eq(1)
            m.d.sync += self.gap.eq(1)
