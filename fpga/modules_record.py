# SPDX-License-Identifier: Apache-2.0
"""The record of counts by module: `module_counts.json` and its page, a budget of a chip."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .breakdown import ModuleShare
from .families import FAMILIES
from .records import read_results, to_results

__all__ = ["ModuleCounts", "merge_counts", "modules_page", "read_counts", "to_counts_record"]

#: Modules with fewer sites and no memory or multiplier are one row of the page.
_LEAST_SITES = 50


@dataclass(frozen=True)
class ModuleCounts:
    """How one design's cells divide among its modules."""

    name: str
    family: str
    yosys: str
    """Version of Yosys."""
    shares: tuple[ModuleShare, ...]
    """Modules with most sites first."""

    def to_mapping(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "name": self.name,
            "family": self.family,
            "yosys": self.yosys,
            "modules": [share.to_mapping() for share in self.shares],
        }

    @classmethod
    def from_mapping(cls, found: Any) -> "ModuleCounts":
        """What `to_mapping` gave.

        Raises:
            KeyError: something is missing.
            TypeError: something is of another kind.
        """
        shares = tuple(ModuleShare(**share) for share in found["modules"])
        return cls(found["name"], FAMILIES[found["family"]].name, found["yosys"], shares)


def merge_counts(old: Iterable[ModuleCounts], new: ModuleCounts) -> list[ModuleCounts]:
    """Old results with a new one in place of that of the same design and family."""
    rows = [*old, new]
    return list({(row.name, row.family): row for row in rows}.values())


def to_counts_record(counts: Iterable[ModuleCounts]) -> dict[str, Any]:
    """Results as plain data."""
    return to_results(each.to_mapping() for each in counts)


def read_counts(path: Path) -> list[ModuleCounts]:
    """The recorded results.

    Raises:
        CimpleError: the file cannot be read, or is no record.
    """
    return read_results(
        path, "counts by module", lambda rows: [ModuleCounts.from_mapping(row) for row in rows]
    )


def modules_page(counts: Iterable[ModuleCounts]) -> str:
    """Results as a page of Markdown."""
    return _PAGE.format(sections="\n".join(map(_section, counts)))


def _section(counts: ModuleCounts) -> str:
    large = [share for share in counts.shares if _is_large(share)]
    small = [share for share in counts.shares if not _is_large(share)]
    rows = [(f"`{share.name}`", str(share.instances), *_numbers([share])) for share in large]
    if small:
        rows.append((f"{len(small)} smaller ones", "", *_numbers(small)))
    rows.append(("all", "", *_numbers(counts.shares)))
    lines = [f"| {' | '.join(row)} |\n" for row in rows]
    return _SECTION.format(
        name=counts.name, family=FAMILIES[counts.family].title, yosys=counts.yosys,
        rows="".join(lines),
    )


def _is_large(share: ModuleShare) -> bool:
    return share.sites >= _LEAST_SITES or bool(share.rams or share.dsps)


def _numbers(shares: Iterable[ModuleShare]) -> tuple[str, ...]:
    columns = [(share.sites, share.ff, share.rams, share.dsps) for share in shares]
    return tuple(str(sum(column)) for column in zip(*columns, strict=True))


_PAGE = """\
# Where designs' cells are

Written by `cimple resources DESIGN... --modules`. Counted module by module, each without the
modules inside it, all its instances together. Nothing is optimised across the modules' borders, so
sums are some percent above the counts of whole designs.

{sections}"""

_SECTION = """\
## {name}

{family}, Yosys {yosys}.

| module | instances | sites | FF | block RAM | DSP |
|---|---:|---:|---:|---:|---:|
{rows}"""
