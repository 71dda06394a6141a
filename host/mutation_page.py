# SPDX-License-Identifier: Apache-2.0
"""The record of mutation runs: scores, reasons for survivors, and the page."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..hdl.errors import CimpleError

__all__ = ["REQUIRED_SCORE", "mutation_page", "read_reasons", "score", "total"]

#: The least part of the mutants that differ from their design which the bench must find.
REQUIRED_SCORE = 0.95

Counts = Mapping[str, int]


def total(counts: Iterable[Counts]) -> Counter[str]:
    """Sums of counts by outcome."""
    summed: Counter[str] = Counter(killed=0, equivalent=0, survived=0)
    for each in counts:
        summed.update(each)
    return summed


def score(counts: Counts) -> float:
    """Killed mutants over those that are not proven equivalent; 1 where there are none."""
    different = counts["killed"] + counts["survived"]
    return counts["killed"] / different if different else 1.0


def read_reasons(path: Path) -> dict[str, dict[str, str]]:
    """Why survivors survive: by design and mutation. Empty where there is no file.

    Raises:
        CimpleError: the file cannot be read, or is no mapping of designs to mappings.
    """
    if not path.exists():
        return {}
    try:
        reasons = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(design): dict(entries or {}) for design, entries in reasons.items()}
    except (OSError, yaml.YAMLError, ValueError, TypeError, AttributeError):
        raise CimpleError(
            f"{path}: must map designs to mappings of mutations to reasons"
        ) from None


def mutation_page(results: Mapping[str, Any], reasons: Mapping[str, Mapping[str, str]]) -> str:
    """The page of a record; a survivor without a reason is said to have none."""
    rows = []
    for design, found in results.items():
        rows += [_row(design, block, counts) for block, counts in found["blocks"].items()]
    everything = total(counts for found in results.values() for counts in found["blocks"].values())
    runs = [
        f"| {design} | {found['seed']} | {found['simulator']} | {found['yosys']} | "
        f"{', '.join(f'{case} {count}' for case, count in found['killed_by'].items())} |"
        for design, found in results.items()
    ]
    survivors = [
        f"| {design} | `{label}` | {reasons.get(design, {}).get(label, 'not explained')} |"
        for design, found in results.items() for label in found["survivors"]
    ]
    return _PAGE.format(
        required=f"{100 * REQUIRED_SCORE:g} %", rows="\n".join(rows), runs="\n".join(runs),
        total=_row("**all**", "", everything), survivors="\n".join(survivors) or "| none | | |",
    )


def _row(design: str, block: str, counts: Counts) -> str:
    cells = (design, block, sum(counts.values()), counts["killed"], counts["equivalent"],
             counts["survived"], f"{100 * score(counts):.1f} %")
    return f"| {' | '.join(str(cell) for cell in cells)} |"


_PAGE = """\
# Mutants under the bench

Small changes to the generated Verilog, made by Yosys's `mutate` and spread equally over the blocks:
one bit of one cell's port is inverted, always or depending on another bit of the port, or tied to a
constant. The macro's bench runs on each mutant under Icarus, with the seed it was drawn with, and
ends with the first case that fails. Mutants that no case tells from the design are compared with it
by Yosys: *equivalent* are those whose outputs are proven to be the same for any inputs. The score
is that of the others; {required} are required of each design. A control, a mutant without a change,
has passed in every run. Written by `cimple mutate`.

| design | block | mutants | killed | equivalent | survived | score |
|---|---|---:|---:|---:|---:|---:|
{rows}
{total}

Which case was the first to fail:

| design | seed | simulator | Yosys | mutants by case |
|---|---:|---|---|---|
{runs}

Every survivor and why the bench cannot, or does not, see it:

| design | mutation | reason |
|---|---|---|
{survivors}
"""
