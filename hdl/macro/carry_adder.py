# SPDX-License-Identifier: Apache-2.0
"""A plain adder that synthesis keeps as one carry chain of the ECP5."""

from typing import Any

from amaranth.hdl import Instance, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..narrow import narrow
from ..stamp import ModuleLibrary
from .ecp5 import Position, carry_chain

__all__ = ["CarryAdder"]

# Where d is one: P = a xor b, as c is zero. The carry of a position without propagation is a.
_INIT = 0x96AA

_MODULE = """\
module {name} (a, b, o);
  // a + b, all of the width of the result.
  input [{top}:0] a, b;
  output [{top}:0] o;
`ifdef SYNTHESIS
{cells}`else
  assign o = a + b;
`endif
endmodule
"""


class CarryAdder(wiring.Component):
    """``o = a + b``, modulo ``2**width``; for the ECP5.

    Where two levels of adders have no register between, Yosys joins them into sums of four numbers,
    with a compressor of LUTs for each two of them: more than the carry cells that it saves. So the
    cells of the first level are named. What simulators see is the sum as such, by the same module.

    Members
    -------
    a, b : In(signed(width))
    o : Out(signed(width))
    """

    a: Signal
    b: Signal
    o: Signal

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(
            {"a": In(signed(width)), "b": In(signed(width)), "o": Out(signed(width))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if isinstance(platform, ModuleLibrary):
            name = platform.verilog_module((CarryAdder, self.width), f"add{self.width}", self._text)
            m.submodules.cells = Instance(name, i_a=self.a, i_b=self.b, o_o=self.o)
        else:
            m.d.comb += self.o.eq(narrow(self.a + self.b, self.o.shape()))
        return m

    def _text(self, name: str) -> str:
        positions = [
            Position(a=f"a[{bit}]", b=f"b[{bit}]", d="1'b1", sum=f"o[{bit}]")
            for bit in range(self.width)
        ]
        cells = carry_chain(_INIT, positions)
        return _MODULE.format(name=name, top=self.width - 1, cells=cells)
