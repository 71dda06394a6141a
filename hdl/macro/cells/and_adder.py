# SPDX-License-Identifier: Apache-2.0
"""Two rows multiplied and added in the carry cells of the ECP5."""

from typing import Any

from amaranth.hdl import Instance, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...narrow import narrow
from ...stamp import ModuleLibrary
from ..ecp5 import Position, carry_chain

__all__ = ["AndAdder"]

# A position of a CCU2C adds P = LUT4(A, B, C, D) and the carry, which goes on where P is set and
# else is made anew from the low half of the table. With A, C the bits of two weights and B, D the
# two inputs: P = (A and B) xor (C and D), and where P is clear both products are equal to A and B.
_INIT = 0x7888

_MODULE = """\
module {name} (a, x, b, y, o);
  // The sum of two signed numbers, each counted only where its input bit is set.
  input [{top}:0] a, b;
  input x, y;
  output [{width}:0] o;
`ifdef SYNTHESIS
{cells}`else
  wire [{width}:0] first = {{(x & a[{top}]), (a & {{{width}{{x}}}})}};
  wire [{width}:0] second = {{(y & b[{top}]), (b & {{{width}{{y}}}})}};
  assign o = first + second;
`endif
endmodule
"""

class AndAdder(wiring.Component):
    """``o = (a if x else 0) + (b if y else 0)``, signed; on the ECP5 half a carry cell a bit.

    Yosys makes the AND gates LUTs of their own, twice the cost; so the cells are named. What
    simulators and formal proofs see is the sum as such, by the same module.

    Members
    -------
    a, b : In(signed(width))
    x, y : In(1)
    o : Out(signed(width + 1))
    """

    a: Signal
    b: Signal
    x: Signal
    y: Signal
    o: Signal

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(
            {
                "a": In(signed(width)),
                "b": In(signed(width)),
                "x": In(1),
                "y": In(1),
                "o": Out(signed(width + 1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if isinstance(platform, ModuleLibrary):
            name = platform.verilog_module((AndAdder, self.width), f"and_add{self.width}",
                                           self._verilog)
            m.submodules.cells = Instance(
                name, i_a=self.a, i_b=self.b, i_x=self.x, i_y=self.y, o_o=self.o
            )
        else:
            total = Mux(self.x, self.a, 0) + Mux(self.y, self.b, 0)
            m.d.comb += self.o.eq(narrow(total, self.o.shape()))
        return m

    def _verilog(self, name: str) -> str:
        """The module with its carry cells; the position beyond the signs repeats them."""
        bits = [*range(self.width), self.width - 1]
        cells = carry_chain(
            _INIT,
            [Position(f"a[{bit}]", "x", f"b[{bit}]", "y", f"o[{n}]") for n, bit in enumerate(bits)],
        )
        return _MODULE.format(name=name, top=self.width - 1, width=self.width, cells=cells)
