# SPDX-License-Identifier: Apache-2.0
"""The macro's parameters and everything that follows from them: widths, payloads, latency.

This is the one place where a width, a count of groups or a latency is derived. The hardware, the
golden model, the cycle model, the manifest and the documentation all read it from here.
"""

import enum
from typing import Annotated, Literal

from amaranth.hdl import Const, Value, signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for, ceil_log2
from pydantic import Field, model_validator

from ..config import Config

__all__ = ["Cell", "MacroConfig"]


class Cell(enum.Enum):
    """How a weight is stored and met by an input bit."""

    #: Each weight bit in a flip-flop, multiplied with the input bit by an AND gate.
    BITCELL = "bitcell"
    #: The sums of all subsets of a few rows' weights in a LUT-RAM table that the input bits address
    #: (distributed arithmetic: Peled and Liu, IEEE Trans. ASSP 22(6), 1974).
    LOOKUP = "lookup"


#: Address bits of the 16-entry LUT-RAM that a `lookup` table fills exactly.
LOOKUP_ADDRESS_BITS = 4

#: The legal values of `banks` for each cell.
LEGAL_BANKS: dict[Cell, tuple[int, ...]] = {
    Cell.BITCELL: (1, 2, 4, 8),
    Cell.LOOKUP: (1, 2, 4),
}

#: Why a cell cannot have another number of banks: the second half of the error message.
_BANKS_REASON: dict[Cell, str] = {
    Cell.BITCELL: "every bank is another set of flip-flops behind a multiplexer",
    Cell.LOOKUP: "the banks and the rows of a table share the 4 address bits of a LUT-RAM",
}


class MacroConfig(Config):
    """A digital SRAM compute-in-memory macro: ``out[c] = sum_r in[r] * w[r, c]``, exact.

    Inputs enter bit-serially, the most significant plane first; a plane meets all weights at once.
    Weights are signed, inputs signed or unsigned by choice of each vector.
    """

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$", description="name of the Verilog module")
    ] = "cim_macro"
    rows: Annotated[
        int, Field(ge=1, le=4096, description="inputs of a vector, weights down a column")
    ]
    columns: Annotated[
        int, Field(ge=1, le=1024, description="outputs of a vector, weights along a row")
    ]
    weight_bits: Annotated[
        Literal[4, 8], Field(description="bits of a weight, two's complement")
    ] = 8
    input_bits: Annotated[
        int, Field(ge=1, le=16, description="most bits an input may have; chosen for each vector")
    ] = 8
    cell: Annotated[Cell, Field(description="how weights are stored and multiplied")] = Cell.LOOKUP
    banks: Annotated[
        Literal[1, 2, 4, 8],
        Field(description="weight sets: one can be written while another computes"),
    ] = 1
    accumulations: Annotated[
        int, Field(ge=1, le=256, description="most vectors summed into one output vector")
    ] = 1
    pipeline: Annotated[
        int, Field(ge=1, le=12, description="adder-tree levels between two registers")
    ] = 1

    @model_validator(mode="after")
    def _check_cell(self) -> "MacroConfig":
        legal = LEGAL_BANKS[self.cell]
        if self.banks not in legal:
            allowed = ", ".join(str(banks) for banks in legal)
            raise ValueError(
                f"banks must be one of {allowed} with cell: {self.cell.value}, not {self.banks}; "
                f"{_BANKS_REASON[self.cell]}"
            )
        return self

    # Row groups: what one transfer of the weight stream writes ---------------------------------

    @property
    def rows_per_group(self) -> int:
        """Rows that are written together, and whose weights share one leaf of the adder tree."""
        if self.cell is Cell.LOOKUP:
            return LOOKUP_ADDRESS_BITS - ceil_log2(self.banks)
        return 1

    @property
    def groups(self) -> int:
        """Row groups, the last one filled up with rows that no input reaches."""
        return -(-self.rows // self.rows_per_group)

    @property
    def write_cycles(self) -> int:
        """Cycles that writing one row group takes, from its start to its handshake."""
        return 1 << self.rows_per_group if self.cell is Cell.LOOKUP else 1

    @property
    def columns_per_block(self) -> int:
        """Columns built, emitted and instantiated as one block.

        Four `lookup` columns share their tables' words, so that no bit of a 4-bit-wide LUT-RAM is
        left over: 4 x 10 bits are ten of them (a single column of 10 bits would take three).
        """
        return min(4, self.columns) if self.cell is Cell.LOOKUP else 1

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
    def row_bits(self) -> int:
        """Width of a row's number."""
        return bits_for(self.rows - 1)

    @property
    def plane_bits(self) -> int:
        """Width of a plane's number."""
        return bits_for(self.input_bits - 1)

    @property
    def leaf_bits(self) -> int:
        """Width of what a row group adds to the tree for one plane, signed."""
        return self.weight_bits + ceil_log2(self.rows_per_group)

    @property
    def plane_sum_bits(self) -> int:
        """Width of one plane's sum over all rows, signed."""
        return bits_for(-self.rows << (self.weight_bits - 1), require_sign_bit=True)

    @property
    def dot_bits(self) -> int:
        """Width of the dot product of one vector, signed."""
        return self._dot_bits(1)

    @property
    def output_bits(self) -> int:
        """Width of an output: of the sum over `accumulations` vectors, signed."""
        return self._dot_bits(self.accumulations)

    def _dot_bits(self, vectors: int) -> int:
        weight_min = -1 << (self.weight_bits - 1)
        weight_max = -weight_min - 1
        unsigned_max = (1 << self.input_bits) - 1
        signed_min = -1 << (self.input_bits - 1)
        terms = self.rows * vectors
        lowest = weight_min * unsigned_max * terms
        highest = max(weight_max * unsigned_max, weight_min * signed_min) * terms
        return max(bits_for(bound, require_sign_bit=True) for bound in (lowest, highest))

    # Payloads of the streams --------------------------------------------------------------------

    @property
    def write_layout(self) -> data.StructLayout:
        """Payload of `w`: one row group of one bank, ``weights[row in group][column]``."""
        row = data.ArrayLayout(signed(self.weight_bits), self.columns)
        return data.StructLayout(
            {
                "weights": data.ArrayLayout(row, self.rows_per_group),
                "group": unsigned(self.group_bits),
                "bank": unsigned(self.bank_bits),
            }
        )

    @property
    def input_layout(self) -> data.StructLayout:
        """Payload of `i`: a vector and how to take it.

        ``top_plane`` is the number of input bits less one. ``first`` and ``last`` bound an
        accumulation; where `accumulations` is one they are ignored and every vector is both.
        """
        return data.StructLayout(
            {
                "data": data.ArrayLayout(unsigned(self.input_bits), self.rows),
                "top_plane": unsigned(self.plane_bits),
                "signed": unsigned(1),
                "bank": unsigned(self.bank_bits),
                "first": unsigned(1),
                "last": unsigned(1),
            }
        )

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

    # Latency and throughput ---------------------------------------------------------------------

    @property
    def product_registers(self) -> int:
        """Registers between the plane register and the adder tree."""
        return 1 if self.cell is Cell.LOOKUP else 0

    @property
    def tree_levels(self) -> int:
        """Levels of the binary adder tree over the row groups."""
        return ceil_log2(self.groups)

    @property
    def tree_registers(self) -> int:
        """Registers along the adder tree: one every `pipeline` levels, and at its root."""
        return -(-self.tree_levels // self.pipeline)

    @property
    def array_registers(self) -> int:
        """Registers from the plane register to the plane's sum."""
        return self.product_registers + self.tree_registers

    def vector_latency(self, bits: int) -> int:
        """Cycles from a vector's first valid cycle to its output's, the macro idle before.

        ``bits + array_registers + 2``: a cycle a plane, the registers of the array, and those of
        the dot product and the output.
        """
        return bits + self.array_registers + 2

    def vector_interval(self, bits: int) -> int:
        """Cycles from one vector to the next at full rate: a cycle a plane."""
        return bits

    @property
    def read_latency(self) -> int:
        """Cycles from a read request's first valid cycle to its data's, the macro idle before."""
        return self.vector_latency(1)

    @property
    def binary_operations(self) -> int:
        """Weight bits that meet an input bit in each cycle of computing."""
        return self.rows * self.columns * self.weight_bits
