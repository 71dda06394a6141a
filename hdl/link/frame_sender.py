# SPDX-License-Identifier: Apache-2.0
"""Frame sender: words of answers, reports and acknowledgements become frames' bytes."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..npu.packets import StreamWord
from .cobs_encoder import FrameByte
from .crc32 import Crc32
from .frames import ANSWER, FRAME_WORDS, POSITION_BITS, REPORT_WORDS, SESSION_BITS, Answer, Control

__all__ = ["FrameSender"]


class FrameSender(wiring.Component):
    """Sends a frame at a time: a report where one is due, else answers, else a control word alone.

    Each frame but a report acknowledges what has come when its control word is made, at its end.

    Throughput: a byte in 9 cycles.

    Members
    -------
    report_due, status_due : In(1)
        A report is wanted; any frame is.
    begins_report, begins : Out(1)
        A report begins in this cycle; any frame does.
    pause : In(1)
        No frame begins.
    is_idle : Out(1)
        No frame is under way.
    ack, gap, is_open : In
        Of the control word: `Control` and `Answer`.
    session : In(24)
        Of a report.
    index, value, is_settled
        Those of `LinkCounters`, from the other side.
    sendable, word, position, is_end, next_word
        Those of an `AnswerQueue`, from the other side.
    frame : Out(stream of FrameByte)
    """

    report_due: Signal
    status_due: Signal
    begins_report: Signal
    begins: Signal
    pause: Signal
    is_idle: Signal
    ack: Signal
    gap: Signal
    is_open: Signal
    session: Signal
    index: Signal
    value: Signal
    is_settled: Signal
    sendable: Signal
    word: Any
    position: Signal
    is_end: Signal
    next_word: Signal
    frame: stream.Interface

    def __init__(self) -> None:
        super().__init__(
            {
                "report_due": In(1),
                "status_due": In(1),
                "begins_report": Out(1),
                "begins": Out(1),
                "pause": In(1),
                "is_idle": Out(1),
                "ack": In(POSITION_BITS),
                "gap": In(1),
                "is_open": In(1),
                "session": In(SESSION_BITS),
                "index": Out(range(16)),
                "value": In(16),
                "is_settled": In(1),
                "sendable": In(1),
                "word": In(StreamWord),
                "position": In(POSITION_BITS),
                "is_end": In(1),
                "next_word": Out(1),
                "frame": Out(stream.Signature(FrameByte)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = Crc32()
        sending = _Sending()
        m.d.comb += [
            self.index.eq(sending.count[: len(self.index)]),
            crc.bit.eq(sending.word[0]),
            crc.drain.eq(sending.is_checksum),
            self.frame.payload.data.eq(Mux(sending.is_checksum, crc.value[:8], sending.word[:8])),
        ]
        with m.FSM():
            self._begin(m, sending, crc)
            self._load(m, sending)
            self._shift(m, sending, crc)
            with m.State("End"):
                m.d.comb += [self.frame.valid.eq(1), self.frame.payload.end.eq(1)]
                with m.If(self.frame.ready):
                    m.next = "Idle"
        return m

    def _begin(self, m: Module, sending: "_Sending", crc: Any) -> None:
        with m.State("Idle"):
            m.d.comb += [self.is_idle.eq(1), crc.clear.eq(1)]
            m.d.sync += [
                sending.count.eq(0), sending.place.eq(0), sending.last.eq(0),
                sending.is_report.eq(self.report_due), sending.is_control.eq(0),
                sending.is_checksum.eq(0),
            ]
            with m.If(~self.pause):
                with m.If(self.report_due | (self.sendable & self.is_open)):
                    m.d.comb += [self.begins.eq(1), self.begins_report.eq(self.report_due)]
                    m.next = "Word"
                with m.Elif(self.status_due):
                    m.d.comb += self.begins.eq(1)
                    m.next = "Control"

    def _load(self, m: Module, sending: "_Sending") -> None:
        control: Any = Signal(Control)
        flags = {
            Answer.LAST: sending.last, Answer.OPEN: self.is_open, Answer.GAP: self.gap,
            Answer.REPORT: sending.is_report,
        }
        m.d.comb += [
            control.flags.eq(Cat(flags[flag] for flag in Answer)),
            control.kind.eq(ANSWER),
        ]
        places = Mux(sending.is_report, self.session, Cat(self.position, self.ack))
        m.d.comb += Cat(control.position, control.ack).eq(places)
        with m.State("Word"):
            m.d.sync += sending.count.eq(sending.count + 1)
            with m.If(~sending.is_report):
                m.d.comb += self.next_word.eq(1)
                m.d.sync += [
                    sending.word.eq(self.word.data),
                    sending.last.eq(self.word.last),
                    sending.is_final.eq(
                        self.word.last | self.is_end | (sending.count == FRAME_WORDS - 1)
                    ),
                ]
                m.next = "Byte"
            with m.Elif(self.is_settled):
                m.d.sync += [
                    sending.word.eq(self.value),
                    sending.is_final.eq(sending.count == REPORT_WORDS - 1),
                ]
                m.next = "Byte"
            with m.Else():
                m.d.sync += sending.count.eq(sending.count)
        with m.State("Control"):
            m.d.sync += [sending.word.eq(control), sending.is_control.eq(1)]
            m.next = "Byte"

    def _shift(self, m: Module, sending: "_Sending", crc: Any) -> None:
        """A byte to the encoder, then its bits to the checksum."""
        with m.State("Byte"):
            m.d.comb += self.frame.valid.eq(1)
            with m.If(self.frame.ready):
                m.next = "Bits"
        with m.State("Bits"):
            m.d.comb += crc.step.eq(1)
            m.d.sync += [sending.word.eq(sending.word[1:]), sending.place.eq(sending.place + 1)]
            with m.If(sending.place[:3] == 7):
                m.next = "Byte"
            with m.If(sending.place == 31):
                with m.If(sending.is_checksum):
                    m.next = "End"
                with m.Elif(sending.is_control):
                    m.d.sync += sending.is_checksum.eq(1)
                with m.Elif(sending.is_final):
                    m.next = "Control"
                with m.Else():
                    m.next = "Word"


class _Sending:
    """What the sender knows of the frame that is under way; each begins with its own."""

    def __init__(self) -> None:
        #: The word at its first bit that has not been taken, how many words came before it, and
        #: bits of it that have been taken.
        self.word = Signal(32, reset_less=True)
        self.count = Signal(range(FRAME_WORDS + 1), reset_less=True)
        self.place = Signal(5, reset_less=True)
        #: The last word so far ends a packet; there is none behind it in the frame.
        self.last = Signal(reset_less=True)
        self.is_final = Signal(reset_less=True)
        self.is_report = Signal(reset_less=True)
        #: The control word or the checksum, which follows it, is under way.
        self.is_control = Signal(reset_less=True)
        self.is_checksum = Signal(reset_less=True)
