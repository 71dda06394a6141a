# SPDX-License-Identifier: Apache-2.0
"""What commands that count cells share: an option, what they show meanwhile, their records."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ...fpga.families import FAMILIES
from ...hdl.errors import CimpleError

__all__ = [
    "FamilyOption", "Measuring", "measuring", "refuse_namesakes", "say_written", "write_record",
]  # fmt: skip

#: The family in which designs are counted.
FamilyOption = Annotated[
    str | None,
    typer.Option(
        help=f"Family to count in: {', '.join(FAMILIES)}. Default: that of the field `target`, "
        "else ecp5.",
        metavar="NAME",
        show_default=False,
    ),
]


class Measuring:
    """The line that says what is being measured, and above it the results so far."""

    def __init__(self, display: Progress, total: int) -> None:
        self._display = display
        self._task = display.add_task(
            "starting (a new WebAssembly wheel first compiles itself, about a minute)", total=total
        )

    def steps_of(self, name: str) -> Callable[[str], None]:
        """A function that says what is being done with a design."""

        def say(step: str) -> None:
            self._display.update(self._task, description=f"{escape(name)}: {step}")
            # Where nothing moves, a step that takes minutes would look like a hang.
            if not self._display.console.is_terminal:
                self._print(f"{name}: {step}")

        return say

    def done(self, line: str) -> None:
        """One design is measured; the line stays."""
        self._display.advance(self._task)
        self._print(line)

    def _print(self, line: str) -> None:
        self._display.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def end(self, message: str) -> None:
        """All are measured."""
        self._display.update(self._task, description=message)


@contextmanager
def measuring(total: int) -> Iterator[Measuring]:
    """Show how far the measurements of `total` designs are."""
    columns = (
        SpinnerColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as display:
        yield Measuring(display, total)


def write_record(directory: Path, stem: str, record: Mapping[str, Any], page: str) -> list[Path]:
    """Write `stem`.json and `stem`.md, each whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {f"{stem}.json": json.dumps(record, indent=2) + "\n", f"{stem}.md": page}
    for name, text in texts.items():
        unfinished = directory / f"{name}.new"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(directory / name)
    return [directory / name for name in texts]


def refuse_namesakes(
    names: Sequence[str], field: str, of_what: str, cure: str = "give each a name of its own"
) -> None:
    """A record holds designs, and networks, by name.

    Raises:
        CimpleError: two of the names are equal.
    """
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise CimpleError(f"{field}: several {of_what} are called {', '.join(twice)}; {cure}")


def say_written(paths: list[Path]) -> None:
    """Name the files that were written."""
    for path in paths:
        typer.echo(f"written: {path}")
