# SPDX-License-Identifier: Apache-2.0
"""A block of columns: cell array, adder trees, accumulators. Emitted once, instantiated often."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .accumulator import Accumulator, PlaneControl, VectorControl
from .adder_tree import AdderTree
from .cells import cell_array
from .cells.array import StepLayout
from .config import MacroConfig

__all__ = ["ColumnBlock"]


class ColumnBlock(wiring.Component):
    """`columns` columns of the macro, from one plane of input bits to the output registers.

    Latency: ``config.array_registers`` cycles from `plane_bits` to the plane's sum, which is when
    `plane` must describe it.

    Parameters
    ----------
    config : MacroConfig
    columns : int
        Columns of this block, at most ``config.columns_per_block``.

    Members
    -------
    enable : In(1)
        Planes, sums and outputs keep their values where it is low; writing goes on.
    plane_bits : In(config.rows)
    bank : In(config.bank_bits)
    weights, step
        The row group being written, as in `CellArray`.
    plane : In(PlaneControl)
    vector : In(VectorControl)
        As in `Accumulator`.
    o : Out(ArrayLayout(signed(config.output_bits), columns))
    """

    enable: Signal
    plane_bits: Signal
    bank: Signal
    weights: data.View
    step: data.View
    plane: data.View
    vector: data.View
    o: data.View

    def __init__(self, config: MacroConfig, columns: int) -> None:
        self.config = config
        self.columns = columns
        super().__init__(self.signature_for(config, columns))

    @staticmethod
    def signature_for(config: MacroConfig, columns: int) -> wiring.Signature:
        """The signature, without building the block."""
        row = data.ArrayLayout(signed(config.weight_bits), columns)
        return wiring.Signature(
            {
                "enable": In(1),
                "plane_bits": In(config.rows),
                "bank": In(config.bank_bits),
                "weights": In(data.ArrayLayout(row, config.rows_per_group)),
                "step": In(StepLayout(config)),
                "plane": In(PlaneControl),
                "vector": In(VectorControl),
                "o": Out(data.ArrayLayout(signed(config.output_bits), columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.array = array = cell_array(config, self.columns)
        m.d.comb += [
            array.enable.eq(self.enable),
            array.plane.eq(self.plane_bits),
            array.bank.eq(self.bank),
            array.weights.eq(self.weights),
            array.step.eq(self.step),
        ]
        for column in range(self.columns):
            tree = AdderTree(config.groups, config.leaf_bits, config.pipeline)
            accumulator = Accumulator(config)
            m.submodules[f"tree{column}"] = tree
            m.submodules[f"accumulator{column}"] = accumulator
            # The tree's result has room for groups filled up with rows; the sum of real rows fits.
            m.d.comb += [
                tree.enable.eq(self.enable),
                tree.i.eq(array.leaves[column]),
                accumulator.enable.eq(self.enable),
                accumulator.plane_sum.eq(tree.o[: config.plane_sum_bits].as_signed()),
                accumulator.plane.eq(self.plane),
                accumulator.vector.eq(self.vector),
                self.o[column].eq(accumulator.o),
            ]
        return m
