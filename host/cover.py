# SPDX-License-Identifier: Apache-2.0
"""The macro's bench over the space of configurations, and the record of it."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from ..hdl.macro.config import MacroConfig
from ..verif.bench.macro_axes import AXES, legal_labels, legal_pairs
from ..verif.bench.macro_coverage import wanted_events
from ..verif.bench.macro_space import labels_of, pairs_of
from ..verif.bench.verify import VerifyResult

__all__ = ["CoverResult", "cover_page", "result_of"]


@dataclass(frozen=True)
class CoverResult:
    """The bench on one configuration; there is none where a case failed."""

    parameters: dict[str, Any]
    """The fields that are not as by default."""
    stimuli: int
    """Kinds of stimuli that had to occur, and did: the last case of the bench checks it."""
    seed: int
    runs: dict[str, dict[str, Any]]
    """By simulator: its version, how many cases passed, and their time in seconds."""


def result_of(config: MacroConfig, verdict: VerifyResult, seed: int) -> dict[str, Any]:
    """What a record keeps of a verdict without failures."""
    runs = {
        each.simulator.name: {
            "version": each.simulator.version,
            "cases": len(each.run.cases),
            "seconds": round(sum(case.seconds for case in each.run.cases), 1),
        }
        for each in verdict.runs
    }
    return asdict(
        CoverResult(
            parameters=_parameters(config),
            stimuli=len(list(wanted_events(config))),
            seed=seed,
            runs=runs,
        )
    )


def cover_page(results: dict[str, Any]) -> str:
    """The record as a page of Markdown; `results` as they are in the record."""
    configs = [
        MacroConfig.from_mapping(found["parameters"], source=name)
        for name, found in results.items()
    ]
    labels = set().union(*map(labels_of, configs))
    pairs = set().union(*map(pairs_of, configs))
    values: Counter[str] = Counter(axis for axis, _ in labels)
    missing = sorted(legal_pairs() - pairs)
    return _PAGE.format(
        configurations=len(configs),
        cases=sum(run["cases"] for found in results.values() for run in found["runs"].values()),
        stimuli=sum(found["stimuli"] for found in results.values()),
        labels=len(labels),
        legal_labels=len(legal_labels()),
        pairs=len(pairs),
        legal_pairs=len(legal_pairs()),
        missing="".join(f"\nNot run: {_pair(pair)}.\n" for pair in missing[:20]),
        axes="\n".join(
            f"| `{axis}` | {values[axis]} of {sum(name == axis for name, _ in legal_labels())} | "
            f"{', '.join(sorted((v for a, v in labels if a == axis), key=_natural))} |"
            for axis in AXES
        ),
        simulators="\n".join(_simulators(results)),
        rows="\n".join(_row(found) for found in results.values()),
    )


def _simulators(results: dict[str, Any]) -> list[str]:
    rows = []
    for name in sorted({name for found in results.values() for name in found["runs"]}):
        runs = [found["runs"][name] for found in results.values() if name in found["runs"]]
        cells = (
            name, ", ".join(sorted({run["version"] for run in runs})), len(runs),
            sum(run["cases"] for run in runs), f"{sum(run['seconds'] for run in runs):.0f}",
        )
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return rows


def _row(found: dict[str, Any]) -> str:
    fields = dict(found["parameters"])
    shape = f"{fields.pop('rows')} x {fields.pop('columns')}"
    if "weights" in fields:
        fields["weights"] = "given"
    rest = ", ".join(f"{name} {value}" for name, value in fields.items())
    seconds = ", ".join(f"{run['seconds']:.1f}" for _, run in sorted(found["runs"].items()))
    return f"| {shape} | {rest} | {found['stimuli']} | {seconds} |"


def _parameters(config: MacroConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude_defaults=True)


def _pair(pair: Any) -> str:
    return " with ".join(f"{axis}: {value}" for axis, value in pair)


def _natural(text: str) -> tuple[int, str]:
    first = text.split()[0]
    return (int(first) if first.isdigit() else 0, text)


_PAGE = """\
# Configurations under the bench

Every case of the macro's bench on each of {configurations} small configurations. Together they are
to have every legal value of every field and every legal pair of values. Written by `cimple cover`;
a configuration is there only if all its cases passed.

{cases} cases passed. The last case of each simulation checks that its stimuli had all the kinds
that its configuration allows: {stimuli} kinds over all configurations.

| | run | legal |
|---|---:|---:|
| values of fields | {labels} | {legal_labels} |
| pairs of values | {pairs} | {legal_pairs} |
{missing}
Rows and columns count by how they fill row groups and blocks of columns; `accumulations` by
classes, in pairs `input_bits` and `pipeline` too. Of every other field each value counts.

| field | values run | which |
|---|---:|---|
{axes}

| simulator | version | configurations | cases | seconds |
|---|---|---:|---:|---:|
{simulators}

| rows x columns | fields that are not as by default | kinds of stimuli | seconds by simulator |
|---|---|---:|---:|
{rows}
"""
