# SPDX-License-Identifier: Apache-2.0
"""Frame receiver: what the UART hears becomes words, control words and verdicts on frames."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .cobs_decoder import CobsDecoder
from .config import WrapperConfig
from .crc32 import Crc32
from .frames import COMMAND, CRC_RESIDUE, FRAME_WORDS, Control, LinkEvent

__all__ = ["FrameReceiver", "patience"]

#: Silence after which an unfinished frame is given up, at least: in seconds, as that is how long
#: a computer may pause, and in bits, for slow lines.
_SILENCE_SECONDS, _SILENCE_BITS = 0.005, 320

#: Words of a frame that are not payload: control and checksum.
_FRAMING = 2


def patience(wrapper: WrapperConfig) -> int:
    """Clock cycles without a byte after which an unfinished frame is given up: a power of two."""
    seconds, bits = _SILENCE_SECONDS * wrapper.clock_hz, _SILENCE_BITS * wrapper.divisor
    return 1 << ceil_log2(max(int(seconds), bits))


class FrameReceiver(wiring.Component):
    """Takes bytes of the line and tells each frame's words, then whether it is sound.

    Whatever comes, a zero ends it, and the next byte begins a new frame. Words are told before it
    is known whether the frame is sound, and the last one together with the verdict: a word is told
    when the next one begins, as only then it is not the checksum.

    Latency: the verdict comes with the zero behind the frame. A byte takes 9 cycles.

    Parameters
    ----------
    patience : int
        Clock cycles without a byte after which a frame is given up: a power of two.

    Members
    -------
    byte, valid, framing_error, line_break : In
        As a `UartReceiver` gives them.
    control : Out(Control)
        The frame's, from its second word to its end.
    word : Out(32)
    word_valid : Out(1)
        A word of the frame, and not its last.
    sound : Out(1)
        A sound frame has ended, in this cycle. If `has_word`, `word` is its last.
    has_word : Out(1)
    amid_frame : Out(1)
        A frame has begun.
    damaged : Out(1)
        A frame has ended that is not sound, in this cycle, or was given up.
    events : Out(...)
        What there is to count in this cycle, up to `LinkEvent.TIMEOUT`.
    """

    byte: Signal
    valid: Signal
    framing_error: Signal
    line_break: Signal
    control: Any
    word: Signal
    word_valid: Signal
    sound: Signal
    has_word: Signal
    amid_frame: Signal
    damaged: Signal
    events: Signal

    def __init__(self, patience: int) -> None:
        self.patience = patience
        super().__init__(
            {
                "byte": In(8),
                "valid": In(1),
                "framing_error": In(1),
                "line_break": In(1),
                "control": Out(Control),
                "word": Out(32),
                "word_valid": Out(1),
                "sound": Out(1),
                "has_word": Out(1),
                "amid_frame": Out(1),
                "damaged": Out(1),
                "events": Out(LinkEvent.TIMEOUT + 1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.crc = crc = Crc32()
        # A byte of the frame was none.
        spoiled = Signal()
        begun = self.amid_frame
        given_up = self._wait(m, begun)
        end = Signal()
        m.d.comb += [
            decoder.byte.eq(self.byte), decoder.valid.eq(self.valid), decoder.clear.eq(given_up),
            end.eq(decoder.end | given_up), crc.clear.eq(end), crc.drain.eq(0),
        ]
        with m.If(self.valid | self.framing_error):
            m.d.sync += begun.eq(1)
        with m.If(self.framing_error):
            m.d.sync += spoiled.eq(1)
        with m.If(end):
            m.d.sync += [begun.eq(0), spoiled.eq(0)]
        count, is_whole = self._assemble(m, decoder, crc, end)
        self._judge(m, decoder, crc, given_up, begun, spoiled, count, is_whole)
        return m

    def _wait(self, m: Module, begun: Signal) -> Value:
        """Whether an unfinished frame is given up, in this cycle."""
        waited = Signal(range(self.patience))
        m.d.sync += waited.eq(waited + 1)
        with m.If(self.valid | self.framing_error | ~begun):
            m.d.sync += waited.eq(0)
        return waited.all()

    def _assemble(
        self, m: Module, decoder: Any, crc: Any, end: Signal
    ) -> tuple[Signal, Value]:
        """Words out of bytes, bit by bit; how many are complete, and that no other has begun."""
        byte = Signal(8, reset_less=True)
        # Bits of the byte that are yet to be taken, and of the word that have been.
        left = Signal(range(9))
        place = Signal(5)
        assembled = Signal(32, reset_less=True)
        count = Signal(range(FRAME_WORDS + _FRAMING + 2))
        step = left != 0
        control: Any = Signal(Control, reset_less=True)
        word = Signal(32, reset_less=True)
        m.d.comb += [
            crc.step.eq(step), crc.bit.eq(byte[0]), self.control.eq(control), self.word.eq(word),
        ]
        with m.If(decoder.data_valid):
            m.d.sync += [byte.eq(decoder.data), left.eq(8)]
        with m.Elif(step):
            m.d.sync += [
                byte.eq(byte[1:]), left.eq(left - 1), place.eq(place + 1),
                assembled.eq(Cat(assembled[1:], byte[0])),
            ]
            is_first = place == 0
            with m.If(is_first & (count == 1)):
                m.d.sync += control.eq(assembled)
            with m.If(is_first & (count >= _FRAMING)):
                m.d.sync += word.eq(assembled)
            m.d.comb += self.word_valid.eq(is_first & (count > _FRAMING))
            with m.If((place == 31) & (count != FRAME_WORDS + _FRAMING + 1)):
                m.d.sync += count.eq(count + 1)
        with m.If(end):
            m.d.sync += [count.eq(0), place.eq(0), left.eq(0)]
        return count, place == 0

    def _judge(
        self, m: Module, decoder: Any, crc: Any, given_up: Value, begun: Signal, spoiled: Signal,
        count: Signal, is_whole: Value,
    ) -> None:
        is_long = count == FRAME_WORDS + _FRAMING + 1
        is_short = decoder.amid_block | ~is_whole | (count < _FRAMING)
        is_wrong = (crc.value != CRC_RESIDUE) | (self.control.kind != COMMAND)
        # A frame that was spoiled has been counted.
        ends = Signal()
        m.d.comb += [
            ends.eq(decoder.end & begun & ~spoiled),
            self.has_word.eq(count > _FRAMING),
            self.sound.eq(ends & ~is_long & ~is_short & ~is_wrong),
            self.damaged.eq((decoder.end & begun & ~self.sound) | given_up),
            self.events[LinkEvent.FRAMING].eq(self.framing_error & ~self.line_break),
            self.events[LinkEvent.BREAK].eq(self.line_break),
            self.events[LinkEvent.LONG].eq(ends & is_long),
            self.events[LinkEvent.SHORT].eq(ends & ~is_long & is_short),
            self.events[LinkEvent.CHECKSUM].eq(ends & ~is_long & ~is_short & is_wrong),
            self.events[LinkEvent.TIMEOUT].eq(given_up),
        ]
