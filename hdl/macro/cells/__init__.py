# SPDX-License-Identifier: Apache-2.0
"""The cells: one file each, behind the interface of `array`; the table below names them."""

from ..config import Cell, MacroConfig
from .array import CellArray, CellWriter
from .bitcell import BitcellArray, BitcellWriter
from .lookup import LookupArray, LookupWriter

__all__ = ["CellArray", "CellWriter", "cell_array", "cell_writer"]

_ARRAYS: dict[Cell, type[CellArray]] = {Cell.BITCELL: BitcellArray, Cell.LOOKUP: LookupArray}
_WRITERS: dict[Cell, type[CellWriter]] = {Cell.BITCELL: BitcellWriter, Cell.LOOKUP: LookupWriter}


def cell_array(config: MacroConfig, columns: int) -> CellArray:
    """The array of `columns` columns for the configured cell."""
    return _ARRAYS[config.cell](config, columns)


def cell_writer(config: MacroConfig) -> CellWriter:
    """What sequences the writing of a row group for the configured cell."""
    return _WRITERS[config.cell](config)
