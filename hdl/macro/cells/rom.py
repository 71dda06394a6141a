# SPDX-License-Identifier: Apache-2.0
"""`rom`: weights fixed when the Verilog is generated, as in a mask ROM.

As for `lookup` the input bits of a few rows address the sums of all subsets of their weights; but
the tables are constants, so a table is a few LUTs or gates, and nothing is stored. Each leaf is as
wide as its weights need, which narrows the adder tree too.
"""

from amaranth.hdl import Array, Module, Signal, Value, signed

from ..adder_tree import shape_of
from ..config import MacroConfig, Range
from .array import CellArray

__all__ = ["RomArray", "rom_leaf_ranges"]


def rom_leaf_ranges(config: MacroConfig, column: int) -> list[Range]:
    """The range of each leaf of a column: the sums of its negative and of its positive weights."""
    groups = _groups(config, column)
    return [
        (sum(w for w in group if w < 0), sum(w for w in group if w > 0)) for group in groups
    ]


class RomArray(CellArray):
    """A constant table of ``2**rows_per_group`` subset sums a row group and column."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = self.config.rows_per_group
        plane = Value.cast(self.operand[0])
        for column in range(self.columns):
            ranges = rom_leaf_ranges(self.config, self.first + column)
            groups = _groups(self.config, self.first + column)
            for index, (weights, limits) in enumerate(zip(groups, ranges, strict=True)):
                name = f"product{column}_{index}"
                product = Signal(shape_of(limits), name=name, reset_less=True)
                bits = plane[index * size : index * size + len(weights)]
                sums = Array(_subset_sums(weights))
                with m.If(self.enable):
                    m.d.sync += product.eq(sums[bits])
                leaf = Signal(signed(self.config.leaf_bits), name=f"leaf{column}_{index}")
                m.d.comb += [leaf.eq(product), self.leaves[column][0][index].eq(leaf)]
        return m


def _groups(config: MacroConfig, column: int) -> list[list[int]]:
    """The weights of a column by row group."""
    weights, size = [row[column] for row in config.rom_weights], config.rows_per_group
    return [weights[first : first + size] for first in range(0, config.rows, size)]


def _subset_sums(weights: list[int]) -> list[int]:
    return [
        sum(weight for row, weight in enumerate(weights) if subset >> row & 1)
        for subset in range(1 << len(weights))
    ]
