# SPDX-License-Identifier: Apache-2.0
"""`cimple boards`: the boards that bitstreams can be made for."""

from rich.table import Table

from ...fpga.boards import BOARDS
from ..console import result_console

__all__ = ["boards"]

_TEXT = ("board", "what it is", "FPGA", "NPU")
_NUMBERS = ("array", "LUT4", "MHz")


def boards() -> None:
    """List the boards, with the NPU and the clock that each gets.

    `cimple build --board NAME` makes the bitstream. Columns: the preset of the NPU, the rows and
    columns of all its macros, LUT4 of the FPGA, the NPU's clock, and what carries the serial link,
    at how many bits a second.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in _TEXT:
        table.add_column(heading, no_wrap=True)
    for heading in _NUMBERS:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("link", no_wrap=True)
    for board in BOARDS.values():
        config = board.npu()
        table.add_row(
            board.name, board.title, board.part, board.preset,
            f"{config.macro.rows} x {config.columns}", f"{board.luts:,}",
            f"{board.clock_hz / 1e6:g}", f"{board.link}, {board.baud / 1e6:g} Mbaud",
        )
    console = result_console()
    # A row is one line: names are to be copied.
    console.width = max(console.width, _WIDTH)
    console.print(table)


#: Columns of the widest row.
_WIDTH = 150
