# SPDX-License-Identifier: Apache-2.0
"""The checksum of frames, a bit a cycle."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .frames import CRC_POLYNOMIAL

__all__ = ["Crc32"]


class Crc32(wiring.Component):
    """CRC-32 of IEEE 802.3, as `zlib.crc32` computes it.

    It finds every burst of up to 32 bits and, in frames of this length, every error of up to three
    bits; of others it misses one in 2**32. A line has 8 cycles for a byte at least, so a bit a
    cycle is enough, and takes a tenth of the gates of a byte a cycle.

    Cost: 32 flip-flops.

    Members
    -------
    clear : In(1)
        Begin anew.
    step : In(1)
        Take `bit`, or with `drain` give the next bit of the checksum away.
    bit : In(1)
    drain : In(1)
    value : Out(32)
        The checksum. Its low byte is sent, then drained in 8 steps, and so on.
    """

    clear: Signal
    step: Signal
    bit: Signal
    drain: Signal
    value: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": In(1),
                "step": In(1),
                "bit": In(1),
                "drain": In(1),
                "value": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Kept inverted, as an FPGA's flip-flops begin as zeros. Every frame clears it, so that a
        # reset need not.
        value = Signal(32, reset_less=True)
        feedback = ~(value[0] ^ self.bit) & ~self.drain
        m.d.comb += self.value.eq(value)
        with m.If(self.clear):
            m.d.sync += value.eq(0)
        with m.Elif(self.step):
            m.d.sync += value.eq(Cat(value[1:], Const(1, 1)) ^ Mux(feedback, CRC_POLYNOMIAL, 0))
        return m
