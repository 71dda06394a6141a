# SPDX-License-Identifier: Apache-2.0
"""The cells: one file each, behind the interface of `array`; the table below names them."""

from collections.abc import Callable
from typing import NamedTuple

from ..config import Cell, MacroConfig, Range
from .array import CellArray, CellWriter
from .bitcell import BitcellArray
from .fill import FillWriter
from .lookup import LookupArray
from .near import NearArray
from .rom import RomArray, rom_leaf_ranges

__all__ = ["CellArray", "CellWriter", "cell_array", "cell_writer", "leaf_ranges"]


def _same_everywhere(config: MacroConfig, column: int) -> tuple[Range, ...]:
    return config.leaf_ranges


class _Parts(NamedTuple):
    """What a cell is made of."""

    array: type[CellArray]
    writer: type[CellWriter] | None = CellWriter
    leaf_ranges: Callable[[MacroConfig, int], "tuple[Range, ...] | list[Range]"] = _same_everywhere


_CELLS: dict[Cell, _Parts] = {
    Cell.BITCELL: _Parts(BitcellArray),
    Cell.LOOKUP: _Parts(LookupArray, FillWriter),
    Cell.ROM: _Parts(RomArray, None, rom_leaf_ranges),
    Cell.NEAR: _Parts(NearArray),
}


def cell_array(config: MacroConfig, first: int, columns: int) -> CellArray:
    """The array for the configured cell, of `columns` columns from number `first` on."""
    return _CELLS[config.cell].array(config, first, columns)


def cell_writer(config: MacroConfig, copies: int = 1) -> CellWriter | None:
    """What sequences the writing of row groups, in an array of `copies` parts.

    None where weights are fixed.
    """
    writer = _CELLS[config.cell].writer
    return writer(config, copies) if writer else None


def leaf_ranges(config: MacroConfig, column: int) -> tuple[Range, ...]:
    """The range of each leaf of a column's adder tree."""
    return tuple(_CELLS[config.cell].leaf_ranges(config, column))
