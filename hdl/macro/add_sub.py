# SPDX-License-Identifier: Apache-2.0
"""An adder that subtracts by choice, in one carry chain."""

from typing import Any

from amaranth.hdl import Cat, Instance, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..narrow import narrow
from ..stamp import ModuleLibrary
from .config import MacroConfig, Target
from .ecp5 import Position, carry_chain

__all__ = ["AddSub"]

# Where d is one: P = a xor b xor c. The carry of a position without propagation is a.
_INIT = 0x96AA

_MODULE = """\
module {name} (a, b, subtract, o);
  // a - b where `subtract` is set, else a + b; a and b have the width of the result.
  input [{top}:0] a, b;
  input subtract;
  output [{top}:0] o;
`ifdef SYNTHESIS
{cells}`else
  wire [{width}:0] total = {{a, subtract}} + {{b ^ {{{width}{{subtract}}}}, subtract}};
  assign o = total[{width}:1];
`endif
endmodule
"""


class AddSub(wiring.Component):
    """``o = a - b if subtract else a + b``, modulo ``2**width``.

    Subtracting is adding the inverse and one; the one enters as the carry of a position below the
    lowest. On the ECP5 the inverters are in the carry cells, which Yosys makes LUTs of their own;
    so the cells are named there. What simulators see is the sum as such, by the same module. The
    iCE40 has no such cells, and the inverse may come from where it costs nothing.

    Parameters
    ----------
    config : MacroConfig
    width : int
    inverted : bool
        `b` comes inverted where `subtract` is set. Not for the ECP5.

    Members
    -------
    a, b, o : signed(width)
    subtract : In(1)
    """

    a: Signal
    b: Signal
    subtract: Signal
    o: Signal

    def __init__(self, config: MacroConfig, width: int, *, inverted: bool = False) -> None:
        self.config = config
        self.width = width
        self.inverted = inverted
        super().__init__(
            {
                "a": In(signed(width)),
                "b": In(signed(width)),
                "subtract": In(1),
                "o": Out(signed(width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.config.target is Target.ECP5 and isinstance(platform, ModuleLibrary):
            name = platform.verilog_module((AddSub, self.width), f"add_sub{self.width}", self._text)
            m.submodules.cells = Instance(
                name, i_a=self.a, i_b=self.b, i_subtract=self.subtract, o_o=self.o
            )
            return m
        addend = self.b if self.inverted else self.b ^ self.subtract.replicate(self.width)
        total = Cat(self.subtract, self.a) + Cat(self.subtract, addend)
        m.d.comb += self.o.eq(narrow(total[1:], self.o.shape()))
        return m

    def _text(self, name: str) -> str:
        below = Position(a="subtract", c="subtract", d="1'b1")
        positions = [
            Position(f"a[{bit}]", f"b[{bit}]", "subtract", "1'b1", f"o[{bit}]")
            for bit in range(self.width)
        ]
        cells = carry_chain(_INIT, [below, *positions])
        return _MODULE.format(name=name, top=self.width - 1, width=self.width, cells=cells)
