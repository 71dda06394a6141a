# SPDX-License-Identifier: Apache-2.0
"""A word of level-sensitive latches."""

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...stamp import ModuleLibrary

__all__ = ["Latch"]


class Latch(wiring.Component):
    """Latches that take a word in the low half of a cycle with `store`.

    `store` and `i` come from registers, so that they are steady while the latches are transparent.
    For everything that is sampled at rising edges the word is there in that cycle, and stays; that
    is what Amaranth's simulator and the formal proofs see, which have no latches. In Verilog they
    are cells of Yosys's type `$dlatch`.

    Members
    -------
    store : In(1)
    i : In(width)
    o : Out(width)
    """

    store: Signal
    i: Signal
    o: Signal

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__({"store": In(1), "i": In(width), "o": Out(width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if isinstance(platform, ModuleLibrary):
            transparent = Signal()
            m.d.comb += transparent.eq(self.store & ~ClockSignal())
            m.submodules.cells = Instance(
                "$dlatch",
                p_WIDTH=self.width, p_EN_POLARITY=1, i_EN=transparent, i_D=self.i, o_Q=self.o,
            )  # fmt: skip
        else:
            stored = Signal(self.width, reset_less=True)
            with m.If(self.store):
                m.d.sync += stored.eq(self.i)
            m.d.comb += self.o.eq(Mux(self.store, self.i, stored))
        return m
