# SPDX-License-Identifier: Apache-2.0
"""Small pieces of Markdown."""

from collections.abc import Iterable, Sequence

__all__ = ["code", "escape", "table"]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; cells are Markdown."""
    lines = [_row(headings), _row(["---"] * len(headings)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text that says nothing to Markdown, on one line; `...` and ``...`` stay code."""
    parts = " ".join(text.split()).replace("``", "`").split("`")
    return "`".join(
        part if index % 2 else part.replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;")
        for index, part in enumerate(parts)
    )


def code(text: object) -> str:
    """Text as code, in a cell of a table too."""
    return f"`{text}`" if str(text) else ""


def _row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
