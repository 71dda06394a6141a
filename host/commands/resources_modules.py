# SPDX-License-Identifier: Apache-2.0
"""`cimple resources --modules`: how the cells of a design divide among its modules."""

from pathlib import Path

from rich.table import Table

from ...fpga.breakdown import ModuleShare, breakdown
from ...fpga.families import family_of
from ...fpga.modules_record import (
    ModuleCounts,
    merge_counts,
    modules_page,
    read_counts,
    to_counts_record,
)
from ...fpga.yosys import find_yosys
from ...hdl.config import Config
from ...hdl.generate import generate
from ...hdl.macro.config import MacroConfig
from ..console import result_console, working
from .resources_files import say_written, write_record

__all__ = ["show_modules"]

_STEM = "module_counts"


def show_modules(configs: list[Config], family: str | None, output: Path) -> None:
    """Print a table for each design, and renew its tables in the record.

    Raises:
        CimpleError: Yosys is missing or fails, the family does not suit a design, or the record
            cannot be read.
    """
    families = [family_of(config, family) for config in configs]
    console = result_console()
    record = output / f"{_STEM}.json"
    counts = read_counts(record) if record.exists() else []
    written: list[Path] = []
    for config, chosen in zip(configs, families, strict=True):
        with working("starting Yosys") as say:
            yosys = find_yosys()
            design = generate(config)
            say(f"{design.name}: synthesis module by module")
            shares = breakdown(design, chosen, yosys)
        operations = config.binary_operations if isinstance(config, MacroConfig) else None
        console.print(_table(f"{design.name} in {chosen.name}", shares, operations))
        found = ModuleCounts(design.name, chosen.name, yosys.version, shares)
        counts = merge_counts(counts, found)
        written = write_record(output, _STEM, to_counts_record(counts), modules_page(counts))
    say_written(written)


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
