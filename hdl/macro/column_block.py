# SPDX-License-Identifier: Apache-2.0
"""A block of columns: cell array, adder trees, accumulators. Emitted once, instantiated often."""

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .accumulator import Accumulator, AccumulatorControl, VectorSum
from .adder_tree import adder_tree
from .cells import cell_array, leaf_ranges
from .cells.array import StepLayout
from .config import MacroConfig
from .join import ColumnFusion, PlaneJoin
from .tags import TagLayout

__all__ = ["ColumnBlock"]


class ColumnBlock(wiring.Component):
    """`columns` columns of the macro, from the operand of one step to the output registers.

    Latency: ``config.array_registers - config.broadcast_registers`` cycles from `operand` to the
    sum that the accumulator takes, ``config.output_registers`` from there to `o`. Tags are delayed
    by the macro, once for all.

    Parameters
    ----------
    config : MacroConfig
    first : int
        Number of the first column. Only blocks of a rom differ from place to place.
    columns : int
        Columns of this block, at most ``config.columns_per_block``.

    Members
    -------
    enable : In(1)
        Operands, sums and outputs keep their values where it is low; writing goes on.
    operand, bank, fused
        What meets the weights, as in `CellArray`.
    weights, step
        The row being written, as in `CellArray`.
    sign_tag : In(TagLayout(config))
        Belongs to the planes' sums, before they are joined; where ``config.inverts_in_tree``, to
        what enters the last register of the tree.
    control : In(ArrayLayout(AccumulatorControl(), columns))
        What the accumulators do with the sums that reach them in this cycle.
    later_tags : In(ArrayLayout(TagLayout(config), config.output_registers - 1))
        Belong to what enters each register that follows the accumulators.
    o : Out(ArrayLayout(signed(config.output_bits), columns))
    """

    enable: Signal
    operand: data.View
    bank: Signal
    fused: Signal
    weights: data.View
    step: data.View
    sign_tag: data.View
    control: Any
    later_tags: Any
    o: data.View

    def __init__(self, config: MacroConfig, first: int, columns: int) -> None:
        self.config = config
        self.first = first
        self.columns = columns
        super().__init__(self.signature_for(config, columns))

    @staticmethod
    def signature_for(config: MacroConfig, columns: int) -> wiring.Signature:
        """The signature, without building the block."""
        tag = TagLayout(config)
        return wiring.Signature(
            {
                "enable": In(1),
                "operand": In(config.operand_layout),
                "bank": In(config.bank_bits),
                "fused": In(config.fused_bits),
                "weights": In(data.ArrayLayout(signed(config.weight_bits), columns)),
                "step": In(StepLayout(config)),
                "sign_tag": In(tag),
                "control": In(data.ArrayLayout(AccumulatorControl(), columns)),
                "later_tags": In(data.ArrayLayout(tag, config.output_registers - 1)),
                "o": Out(data.ArrayLayout(signed(config.output_bits), columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.array = array = cell_array(self.config, self.first, self.columns)
        m.d.comb += [
            array.enable.eq(self.enable),
            array.operand.eq(self.operand),
            array.bank.eq(self.bank),
            array.fused.eq(self.fused),
            array.weights.eq(self.weights),
            array.step.eq(self.step),
        ]
        outputs = [self._dot_product(m, array, column) for column in range(self.columns)]
        if self.config.fusion > 1:
            outputs = self._fused(m, outputs)
        if self.config.accumulations > 1:
            outputs = [self._vector_sum(m, dot, column) for column, dot in enumerate(outputs)]
        m.d.comb += [self.o[column].eq(output) for column, output in enumerate(outputs)]
        return m

    def _dot_product(self, m: Module, array: Any, column: int) -> Any:
        """A column's adder trees, one a plane of the step, and its accumulator."""
        config = self.config
        ranges = leaf_ranges(config, self.first + column)
        sums = []
        for plane in range(config.bits_per_cycle):
            tree = adder_tree(config, ranges)
            m.submodules[f"tree{column}_{plane}"] = tree
            m.d.comb += [tree.enable.eq(self.enable), tree.i.eq(array.leaves[column][plane])]
            if config.inverts_in_tree:
                m.d.comb += tree.invert.eq(self.sign_tag.negative)
            sums.append(tree.o)
        m.submodules[f"accumulator{column}"] = accumulator = Accumulator(config)
        m.d.comb += [
            accumulator.step_sum.eq(self._joined(m, sums, column)),
            accumulator.control.eq(self.control[column]),
        ]
        return accumulator.o

    def _joined(self, m: Module, sums: list[Any], column: int) -> Any:
        """The sum of the planes of a step."""
        if len(sums) == 1:
            return sums[0]
        m.submodules[f"join{column}"] = join = PlaneJoin(self.config)
        m.d.comb += [join.enable.eq(self.enable), join.negative.eq(self.sign_tag.negative)]
        m.d.comb += [join.i[plane].eq(total) for plane, total in enumerate(sums)]
        return join.o

    def _fused(self, m: Module, dots: list[Any]) -> list[Any]:
        """Dot products of fused columns in place of the columns' own."""
        m.submodules.fusion = fusion = ColumnFusion(self.config)
        m.d.comb += fusion.enable.eq(self.enable)
        m.d.comb += [fusion.i[column].eq(dot) for column, dot in enumerate(dots)]
        for stage in range(self.config.fused_bits):
            tag = self.later_tags[stage]
            m.d.comb += [fusion.valid[stage].eq(tag.valid), fusion.fused[stage].eq(tag.fused)]
        return [fusion.o[column] for column in range(self.columns)]

    def _vector_sum(self, m: Module, dot: Any, column: int) -> Signal:
        """A column's sum over the vectors of an accumulation."""
        tag = self.later_tags[self.config.output_registers - 2]
        m.submodules[f"sum{column}"] = total = VectorSum(self.config)
        m.d.comb += [
            total.enable.eq(self.enable),
            total.dot.eq(dot),
            total.valid.eq(tag.valid),
            total.first.eq(tag.opens),
        ]
        return total.o
