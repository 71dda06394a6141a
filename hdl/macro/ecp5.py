# SPDX-License-Identifier: Apache-2.0
"""Carry chains of the ECP5, as Verilog that names its cells.

Yosys builds them for plain additions; what else a carry cell can do must be said with its table.
"""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Position", "carry_chain"]

_CELL = """\
  CCU2C #(.INIT0({init}), .INIT1({init}), .INJECT1_0("NO"), .INJECT1_1("NO")) add{index} (
    .CIN({carry}), .COUT(carry[{index}]),
    .A0({low.a}), .B0({low.b}), .C0({low.c}), .D0({low.d}), .S0({low.sum}),
    .A1({high.a}), .B1({high.b}), .C1({high.c}), .D1({high.d}), .S1({high.sum})
  );
"""


class Position(NamedTuple):
    """One position of a chain: expressions of one bit, and the wire of its sum."""

    a: str = "1'b0"
    b: str = "1'b0"
    c: str = "1'b0"
    d: str = "1'b0"
    sum: str = ""


def carry_chain(init: int, positions: Sequence[Position]) -> str:
    """The cells of a chain whose positions have one table, from the lowest position up.

    A position sums ``P = init[8 d + 4 c + 2 b + a]`` and the carry. The carry goes on where P is
    one; where it is not, the next one is ``init[2 b + a]``. The chain begins with a carry of zero.
    """
    pairs = [
        (low, positions[index + 1] if index + 1 < len(positions) else Position())
        for index, low in enumerate(positions)
        if index % 2 == 0
    ]
    cells = [
        _CELL.format(
            init=f"16'h{init:04x}",
            index=index,
            carry=f"carry[{index - 1}]" if index else "1'b0",
            low=low,
            high=high,
        )
        for index, (low, high) in enumerate(pairs)
    ]
    return f"  wire [{len(pairs) - 1}:0] carry;\n" + "".join(cells)
