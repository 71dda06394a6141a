# SPDX-License-Identifier: Apache-2.0
"""What a macro can be asked for: the fields of its configuration, and which go together.

`LEGAL` is the one table of legal combinations: for every cell, the values that its fields may have.
The check of a configuration, the manual and the tests walk through it.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..config import Config

__all__ = ["LEGAL", "Cell", "CellLimits", "MacroParameters", "Storage", "Table", "Target", "Tree"]


class Cell(enum.Enum):
    """How a weight is stored and met by an input."""

    #: Each weight bit in a cell of its own, multiplied with the input bit by an AND gate.
    BITCELL = "bitcell"
    #: The sums of all subsets of a few rows' weights in a table that the input bits address
    #: (distributed arithmetic: Peled and Liu, IEEE Trans. ASSP 22(6), 1974).
    LOOKUP = "lookup"
    #: Weights that are fixed when the Verilog is generated, as in a mask ROM: tables as for
    #: `lookup`, made of plain logic.
    ROM = "rom"
    #: Weights in a memory beside multipliers, a row a cycle: near-memory computing, to compare.
    NEAR = "near"


class Storage(enum.Enum):
    """What the bits of a `bitcell` are stored in."""

    #: A flip-flop a bit: for every tool and process.
    FLIPFLOP = "flipflop"
    #: A latch a bit, two thirds of a flip-flop in silicon. Transparent while the clock is low.
    LATCH = "latch"
    #: A LUT-RAM a row, with room for 16 banks.
    LUTRAM = "lutram"


class Table(enum.Enum):
    """The memory that a table of `lookup` is made for."""

    #: 16 entries: 4 rows, or 3 rows and two banks, and so on.
    LUTRAM = "lutram"
    #: 512 entries (256 on the iCE40): 9 (8) rows, or 8 (7) rows and two banks, and so on.
    BLOCKRAM = "blockram"


class Tree(enum.Enum):
    """How an adder tree adds."""

    #: Binary, by carry chains: what FPGAs have hardware for.
    CARRY = "carry"
    #: 3:2 compressors that pass carries on, one carry chain at the root: the usual one in silicon.
    CARRY_SAVE = "carry_save"

    def levels(self, leaves: int) -> int:
        """Levels from a leaf to the sum: of adders, or of compressors and the adder at the root."""
        if self is Tree.CARRY:
            return (leaves - 1).bit_length()
        compressors, terms = 0, leaves
        while terms > 2:
            compressors, terms = compressors + 1, terms - terms // 3
        return compressors + (leaves > 1)


class Target(enum.Enum):
    """Whose cells the Verilog may name, within `ifdef SYNTHESIS`; simulators see none."""

    #: Plain Verilog, for any tool and process.
    GENERIC = "generic"
    #: Lattice ECP5: carry cells that multiply or subtract, LUTs and multiplexers that join them.
    ECP5 = "ecp5"
    #: Lattice iCE40: logic cells that choose bits, or add by choice; block RAMs with 256 entries.
    ICE40 = "ice40"


@dataclass(frozen=True)
class CellLimits:
    """The values that fields may have with one cell, and why not others."""

    values: Mapping[str, tuple[Any, ...]]
    """Legal values by field. A field that is not here may have any of its values."""
    reasons: Mapping[str, str]
    """Why another value cannot be, by field: the second half of the error message."""


_NO_BITCELLS = "it says what the bits of a bitcell are stored in"
_NO_TABLES = "it says what the tables of a lookup are made for"
_NO_FUSION = "only a bitcell can tell the sign bit of a weight from the others"
_ALWAYS_ONE = (1,)

#: The legal values of each field with each cell; those of `banks` for each storage are below.
LEGAL: dict[Cell, CellLimits] = {
    Cell.BITCELL: CellLimits(
        {"banks": (1, 2, 4, 8, 16), "table": (Table.LUTRAM,)},
        {"banks": "", "table": _NO_TABLES},
    ),
    Cell.LOOKUP: CellLimits(
        {
            "banks": (1, 2, 4, 8),
            "bits_per_cycle": _ALWAYS_ONE,
            "fusion": _ALWAYS_ONE,
            "storage": (Storage.FLIPFLOP,),
        },
        {
            "banks": "the banks and the rows of a table share its address bits",
            "bits_per_cycle": "a table has one address, and the planes of a cycle would need more",
            "fusion": _NO_FUSION,
            "storage": _NO_BITCELLS,
        },
    ),
    Cell.ROM: CellLimits(
        {
            "banks": _ALWAYS_ONE,
            "bits_per_cycle": _ALWAYS_ONE,
            "fusion": _ALWAYS_ONE,
            "storage": (Storage.FLIPFLOP,),
            "table": (Table.LUTRAM,),
        },
        {
            "banks": "its weights are fixed, so there is one set",
            "bits_per_cycle": "a table has one address, and the planes of a cycle would need more",
            "fusion": _NO_FUSION,
            "storage": _NO_BITCELLS,
            "table": _NO_TABLES,
        },
    ),
    Cell.NEAR: CellLimits(
        {
            "banks": (1, 2, 4, 8, 16),
            "bits_per_cycle": _ALWAYS_ONE,
            "fusion": _ALWAYS_ONE,
            "storage": (Storage.FLIPFLOP,),
            "table": (Table.LUTRAM,),
            "tree": (Tree.CARRY,),
            "skip_zero_planes": (False,),
        },
        {
            "banks": "",
            "bits_per_cycle": "its multipliers take whole inputs",
            "fusion": _NO_FUSION,
            "storage": _NO_BITCELLS,
            "table": _NO_TABLES,
            "tree": "it adds one product a cycle and has no tree",
            "skip_zero_planes": "its multipliers take whole inputs, not planes",
        },
    ),
}

#: Legal banks of a `bitcell` by what it is stored in.
STORAGE_BANKS: dict[Storage, tuple[int, ...]] = {
    Storage.FLIPFLOP: (1, 2, 4, 8),
    Storage.LATCH: (1, 2, 4, 8),
    Storage.LUTRAM: (1, 2, 4, 8, 16),
}


class MacroParameters(Config):
    """The fields, and the checks that join several of them."""

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
        Literal[1, 2, 4, 8],
        Field(description="bits of a weight, two's complement; one bit means 0 or -1"),
    ] = 8
    input_bits: Annotated[
        int, Field(ge=1, le=16, description="most bits an input may have; chosen for each vector")
    ] = 8
    cell: Annotated[Cell, Field(description="how weights are stored and multiplied")] = Cell.LOOKUP
    storage: Annotated[
        Storage, Field(description="what the bits of a bitcell are stored in")
    ] = Storage.FLIPFLOP
    table: Annotated[
        Table, Field(description="the memory that the tables of a lookup are made for")
    ] = Table.LUTRAM
    banks: Annotated[
        Literal[1, 2, 4, 8, 16],
        Field(description="weight sets: one can be written while another computes"),
    ] = 1
    accumulations: Annotated[
        int, Field(ge=1, le=256, description="most vectors summed into one output vector")
    ] = 1
    fusion: Annotated[
        Literal[1, 2, 4],
        Field(description="neighbouring columns that a vector may join to one of wider weights"),
    ] = 1
    bits_per_cycle: Annotated[
        Literal[1, 2, 4, 8, 16], Field(description="planes that meet the weights in one cycle")
    ] = 1
    pipeline: Annotated[
        int, Field(ge=1, le=12, description="adder-tree levels between two registers")
    ] = 1
    tree: Annotated[Tree, Field(description="how the adder trees add")] = Tree.CARRY
    skip_zero_planes: Annotated[
        bool, Field(description="leading planes that are zero in all rows take no cycle")
    ] = False
    broadcast_registers: Annotated[
        Literal[0, 1],
        Field(description="registers of the operand on its way to each block of columns"),
    ] = 0
    output_buffer: Annotated[
        Literal[1, 2],
        Field(description="outputs that can wait to be taken; 1 is smaller, 2 faster"),
    ] = 2
    target: Annotated[
        Target, Field(description="family whose cells the Verilog may name; generic for none")
    ] = Target.GENERIC
    weights: Annotated[
        tuple[tuple[int, ...], ...],
        Field(description="of a rom: the weights, a list of columns for each row"),
    ] = ()
    weights_seed: Annotated[
        int,
        Field(ge=0, le=(1 << 32) - 1,
              description="of a rom without weights: seed of uniformly random ones"),
    ] = 0

    @model_validator(mode="after")
    def _check_cell(self) -> "MacroParameters":
        limits = LEGAL[self.cell]
        for field, legal in limits.values.items():
            self._require(field, legal, f"cell: {self.cell.value}", limits.reasons[field])
        if self.cell is Cell.BITCELL:
            self._require("banks", STORAGE_BANKS[self.storage], f"storage: {self.storage.value}",
                          "every bank is another set of cells behind a multiplexer")
        return self

    def _require(self, field: str, legal: tuple[Any, ...], where: str, reason: str) -> None:
        value = getattr(self, field)
        if value not in legal:
            allowed = ", ".join(_text(each) for each in legal)
            choice = f"one of {allowed}" if len(legal) > 1 else allowed
            raise ValueError(
                f"{field} must be {choice} with {where}, not {_text(value)}"
                + (f"; {reason}" if reason else "")
            )

    @model_validator(mode="after")
    def _check_planes(self) -> "MacroParameters":
        if self.bits_per_cycle > self.input_bits:
            raise ValueError(
                f"bits_per_cycle must be at most input_bits ({self.input_bits}), "
                f"not {self.bits_per_cycle}"
            )
        if self.columns % self.fusion:
            raise ValueError(
                f"columns must be a multiple of fusion ({self.fusion}), not {self.columns}"
            )
        if self.fusion > 1 and self.weight_bits * self.fusion > 16:
            raise ValueError(
                f"fusion must be at most {16 // self.weight_bits} with weight_bits: "
                f"{self.weight_bits}, as fused weights have 16 bits at most, not {self.fusion}"
            )
        return self

    @model_validator(mode="after")
    def _check_weights(self) -> "MacroParameters":
        if self.cell is not Cell.ROM:
            if self.weights or self.weights_seed:
                field = "weights" if self.weights else "weights_seed"
                raise ValueError(
                    f"{field} must be left out with cell: {self.cell.value}; only a rom has "
                    "weights of its own"
                )
            return self
        if not self.weights:
            return self
        if self.weights_seed:
            raise ValueError("weights_seed must be left out where weights are given")
        if len(self.weights) != self.rows or {len(row) for row in self.weights} != {self.columns}:
            lengths = sorted({len(row) for row in self.weights})
            raise ValueError(
                f"weights must be {self.rows} lists of {self.columns} numbers each, not "
                f"{len(self.weights)} of {' or '.join(map(str, lengths))}"
            )
        limit = 1 << self.weight_bits - 1
        for number, row in enumerate(self.weights):
            for weight in row:
                if not -limit <= weight < limit:
                    raise ValueError(
                        f"weights must be between {-limit} and {limit - 1} with weight_bits: "
                        f"{self.weight_bits}, not {weight} in row {number}"
                    )
        return self


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "value", value))
