# SPDX-License-Identifier: Apache-2.0
"""A word of level-sensitive latches."""

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...stamp import ModuleLibrary

__all__ = ["Latch"]

_MODULE = """\
module {name} (store, clk, i, o);
  // Level-sensitive latches, transparent in the low half of a cycle with `store`.
  input store, clk;
  input [{top}:0] i;
  output reg [{top}:0] o;
`ifndef SYNTHESIS
  initial o = 0;
`endif
  /* verilator lint_off LATCH */
  always @*
    if (store & ~clk) o = i;
  /* verilator lint_on LATCH */
endmodule
"""


class Latch(wiring.Component):
    """Latches that take a word in the low half of a cycle with `store`.

    `store` and `i` come from registers, so that they are steady while the latches are transparent.
    For everything that is sampled at rising edges the word is there in that cycle, and stays; that
    is what Amaranth's simulator and the formal proofs see, which have no latches. In Verilog they
    are latches; in simulation they start as zero.

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
            name = platform.verilog_module((Latch, self.width), f"latch{self.width}", self._text)
            m.submodules.cells = Instance(
                name, i_store=self.store, i_clk=ClockSignal(), i_i=self.i, o_o=self.o
            )
        else:
            stored = Signal(self.width, reset_less=True)
            with m.If(self.store):
                m.d.sync += stored.eq(self.i)
            m.d.comb += self.o.eq(Mux(self.store, self.i, stored))
        return m

    def _text(self, name: str) -> str:
        return _MODULE.format(name=name, top=self.width - 1)
