# SPDX-License-Identifier: Apache-2.0
"""Finds the first plane of a vector in which any input has a one."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import MacroConfig

__all__ = ["LeadingZeros"]


class LeadingZeros(wiring.Component):
    """The most significant plane, at most `top_plane`, that is not zero in all rows; 0 if none is.

    Latency: none.

    Members
    -------
    data : In(ArrayLayout(config.input_bits, config.rows))
    top_plane : In(config.plane_bits)
    first_plane : Out(config.plane_bits)
    """

    data: data.View
    top_plane: Signal
    first_plane: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "data": In(data.ArrayLayout(config.input_bits, config.rows)),
                "top_plane": In(config.plane_bits),
                "first_plane": Out(config.plane_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = []
        for row in range(self.config.rows):
            # A signal of its own: generation takes time for every slice of the wide port.
            word = Signal(self.config.input_bits, name=f"input{row}")
            m.d.comb += word.eq(self.data[row])
            words.append(word)
        for plane in range(1, self.config.input_bits):
            present = Signal(name=f"present{plane}")
            m.d.comb += present.eq(Cat(word[plane] for word in words).any())
            # Later planes are more significant, and override.
            with m.If(present & (self.top_plane >= plane)):
                m.d.comb += self.first_plane.eq(plane)
        return m
