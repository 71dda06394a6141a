# SPDX-License-Identifier: Apache-2.0
"""Two rows multiplied and added in the carry cells of the ECP5."""

from typing import Any

from amaranth.hdl import Instance, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...narrow import narrow
from ...stamp import ModuleLibrary

__all__ = ["AndAdder"]

# A position of a CCU2C adds P = LUT4(A, B, C, D) and the carry, which goes on where P is set and
# else is made anew from the low half of the table. With A, C the bits of two weights and B, D the
# two inputs: P = (A and B) xor (C and D), and where P is clear both products are equal to A and B.
_INIT = "16'h7888"

_MODULE = """\
module {name} (a, x, b, y, o);
  // The sum of two signed numbers, each counted only where its input bit is set.
  input [{top}:0] a, b;
  input x, y;
  output [{width}:0] o;
`ifdef SYNTHESIS
{cells}
`else
  wire [{width}:0] first = {{(x & a[{top}]), (a & {{{width}{{x}}}})}};
  wire [{width}:0] second = {{(y & b[{top}]), (b & {{{width}{{y}}}})}};
  assign o = first + second;
`endif
endmodule
"""

_CELL = """\
  CCU2C #(.INIT0({init}), .INIT1({init1}), .INJECT1_0("NO"), .INJECT1_1("NO")) add{index} (
    .CIN({carry}), .COUT({out}),
    .A0({a0}), .B0(x), .C0({b0}), .D0(y), .S0(o[{low}]),
    .A1({a1}), .B1({x1}), .C1({b1}), .D1({y1}), .S1({s1})
  );
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
        """The module with its carry cells; positions beyond the sign repeat it."""
        top, cells = self.width - 1, []
        for index, low in enumerate(range(0, self.width + 1, 2)):
            high, last = low + 1, low + 1 > self.width
            cells.append(
                _CELL.format(
                    index=index, init=_INIT, init1="16'h0000" if last else _INIT,
                    carry=f"carry{index}" if index else "1'b0", out=f"carry{index + 1}",
                    a0=f"a[{min(low, top)}]", b0=f"b[{min(low, top)}]", low=low,
                    a1="1'b0" if last else f"a[{min(high, top)}]",
                    b1="1'b0" if last else f"b[{min(high, top)}]",
                    x1="1'b0" if last else "x", y1="1'b0" if last else "y",
                    s1="" if last else f"o[{high}]",
                )
            )  # fmt: skip
        wires = ", ".join(f"carry{index + 1}" for index in range(len(cells)))
        return _MODULE.format(
            name=name, top=top, width=self.width, cells=f"  wire {wires};\n" + "".join(cells)
        )
