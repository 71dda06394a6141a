# SPDX-License-Identifier: Apache-2.0
"""UART transmitter: bytes in, a line out. Eight data bits, no parity, one stop bit."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["UartTransmitter"]

#: Start bit, data bits and stop bit.
_BITS = 10


class UartTransmitter(wiring.Component):
    """Sends bytes without a gap between them.

    Throughput: a byte in ``10 * divisor`` cycles.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least 2.

    Members
    -------
    bytes : In(stream of 8)
        Taken in the last cycle of the stop bit before.
    tx : Out(1)
        The line, from a register; high where there is nothing to send.
    """

    bytes: stream.Interface
    tx: Signal

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"bytes": In(stream.Signature(8)), "tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(init=1)
        m.d.comb += self.tx.eq(line)
        # Bits behind the one that is on the line.
        shift = Signal(_BITS - 1, reset_less=True)
        timer = Signal(range(self.divisor))
        left = Signal(range(_BITS + 1))
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left > 1):
            m.d.sync += [
                line.eq(shift[0]),
                shift.eq(Cat(shift[1:], Const(1, 1))),
                left.eq(left - 1),
                timer.eq(self.divisor - 1),
            ]
        with m.Else():
            m.d.comb += self.bytes.ready.eq(1)
            with m.If(self.bytes.valid):
                m.d.sync += [
                    line.eq(0),
                    shift.eq(Cat(self.bytes.payload, Const(1, 1))),
                    left.eq(_BITS),
                    timer.eq(self.divisor - 1),
                ]
        return m
