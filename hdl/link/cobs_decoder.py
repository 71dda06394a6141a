# SPDX-License-Identifier: Apache-2.0
"""COBS decoder: bytes of the line in, bytes of frames and their ends out."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CobsDecoder"]


class CobsDecoder(wiring.Component):
    """Undoes consistent overhead byte stuffing (Cheshire and Baker, 1999).

    A zero on the line is the end of a frame and nothing else, whatever came before. The other bytes
    are blocks: a code, then one byte less than the code says, then a zero that is not sent, but for
    the code 255 and at the end.

    Latency: none. Each byte of the line gives one byte of the frame at most.

    Members
    -------
    byte : In(8)
    valid : In(1)
    clear : In(1)
        Forget the frame.
    data : Out(8)
    data_valid : Out(1)
        A byte of the frame: with the byte of the line that tells it.
    end : Out(1)
        A zero has come.
    amid_block : Out(1)
        Bytes of a block are missing.
    """

    byte: Signal
    valid: Signal
    clear: Signal
    data: Signal
    data_valid: Signal
    end: Signal
    amid_block: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "byte": In(8),
                "valid": In(1),
                "clear": In(1),
                "data": Out(8),
                "data_valid": Out(1),
                "end": Out(1),
                "amid_block": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Bytes of the block that are yet to come, and whether a zero follows them.
        left = Signal(8)
        owes_zero = Signal()
        is_zero = self.byte == 0
        m.d.comb += [
            self.end.eq(self.valid & is_zero),
            self.amid_block.eq(left != 0),
            self.data.eq(Mux(self.amid_block, self.byte, 0)),
            self.data_valid.eq(self.valid & ~is_zero & (self.amid_block | owes_zero)),
        ]
        with m.If(self.clear | self.end):
            m.d.sync += [left.eq(0), owes_zero.eq(0)]
        with m.Elif(self.valid):
            m.d.sync += left.eq(Mux(self.amid_block, left, self.byte) - 1)
            with m.If(~self.amid_block):
                m.d.sync += owes_zero.eq(self.byte != 0xFF)
        return m
