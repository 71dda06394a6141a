# SPDX-License-Identifier: Apache-2.0
"""`cimple mutate`: how many small faults in a design its bench finds, and the record of it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ...hdl.load import load_config
from ..mutation import MutationResult, Trial, run_mutation
from ..mutation_page import REQUIRED_SCORE, mutation_page, read_reasons, score, total
from ..records import read_results, write_results

__all__ = ["mutate"]


def mutate(
    configs: Annotated[
        list[str], typer.Argument(help="YAML files, or names of presets (`cimple presets`).")
    ],
    *,
    count: Annotated[
        int, typer.Option(min=1, max=100_000, help="Mutants of each, about; equal for each block.")
    ] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of mutations and stimuli.")] = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Run the benches on mutants of designs, and record how many they tell from the design.

    Writes mutation.json and mutation.md; results of other designs stay in them. The reasons for
    survivors are read from mutation_survivors.yaml beside them. Exit code 1: a design's score is
    below 95 %.
    """
    loaded = [load_config(name) for name in configs]
    stem = output / "mutation"
    results = read_results(output / "mutation.json")
    reasons = read_reasons(output / "mutation_survivors.yaml")
    console = Console(highlight=False, soft_wrap=True)
    enough = True
    for config in loaded:
        with _Display(console) as display:
            found = run_mutation(config, count, seed, display.show)
        results[found.design] = found.to_record()
        write_results(stem, results, mutation_page(results, reasons))
        enough &= _summary(console, found) >= REQUIRED_SCORE
    console.print(f"written: {escape(str(stem))}.json, {escape(str(stem))}.md")
    if not enough:
        raise typer.Exit(1)


class _Display(Progress):
    """How many mutants are done, and a line for each that survived."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        super().__init__(*columns, console=console, transient=True)
        self._task = self.add_task("draw mutants and run the control", total=None)

    def show(self, done: int, total: int, trial: Trial | None) -> None:
        """Take note of a trial."""
        self.update(self._task, completed=done, total=total)
        if trial is None:
            return
        self.update(self._task, description=trial.mutation.block)
        if done % 10 == 0 and not self.console.is_terminal:
            self.console.print(f"{done} of {total} mutants")
        if trial.outcome != "killed":
            self.console.print(f"{trial.outcome}: {escape(trial.mutation.label)}")


def _summary(console: Console, found: MutationResult) -> float:
    counts = total(found.to_record()["blocks"].values())
    reached = score(counts)
    console.print(
        f"{found.design}: {sum(counts.values())} mutants, {counts['killed']} killed, "
        f"{counts['equivalent']} equivalent, {counts['survived']} survived: {reached:.1%}"
    )
    return reached
