# SPDX-License-Identifier: Apache-2.0
"""UART receiver: a line in, bytes out. Eight data bits, no parity, one stop bit."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["UartReceiver"]

#: Data bits and stop bit.
_BITS = 9


class UartReceiver(wiring.Component):
    """Finds the start bit's edge and votes over three samples amid each bit.

    The edge is known to a clock cycle, and the stop bit is looked at 9.5 bits behind it: with
    `divisor` 8 a sender may be 3 % too fast or slow, with 16 and more 4 %. A start bit that is over
    before its middle is noise and is not told. Where the stop bit is missing, the next byte begins
    when the line has been high.

    Latency: a byte comes half a bit and 4 cycles behind the middle of its stop bit's beginning.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least 6.

    Members
    -------
    rx : In(1)
        The line, not synchronous to anything.
    byte : Out(8)
        Until the next start bit ends.
    valid : Out(1)
        A byte has come: high for one cycle.
    framing_error : Out(1)
        The stop bit was missing: high for one cycle. The byte is lost.
    line_break : Out(1)
        With `framing_error`: all bits were zero.
    """

    rx: Signal
    byte: Signal
    valid: Signal
    framing_error: Signal
    line_break: Signal

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__(
            {
                "rx": In(1),
                "byte": Out(8),
                "valid": Out(1),
                "framing_error": Out(1),
                "line_break": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Two flip-flops for metastability, then three samples to vote over.
        samples = Signal(5, init=0b11111)
        m.d.sync += samples.eq(Cat(self.rx, samples[:-1]))
        newest, middle, oldest = samples[2], samples[3], samples[4]
        vote = (newest & middle) | (newest & oldest) | (middle & oldest)
        timer = Signal(range(self.divisor))
        left = Signal(range(_BITS + 1))
        m.d.sync += timer.eq(timer - 1)
        with m.FSM():
            with m.State("Idle"):
                # The middle of the start bit's three samples is amid it.
                m.d.sync += [timer.eq((self.divisor - 1) // 2), left.eq(_BITS)]
                with m.If(~newest):
                    m.next = "Start"
            with m.State("Start"), m.If(timer == 0):
                m.d.sync += timer.eq(self.divisor - 1)
                m.next = "Bits"
                with m.If(vote):
                    m.next = "Idle"
            with m.State("Bits"), m.If(timer == 0):
                m.d.sync += [timer.eq(self.divisor - 1), left.eq(left - 1)]
                with m.If(left != 1):
                    m.d.sync += self.byte.eq(Cat(self.byte[1:], vote))
                with m.Else():
                    m.d.comb += [self.valid.eq(vote), self.framing_error.eq(~vote)]
                    m.next = "High"
            with m.State("High"), m.If(vote):
                m.next = "Idle"
        m.d.comb += self.line_break.eq(self.framing_error & (self.byte == 0))
        return m
