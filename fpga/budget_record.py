# SPDX-License-Identifier: Apache-2.0
"""The record of budgets: `budget.json`, and its page with what is left of the part."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .budget import Budget
from .capacity import RESOURCES, Capacity
from .families import FAMILIES
from .records import read_results, to_results

__all__ = ["budgets_page", "merge_budgets", "read_budgets", "to_budgets_record"]


def merge_budgets(old: Iterable[Budget], new: Budget) -> list[Budget]:
    """Old budgets with a new one in place of that of the same design and family."""
    rows = {(row.name, row.family): row for row in old}
    return list({**rows, (new.name, new.family): new}.values())


def to_budgets_record(budgets: Iterable[Budget]) -> dict[str, Any]:
    """Budgets as plain data."""
    return to_results(each.to_mapping() for each in budgets)


def read_budgets(path: Path) -> list[Budget]:
    """The recorded budgets.

    Raises:
        CimpleError: the file cannot be read, or is no record.
    """
    return read_results(path, "budgets", lambda rows: [Budget.from_mapping(row) for row in rows])


def budgets_page(budgets: Sequence[Budget]) -> str:
    """Budgets as a page of Markdown."""
    return _PAGE.format(sections="\n".join(map(_section, budgets)))


def _part(budget: Budget) -> str:
    family = FAMILIES[budget.family]
    return family.device.title.partition(",")[0] if family.device else family.title


def _section(budget: Budget) -> str:
    part = budget.part
    rows = [["block", *RESOURCES], ["---", *["---:"] * len(RESOURCES)]]
    for name, counts in budget.blocks.items():
        rows.append([name, *_shares(counts, part)])
    rows.append(["across blocks", *(f"{number:,}" for number in budget.across)])
    rows.append(["**all**", *_shares(budget.whole, part)])
    said = ""
    if part is not None and budget.binding is not None:
        rest = [there - taken for there, taken in zip(part, budget.whole, strict=True)]
        rows.append([_part(budget), *(f"{number:,}" for number in part)])
        rows.append(["left", *(f"{number:,}" for number in rest)])
        name, share = budget.binding
        said = f"What binds is {name}: {share:.1%} of the part is taken.\n\n"
        if share > 1:
            said = f"It does not fit: of {name} {share:.1%} of what the part has is needed.\n\n"
    family = FAMILIES[budget.family]
    return _SECTION.format(
        name=budget.name, family=family.title, yosys=budget.yosys, said=said, rows=_table(rows)
    )


def _shares(counts: Capacity, part: Capacity | None) -> list[str]:
    """Numbers, with their share of the part."""
    if part is None:
        return [f"{number:,}" for number in counts]
    return [
        f"{number:,} ({number / there:.1%})" if number else "0"
        for number, there in zip(counts, part, strict=True)
    ]


def _table(rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


_PAGE = """\
# What NPUs take of a part

Written by `cimple budget NPU...`. Sites are LUT4 positions. Counts are those after synthesis;
place and route adds some percent of sites.

{sections}"""

_SECTION = """\
## {name}

{family}, Yosys {yosys}. Blocks are counted by themselves; *across blocks* is what is saved where
their borders do not count, as in the design that is placed.

{said}{rows}
"""
