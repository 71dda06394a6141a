# SPDX-License-Identifier: Apache-2.0
"""`cimple resources --modules`: how the cells of a design divide among its modules."""

from rich.table import Table

from ...fpga.breakdown import ModuleShare, breakdown
from ...fpga.families import family_of
from ...fpga.yosys import find_yosys
from ...hdl.config import Config
from ...hdl.generate import generate
from ...hdl.macro.config import MacroConfig
from ..console import result_console, working

__all__ = ["show_modules"]


def show_modules(configs: list[Config], family: str | None) -> None:
    """Print a table for each design.

    Raises:
        CimpleError: Yosys is missing or fails, or the family does not suit a design.
    """
    families = [family_of(config, family) for config in configs]
    console = result_console()
    for config, chosen in zip(configs, families, strict=True):
        with working("starting Yosys") as say:
            yosys = find_yosys()
            design = generate(config)
            say(f"{design.name}: synthesis module by module")
            shares = breakdown(design, chosen, yosys)
        operations = config.binary_operations if isinstance(config, MacroConfig) else None
        console.print(_table(f"{design.name} in {chosen.name}", shares, operations))


def _table(title: str, shares: tuple[ModuleShare, ...], operations: int | None) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("module")
    for heading in ("instances", "sites", "FF", "RAM", "DSP", "sites / op", "FF / op"):
        table.add_column(heading, justify="right")
    total = tuple(sum(numbers) for numbers in zip(*map(_numbers, shares), strict=True))
    for share in shares:
        table.add_row(share.name, str(share.instances), *_cells(_numbers(share), operations))
    table.add_section()
    table.add_row("all", "", *_cells(total, operations))
    return table


def _numbers(share: ModuleShare) -> tuple[int, ...]:
    return share.sites, share.ff, share.rams, share.dsps


def _cells(numbers: tuple[int, ...], operations: int | None) -> list[str]:
    ratios = [f"{number / operations:.3f}" if operations else "" for number in numbers[:2]]
    return [*map(str, numbers), *ratios]
