# SPDX-License-Identifier: Apache-2.0
"""The record of ASIC estimates: `asic_estimate.json` and its page."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .asic import AsicEstimate
from .records import read_results, to_results

__all__ = ["estimate_table", "merge_estimates", "read_estimates", "to_estimate_record"]


def merge_estimates(old: Iterable[AsicEstimate], new: Iterable[AsicEstimate]) -> list[AsicEstimate]:
    """Old results with the new ones in place of those of the same design and library."""
    rows = [*old, *new]
    return list({(row.name, row.cells and row.cells.library): row for row in rows}.values())


def to_estimate_record(estimates: Iterable[AsicEstimate]) -> dict[str, Any]:
    """Results as plain data."""
    return to_results(each.to_mapping() for each in estimates)


def read_estimates(path: Path) -> list[AsicEstimate]:
    """The recorded results.

    Raises:
        CimpleError: the file cannot be read, or is no record.
    """
    return read_results(
        path, "estimates", lambda rows: [AsicEstimate.from_mapping(row) for row in rows]
    )


def estimate_table(estimates: Iterable[AsicEstimate]) -> str:
    """Results as a page of Markdown."""
    return _PAGE.format(rows="\n".join(f"| {' | '.join(_row(each))} |" for each in estimates))


def _row(found: AsicEstimate) -> list[str]:
    counts = (found.transistors, found.flip_flops, found.latches, found.gates, found.levels)
    mapped = ["", "", "", ""]
    if cells := found.cells:
        ratios = (cells.area / found.weight_bits, cells.area / found.binary_operations)
        mapped = [
            cells.library,
            f"{cells.area:.0f}",
            " / ".join(f"{ratio:.2f}" for ratio in ratios),
            f"{cells.delay_ps:.0f}",
        ]
    return [
        found.name,
        *map(str, counts),
        f"{found.transistors_per_weight_bit:.1f}",
        f"{found.transistors_per_operation:.1f}",
        *mapped,
        found.yosys,
    ]


_PAGE = """\
# ASIC estimates of macros

Written by `cimple resources CONFIG... --asic`, with `--liberty FILE` for the columns on the right.
For comparing one macro with another: gates alone, without wires, clock tree and layout.

Transistors are those of the whole macro after generic synthesis to NAND, NOR and NOT gates: 4, 4
and 2 each, 16 a flip-flop and 8 a latch (Yosys's `stat -tech cmos`, and half a flip-flop for a
latch). An enable or a synchronous reset is gates in front of a flip-flop. They are given for each
bit of the weights of all banks, and for each binary operation a cycle: one weight bit times one
input bit, added in. Levels are the most gates in a row.

Area is in the unit of the library. Delay is ABC's for the longest path of gates, in picoseconds,
without flip-flops and wires.

| design | transistors | flip-flops | latches | gates | levels | transistors / weight bit | \
transistors / op | library | area | area / weight bit / op | delay ps | Yosys |
|---|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|---|
{rows}
"""
