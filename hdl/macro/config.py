# SPDX-License-Identifier: Apache-2.0
"""The macro's parameters and everything that follows from them: widths, payloads, latency.

This, with what `MacroConfig` inherits, is the one place where a width, a count of groups or a
latency is derived. The hardware, the golden model, the manifest and the documentation all read it
from here.
"""

import random
from functools import lru_cache

from amaranth.hdl import Const, Value, signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for, ceil_log2, exact_log2

from .latency import MacroLatency
from .parameters import LEGAL, Cell, Storage, Table, Target, Tree

__all__ = ["LEGAL", "Cell", "MacroConfig", "Range", "Storage", "Table", "Target", "Tree"]

#: The lowest and the highest value that a number may have.
Range = tuple[int, int]


class MacroConfig(MacroLatency):
    """A digital SRAM compute-in-memory macro: ``out[c] = sum_r in[r] * w[r, c]``, exact.

    Inputs enter bit-serially, the most significant plane first; a plane meets all weights at once.
    Weights are signed, inputs signed or unsigned by choice of each vector.
    """

    # Blocks -------------------------------------------------------------------------------------

    @property
    def columns_per_block(self) -> int:
        """Columns built, emitted and instantiated as one block.

        `lookup` columns share their tables' words, so that few bits of a memory are left over: four
        sums of 10 bits are ten LUT-RAMs of 4 bits (one would take three), three of 12 bits fill the
        36 bits of a block RAM. Those of a `rom` share the registers of `broadcast_registers`. Fused
        columns lie in one block.
        """
        if self.cell is Cell.ROM:
            wanted = 8
        elif self.cell is Cell.LOOKUP:
            wanted = max(1, 36 // self.leaf_bits) if self.table is Table.BLOCKRAM else 4
        else:
            wanted = self.fusion
        return min(wanted, self.columns)

    @property
    def leaf_ranges(self) -> tuple[Range, ...]:
        """The range of each leaf of the adder tree: of what its rows add for one plane."""
        if self.cell is Cell.NEAR:
            return (self._sum_range(1),)
        low, high = self.weight_range
        rows = range(0, self.rows, self.rows_per_leaf)
        counts = (min(self.rows_per_leaf, self.rows - first) for first in rows)
        return tuple((low * count, high * count) for count in counts)

    @property
    def rom_weights(self) -> tuple[tuple[int, ...], ...]:
        """Of a rom: the weights it holds, a tuple of columns for each row."""
        return self.weights or _random_weights(
            self.rows, self.columns, self.weight_bits, self.weights_seed
        )

    # Widths -------------------------------------------------------------------------------------

    @property
    def bank_bits(self) -> int:
        """Width of a bank number; with one bank it has one bit that is ignored."""
        return max(1, ceil_log2(self.banks))

    @property
    def group_bits(self) -> int:
        """Width of a row group's number."""
        return bits_for(self.groups - 1)

    @property
    def member_bits(self) -> int:
        """Width of a row's number within its group; none where a group is one row."""
        return ceil_log2(self.rows_per_group)

    @property
    def row_bits(self) -> int:
        """Width of a row's number."""
        return bits_for(self.rows - 1)

    @property
    def plane_bits(self) -> int:
        """Width of a plane's number."""
        return bits_for(self.input_bits - 1)

    @property
    def step_number_bits(self) -> int:
        """Width of a step's number; the last one is 0."""
        if self.cell is Cell.NEAR:
            return self.row_bits
        return max(1, self.plane_bits - exact_log2(self.bits_per_cycle))

    @property
    def fused_bits(self) -> int:
        """Width of the field `fused`; none where columns cannot be fused."""
        return exact_log2(self.fusion)

    @property
    def weight_range(self) -> Range:
        """The range of a weight as a column meets it: the lower ones of fused columns are unsigned.
        """
        highest = (1 << (self.weight_bits if self.fusion > 1 else self.weight_bits - 1)) - 1
        return -1 << (self.weight_bits - 1), highest

    @property
    def leaf_bits(self) -> int:
        """Width of a leaf of the adder tree, signed."""
        if self.cell is Cell.NEAR:
            return _width(self._sum_range(1))
        low, high = self.weight_range
        return _width((low * self.rows_per_leaf, high * self.rows_per_leaf))

    @property
    def plane_sum_range(self) -> Range:
        """The range of one plane's sum over all rows."""
        if self.cell is Cell.NEAR:
            return self._sum_range(1)
        low, high = self.weight_range
        return low * self.rows, high * self.rows

    @property
    def plane_sum_bits(self) -> int:
        """Width of one plane's sum over all rows, signed."""
        return _width(self.plane_sum_range)

    @property
    def step_sum_bits(self) -> int:
        """Width of the sum of the planes of one cycle, each times its power of two, signed."""
        planes, (low, high) = self.bits_per_cycle, self.plane_sum_range
        if planes == 1:
            return self.plane_sum_bits
        below = (1 << (planes - 1)) - 1
        top = below + 1
        # The sign plane counts negative, and is the top one.
        lowest = min(low * (below + top), low * below - high * top)
        highest = max(high * (below + top), high * below - low * top)
        return _width((lowest, highest))

    @property
    def column_bits(self) -> int:
        """Width of the dot product of one vector and one column, signed."""
        return _width(self._sum_range(self.rows))

    @property
    def dot_bits(self) -> int:
        """Width of the dot product of one vector, of fused columns where they can be, signed."""
        return self._dot_bits(1)

    @property
    def output_bits(self) -> int:
        """Width of an output: of the sum over `accumulations` vectors, signed."""
        return self._dot_bits(self.accumulations)

    def _dot_bits(self, vectors: int) -> int:
        terms = self.rows * vectors
        bits = self.weight_bits * self.fusion
        fused = -1 << (bits - 1), (1 << (bits - 1)) - 1
        return max(_width(self._sum_range(terms)), _width(self._sum_range(terms, fused)))

    def _sum_range(self, terms: int, weights: Range | None = None) -> Range:
        """The range of a sum of products of weights and inputs, signed or not."""
        weight_min, weight_max = weights or self.weight_range
        unsigned_max = (1 << self.input_bits) - 1
        signed_min = -1 << (self.input_bits - 1)
        lowest = min(weight_min * unsigned_max, weight_max * signed_min)
        highest = max(weight_max * unsigned_max, weight_min * signed_min)
        return lowest * terms, highest * terms

    # Payloads of the streams --------------------------------------------------------------------

    @property
    def write_layout(self) -> data.StructLayout:
        """Payload of `w`: one row of a row group of one bank, ``weights[column]``.

        The rows of a group come one after the other, ``row`` from 0 to ``rows_per_group - 1``.
        """
        return data.StructLayout(
            {
                "weights": self.read_data_layout,
                "row": unsigned(self.member_bits),
                "group": unsigned(self.group_bits),
                "bank": unsigned(self.bank_bits),
            }
        )

    @property
    def input_layout(self) -> data.StructLayout:
        """Payload of `i`: a vector and how to take it.

        ``top_plane`` is the number of input bits less one. ``first`` and ``last`` bound an
        accumulation; where `accumulations` is one they are ignored and every vector is both.
        ``fused`` is the number of columns that are fused into one, less one.
        """
        return data.StructLayout(
            {
                "data": data.ArrayLayout(unsigned(self.input_bits), self.rows),
                "top_plane": unsigned(self.plane_bits),
                "signed": unsigned(1),
                "bank": unsigned(self.bank_bits),
                "first": unsigned(1),
                "last": unsigned(1),
                "fused": unsigned(self.fused_bits),
            }
        )

    @property
    def operand_layout(self) -> data.Layout:
        """What meets the weights in a step: planes, or for a `near` macro an input and its row."""
        if self.cell is Cell.NEAR:
            return data.StructLayout(
                {"value": signed(self.input_bits + 1), "row": unsigned(self.row_bits)}
            )
        return data.ArrayLayout(unsigned(self.rows), self.bits_per_cycle)

    @property
    def output_layout(self) -> data.ArrayLayout:
        """Payload of `o`: the sums, one a column."""
        return data.ArrayLayout(signed(self.output_bits), self.columns)

    @property
    def read_request_layout(self) -> data.StructLayout:
        """Payload of `read_request`: the row to read back."""
        return data.StructLayout(
            {"row": unsigned(self.row_bits), "bank": unsigned(self.bank_bits)}
        )

    @property
    def read_data_layout(self) -> data.ArrayLayout:
        """Payload of `read_data`: one row of weights."""
        return data.ArrayLayout(signed(self.weight_bits), self.columns)

    def bank_of(self, payload: data.View) -> Value:
        """The bank that a payload names: the only one where there is one."""
        return payload.bank if self.banks > 1 else Const(0, self.bank_bits)

    @property
    def binary_operations(self) -> int:
        """Weight bits times input bits that are multiplied and added in a cycle of computing."""
        if self.cell is Cell.NEAR:
            return self.columns * self.weight_bits * self.input_bits
        return self.rows * self.columns * self.weight_bits * self.bits_per_cycle


def _width(values: Range) -> int:
    return max(bits_for(bound, require_sign_bit=True) for bound in values)


@lru_cache(maxsize=16)
def _random_weights(
    rows: int, columns: int, bits: int, seed: int
) -> tuple[tuple[int, ...], ...]:
    """Uniformly random weights; the same for the same arguments everywhere."""
    source = random.Random(seed)
    half = 1 << bits - 1
    return tuple(
        tuple(source.getrandbits(bits) - half for _ in range(columns)) for _ in range(rows)
    )
