# SPDX-License-Identifier: Apache-2.0
"""One bit of an input, chosen by the step's number; or a bit that is given, to read a row back."""

from typing import Any

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..stamp import ModuleLibrary
from .config import MacroConfig, Target

__all__ = ["BitSelector"]

# read ? low : low ? b : a, of inputs a, b, low, read.
_PAIR = "16'hf0ca"
# here ? (before ? b : a) : before, of inputs a, b, before, here.
_LINK = "16'hcaf0"

_MODULE = """\
module {name} (data, low, high, read, o);
  // The bit of `data` with the number {{high, low}}; where `read` is set, `low` itself.
  input [{top}:0] data;
  input low, read;
  input [{high_top}:0] high;
  output o;
`ifdef SYNTHESIS
{cells}`else
  wire [{last}:0] padded = {padded};
  wire [{index_top}:0] number = {{high, low}};
  assign o = read ? low : padded[number];
`endif
endmodule
"""


class BitSelector(wiring.Component):
    """``o = low if read else data[2 * high + low]``; bits beyond the input are zero.

    Half a LUT a bit of the input. Synthesis that optimises for delay takes twice that, as the
    step's number comes late; so cells are named on the ECP5 and the iCE40. What simulators see is
    the choice as such, by the same module.

    Members
    -------
    data : In(config.input_bits)
    low : In(1)
    high : In(config.step_number_bits - 1)
    read : In(1)
    o : Out(1)
    """

    data: Signal
    low: Signal
    high: Signal
    read: Signal
    o: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "data": In(config.input_bits),
                "low": In(1),
                "high": In(config.step_number_bits - 1),
                "read": In(1),
                "o": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cells = {Target.ECP5: _ecp5_cells, Target.ICE40: _ice40_cells}.get(self.config.target)
        if cells and len(self.high) and isinstance(platform, ModuleLibrary):
            bits = self.config.input_bits
            name = platform.verilog_module(
                (BitSelector, bits), f"select{bits}", lambda name: self._text(name, cells)
            )
            m.submodules.cells = Instance(
                name,
                i_data=self.data, i_low=self.low, i_high=self.high, i_read=self.read, o_o=self.o,
            )  # fmt: skip
            return m
        number = Cat(self.low, self.high)
        padding = Const(0, (1 << len(number)) - len(self.data))
        chosen = Cat(self.data, padding).bit_select(number, 1)
        m.d.comb += self.o.eq(Mux(self.read, self.low, chosen))
        return m

    def _text(self, name: str, cells: Any) -> str:
        bits, high = self.config.input_bits, len(self.high)
        size = 2 << high
        data = [f"data[{bit}]" if bit < bits else "1'b0" for bit in range(size)]
        pairs = list(zip(data[::2], data[1::2], strict=True))
        return _MODULE.format(
            name=name, top=bits - 1, high_top=high - 1, last=size - 1, index_top=high,
            padded=f"{{{size - bits}'d0, data}}" if size > bits else "data",
            cells=cells(pairs, high),
        )  # fmt: skip


def _ecp5_cells(pairs: list[tuple[str, str]], high: int) -> str:
    """A LUT a pair, and the multiplexers that join LUTs."""
    lines = []
    for index, (a, b) in enumerate(pairs):
        lines.append(f"  wire level0_{index};")
        lines.append(
            f"  LUT4 #(.INIT({_PAIR})) pair{index} "
            f"(.A({a}), .B({b}), .C(low), .D(read), .Z(level0_{index}));"
        )
    count = len(pairs)
    for level in range(high):
        count //= 2
        for index in range(count):
            below, above = (f"level{level}_{2 * index + n}" for n in (0, 1))
            out = f"level{level + 1}_{index}"
            lines.append(f"  wire {out};")
            lines.append(
                f"  PFUMX mux{level}_{index} "
                f"(.ALUT({above}), .BLUT({below}), .C0(high[{level}]), .Z({out}));"
                if level == 0 else
                f"  L6MUX21 mux{level}_{index} "
                f"(.D0({below}), .D1({above}), .SD(high[{level}]), .Z({out}));"
            )
    return "\n".join([*lines, f"  assign o = level{high}_0;", ""])


def _ice40_cells(pairs: list[tuple[str, str]], high: int) -> str:
    """A chain of LUTs: the first passes `low` on, and the pair that is meant chooses by that."""
    lines = []
    for index, (a, b) in enumerate(pairs):
        init, before = (_LINK, f"link{index - 1}") if index else (_PAIR, "low")
        here = f"here{index}"
        test = f"~read & high == {high}'d{index}" if index else f"read | high != {high}'d0"
        ports = f".I0({a}), .I1({b}), .I2({before}), .I3({here}), .O(link{index})"
        lines += [
            f"  wire {here} = {test};",
            f"  wire link{index};",
            f"  SB_LUT4 #(.LUT_INIT({init})) pair{index} ({ports});",
        ]
    return "\n".join([*lines, f"  assign o = link{len(pairs) - 1};", ""])
