# SPDX-License-Identifier: Apache-2.0
"""What joins sums that have different powers of two: planes of one cycle, fused columns."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..narrow import narrow
from .config import MacroConfig

__all__ = ["ColumnFusion", "PlaneJoin"]


class PlaneJoin(wiring.Component):
    """Adds the sums of the planes of one cycle, each times its power of two.

    Latency: ``config.join_registers`` cycles, a register behind each level of adders. Throughput:
    one a cycle.

    Members
    -------
    enable : In(1)
    i : In(ArrayLayout(signed(config.plane_sum_bits), config.bits_per_cycle))
        Plane sums, the least significant plane first.
    negative : In(1)
        The most significant plane counts negative; belongs to `i`.
    o : Out(signed(config.step_sum_bits))
    """

    enable: Signal
    i: data.View
    negative: Signal
    o: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "i": In(data.ArrayLayout(signed(config.plane_sum_bits), config.bits_per_cycle)),
                "negative": In(1),
                "o": Out(signed(config.step_sum_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        terms: list[Any] = [self.i[index] for index in range(self.config.bits_per_cycle)]
        # Only the top term of a level can hold the sign plane, and only at the first level.
        negative: Value = self.negative
        shift, level = 1, 0
        while len(terms) > 1:
            pairs = list(zip(terms[::2], terms[1::2], strict=True))
            terms = []
            for index, (low, high) in enumerate(pairs):
                total = low + (high << shift)
                if index == len(pairs) - 1 and level == 0:
                    total = Mux(negative, low - (high << shift), total)
                node = Signal(self.o.shape(), name=f"join{level}_{index}", reset_less=True)
                with m.If(self.enable):
                    m.d.sync += node.eq(narrow(total, node.shape()))
                terms.append(node)
            shift, level = 2 * shift, level + 1
        m.d.comb += self.o.eq(terms[0])
        return m


class ColumnFusion(wiring.Component):
    """Joins the dot products of neighbouring columns to those of wider weights.

    With `fused` = 1 columns 0 and 1 become one, and 2 and 3; with 2 columns 0 to 2; with 3 all
    four. The result stands in place of the lowest, the others are zero. A block is a set of fused
    columns: `config.fusion` of them. This is how the macro of Chih et al., ISSCC 2021, 16.4, takes
    weights of 4, 8, 12 and 16 bits with columns of 4.

    Latency: ``config.fused_bits`` cycles. Throughput: a vector a cycle.

    Members
    -------
    enable : In(1)
    i : In(ArrayLayout(signed(config.column_bits), config.fusion))
    valid : In(1).array(config.fused_bits)
        For each register on the way whether a dot product enters it; else it keeps its value, as
        the last of them may be the macro's output.
    fused : In(config.fused_bits).array(config.fused_bits)
        The mode of the vector that enters it.
    o : Out(ArrayLayout(signed(config.dot_bits), config.fusion))
    """

    enable: Signal
    i: data.View
    valid: Any
    fused: Any
    o: data.View

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        columns = config.fusion
        super().__init__(
            {
                "enable": In(1),
                "i": In(data.ArrayLayout(signed(config.column_bits), columns)),
                "valid": In(data.ArrayLayout(1, config.fused_bits)),
                "fused": In(data.ArrayLayout(config.fused_bits, config.fused_bits)),
                "o": Out(data.ArrayLayout(signed(config.dot_bits), columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift = self.config.weight_bits
        columns: list[Any] = [self.i[index] for index in range(self.config.fusion)]
        pairs = self.fused[0]
        # With three fused columns the third is on its own among the pairs.
        both = [pairs != 0, (pairs == 1) | (pairs == 3)][: len(columns) // 2]
        level = []
        for index, joined in enumerate(both):
            low, high = columns[2 * index : 2 * index + 2]
            level += [Mux(joined, low + (high << shift), low), Mux(joined, Const(0), high)]
        columns = self._registered(m, level, "pair", self.valid[0])
        if len(columns) == 4:
            quads = self.fused[1] >= 2
            low, high = columns[0], columns[2]
            columns = self._registered(
                m,
                [Mux(quads, low + (high << 2 * shift), low), columns[1],
                 Mux(quads, Const(0), high), columns[3]],
                "quad",
                self.valid[1],
            )
        m.d.comb += [self.o[index].eq(column) for index, column in enumerate(columns)]
        return m

    def _registered(
        self, m: Module, values: Sequence[Any], name: str, valid: Value
    ) -> list[Signal]:
        shape = Shape.cast(signed(self.config.dot_bits))
        nodes = [Signal(shape, name=f"{name}{n}", reset_less=True) for n in range(len(values))]
        with m.If(self.enable & valid):
            m.d.sync += [
                node.eq(narrow(value, shape)) for node, value in zip(nodes, values, strict=True)
            ]
        return nodes
