# SPDX-License-Identifier: Apache-2.0
"""`cimple presets`: what comes with Cimple, and how big it is."""

import sys

from rich.console import Console
from rich.table import Table

from ...hdl.kinds import kind_of
from ...hdl.load import load_config, preset_files
from ...hdl.macro.config import MacroConfig
from ...hdl.npu.config import NpuConfig

__all__ = ["presets"]

_TEXT = ("preset", "kind", "cell")
_NUMBERS = ("array", "bits", "banks", "weights", "operations")
#: A program that reads the table wants whole names, however narrow a terminal would be.
_PIPED_WIDTH = 120


def presets() -> None:
    """List the configurations that come with Cimple, with their sizes.

    A name stands for its file: `cimple generate edge_64x16`. Columns: rows and columns of the
    array; bits of a weight; weights held, in all banks; binary operations a cycle, each a weight
    bit times an input bit, added in.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in _TEXT:
        table.add_column(heading, no_wrap=True)
    for heading in _NUMBERS:
        table.add_column(heading, justify="right", no_wrap=True)
    for name in preset_files():
        table.add_row(name, *_cells(name))
    Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH).print(table)


def _cells(name: str) -> list[str]:
    config = load_config(name)
    macro = config.macro if isinstance(config, NpuConfig) else config
    assert isinstance(macro, MacroConfig)
    numbers = (
        f"{macro.rows} x {macro.columns}",
        macro.weight_bits,
        macro.banks,
        macro.rows * macro.columns * macro.banks,
        macro.binary_operations,
    )
    return [kind_of(config).name, macro.cell.value, *(str(number) for number in numbers)]
