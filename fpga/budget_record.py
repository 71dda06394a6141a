# SPDX-License-Identifier: Apache-2.0
"""The record of budgets: `budget.json`, and its page with the frontier of design points."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .budget import RESOURCES, Budget
from .families import FAMILIES, Capacity
from .records import read_results, to_results

__all__ = ["budgets_page", "frontier", "merge_budgets", "read_budgets", "to_budgets_record"]


def merge_budgets(old: Iterable[Budget], new: Budget) -> list[Budget]:
    """Old budgets with a new one in place of that of the same design and family.

    Cycles of networks that the new one does not have are kept if the design is the same.
    """
    rows = {(row.name, row.family): row for row in old}
    before = rows.get((new.name, new.family))
    if before is not None and before.input_sha256 == new.input_sha256:
        new = Budget(**{**vars(new), "cycles": {**before.cycles, **new.cycles}})
    rows[new.name, new.family] = new
    return list(rows.values())


def to_budgets_record(budgets: Iterable[Budget]) -> dict[str, Any]:
    """Budgets as plain data."""
    return to_results(each.to_mapping() for each in budgets)


def read_budgets(path: Path) -> list[Budget]:
    """The recorded budgets.

    Raises:
        CimpleError: the file cannot be read, or is no record.
    """
    return read_results(path, "budgets", lambda rows: [Budget.from_mapping(row) for row in rows])


def frontier(budgets: Iterable[Budget], network: str) -> list[Budget]:
    """The budgets than which no other is as small and as fast, and better in one of the two.

    Small is the share of the part that the resource takes which binds; fast are the network's
    cycles. Those on which it does not run, or that do not fit their part, are not among them.
    """
    points = [
        (each.binding[1], cycles, each)
        for each in budgets
        if each.binding and each.binding[1] <= 1
        and (cycles := each.cycles.get(network)) is not None
    ]
    return [
        each for share, cycles, each in points
        if not any(
            other <= share and time <= cycles and (other, time) != (share, cycles)
            for other, time, _ in points
        )
    ]


def budgets_page(budgets: Sequence[Budget]) -> str:
    """Budgets as a page of Markdown."""
    return _PAGE.format(points=_points(budgets), sections="\n".join(map(_section, budgets)))


def _points(budgets: Sequence[Budget]) -> str:
    """All design points, those on a network's frontier with its cycles in bold."""
    networks = list(dict.fromkeys(name for each in budgets for name in each.cycles))
    best = {
        network: [
            found.name
            for family in {each.family for each in budgets}
            for found in frontier([each for each in budgets if each.family == family], network)
        ]
        for network in networks
    }
    heading = ["NPU", "part", "cell", "rows", "banks", "macros x columns", "lanes", "requantisers",
               *RESOURCES, "binds", *networks]
    rows = [heading, ["---", "---", "---", *["---:"] * (len(heading) - 3)]]
    for each in budgets:
        shape = each.shape
        times = [
            _cycles(each.cycles.get(network), each.name in best[network])
            if network in each.cycles else ""
            for network in networks
        ]
        rows.append([
            each.name, _part(each), shape.cell, f"{shape.rows}", f"{shape.banks}",
            f"{shape.macros} x {shape.columns}", f"{shape.lanes}", f"{shape.requantisers}",
            *(f"{number:,}" for number in each.whole), _binding(each), *times,
        ])
    return _table(rows)


def _cycles(cycles: int | None, best: bool) -> str:
    if cycles is None:
        return "does not fit"
    return f"**{cycles:,}**" if best else f"{cycles:,}"


def _part(budget: Budget) -> str:
    family = FAMILIES[budget.family]
    return family.device.title.partition(",")[0] if family.device else family.title


def _binding(budget: Budget) -> str:
    if budget.binding is None:
        return ""
    name, share = budget.binding
    return f"{name}, {share:.0%}"


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

Written by `cimple budget NPU... --networks NETWORK...`. Sites are LUT4 positions. Counts are those
after synthesis; place and route adds some percent of sites.

## Design points

Cycles are those of one image, by the cycle model, which is exact. **Bold**: no other design on the
part takes as small a share of it, of what binds, with as few cycles, and less of one of the two.

{points}

{sections}"""

_SECTION = """\
## {name}

{family}, Yosys {yosys}. Blocks are counted by themselves; *across blocks* is what is saved where
their borders do not count, as in the design that is placed.

{said}{rows}
"""
