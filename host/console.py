# SPDX-License-Identifier: Apache-2.0
"""Where the commands print: results to the output, progress to the error stream."""

import sys

from rich.console import Console

__all__ = ["error_console", "result_console"]

#: A program that reads a table wants whole names, however narrow a terminal would be.
_PIPED_WIDTH = 120


def result_console() -> Console:
    """For what was asked for. Numbers are not coloured."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)


def error_console() -> Console:
    """For progress."""
    return Console(stderr=True)
