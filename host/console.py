# SPDX-License-Identifier: Apache-2.0
"""Where the commands print: results to the output, progress to the error stream."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["ProgressBar", "progress_bar", "result_console", "working"]

#: A program that reads a table wants whole names, however narrow a terminal would be.
_PIPED_WIDTH = 120


def result_console() -> Console:
    """For what was asked for. Numbers are not coloured."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)


@contextmanager
def working(message: str) -> Iterator[Callable[[str], None]]:
    """Show that something is going on, on a terminal; gives a function that changes the message."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda changed: None
        return
    with console.status(message) as status:
        yield status.update


class ProgressBar:
    """A bar with a message, which is shown on a terminal only."""

    def __init__(self, display: Progress, total: int) -> None:
        self._display = display
        self._task = display.add_task("", total=total)

    def say(self, message: str) -> None:
        """Change the message."""
        self._display.update(self._task, description=message)

    def announce(self, message: str) -> None:
        """Say what takes long; where there is no terminal, as a line."""
        self.say(message)
        if not self._display.console.is_terminal:
            self._display.console.print(message, markup=False, soft_wrap=True)

    def advance(self, steps: int = 1) -> None:
        """So many steps are done."""
        self._display.advance(self._task, steps)


@contextmanager
def progress_bar(total: int) -> Iterator[ProgressBar]:
    """A bar of `total` steps that vanishes at its end."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )
    display = Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    )
    with display:
        yield ProgressBar(display, total)
