# SPDX-License-Identifier: Apache-2.0
"""The checksum of frames, a bit a cycle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .frames import CRC_POLYNOMIAL

__all__ = ["Crc32"]

_ONES = 0xFFFFFFFF


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
        The register; the checksum is its inverse. A byte of it is sent, low bit first, while
        8 steps drain it.
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
        # Every frame clears it, so that a reset need not.
        value = Signal(32, init=_ONES, reset_less=True)
        feedback = (value[0] ^ self.bit) & ~self.drain
        m.d.comb += self.value.eq(value)
        with m.If(self.clear):
            m.d.sync += value.eq(_ONES)
        with m.Elif(self.step):
            m.d.sync += value.eq(value[1:] ^ Mux(feedback, CRC_POLYNOMIAL, 0))
        return m
