# SPDX-License-Identifier: Apache-2.0
"""One broken design rule."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Finding", "place_of"]


@dataclass(frozen=True)
class Finding:
    """One broken rule, and where."""

    rule: str
    """`narrowing`, `unread` or `undriven`."""
    place: str
    """File name and line in the source that made the statement or signal."""
    text: str
    """What is wrong, and what to write instead."""

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.text}"


def place_of(source: Any) -> str:
    """File name and line of a statement or signal."""
    path, line = source.src_loc
    return f"{Path(path).name}:{line}"
