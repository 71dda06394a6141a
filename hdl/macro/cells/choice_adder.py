# SPDX-License-Identifier: Apache-2.0
"""A row added by choice, in the logic cells of the iCE40."""

from typing import Any

from amaranth.hdl import Instance, Module, Mux, Shape, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...narrow import narrow
from ...stamp import ModuleLibrary

__all__ = ["ChoiceAdder"]

# one ? a xor b xor carry : a, of inputs one, a, b, carry. The carry cell adds a and b as they are;
# where the row does not count its carries are not looked at.
_INIT = "16'hc66c"

_MODULE = """\
module {name} (a, b, one, o);
  // a + b where `one` is set, else a; signed, and the sum is known to fit.
  input [{a_top}:0] a;
  input [{b_top}:0] b;
  input one;
  output [{top}:0] o;
  wire [{top}:0] wide_a = {a_wide};
  wire [{top}:0] wide_b = {b_wide};
`ifdef SYNTHESIS
  wire [{width}:0] carry;
  assign carry[0] = 1'b0;
  genvar bit_;
  generate for (bit_ = 0; bit_ < {width}; bit_ = bit_ + 1) begin : cells
    SB_LUT4 #(.LUT_INIT({init})) sum (
      .I0(one), .I1(wide_a[bit_]), .I2(wide_b[bit_]), .I3(carry[bit_]), .O(o[bit_])
    );
    SB_CARRY add (
      .I0(wide_a[bit_]), .I1(wide_b[bit_]), .CI(carry[bit_]), .CO(carry[bit_ + 1])
    );
  end endgenerate
`else
  assign o = wide_a + (wide_b & {{{width}{{one}}}});
`endif
endmodule
"""


class ChoiceAdder(wiring.Component):
    """``o = a + b if one else a``, signed, at a width that holds it: a LUT of the iCE40 a bit.

    Yosys would make the choice a LUT of its own for some bits; so the cells are named. What
    simulators and formal proofs see is the sum as such, by the same module.

    Parameters
    ----------
    a, b, o : Shape
        Signed; `o` is at least as wide as the others.

    Members
    -------
    a, b, o : signed
    one : In(1)
    """

    a: Signal
    b: Signal
    one: Signal
    o: Signal

    def __init__(self, a: Shape, b: Shape, o: Shape) -> None:
        self.widths = a.width, b.width, o.width
        super().__init__(
            {
                "a": In(signed(a.width)),
                "b": In(signed(b.width)),
                "one": In(1),
                "o": Out(signed(o.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if isinstance(platform, ModuleLibrary):
            kind = "choice_add{}_{}_{}".format(*self.widths)
            name = platform.verilog_module((ChoiceAdder, self.widths), kind, self._text)
            m.submodules.cells = Instance(
                name, i_a=self.a, i_b=self.b, i_one=self.one, o_o=self.o
            )
        else:
            m.d.comb += self.o.eq(Mux(self.one, narrow(self.a + self.b, self.o.shape()), self.a))
        return m

    def _text(self, name: str) -> str:
        a, b, width = self.widths
        return _MODULE.format(
            name=name, a_top=a - 1, b_top=b - 1, top=width - 1, width=width, init=_INIT,
            a_wide=_extended("a", a, width), b_wide=_extended("b", b, width),
        )  # fmt: skip


def _extended(name: str, width: int, wanted: int) -> str:
    """A Verilog expression that repeats the sign of a number up to a width."""
    if wanted == width:
        return name
    return f"{{{{{wanted - width}{{{name}[{width - 1}]}}}}, {name}}}"
