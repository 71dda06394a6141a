# SPDX-License-Identifier: Apache-2.0
"""The manual as tests see it: pages, fenced blocks, and the modules that generate its tables."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["DOCS", "ROOT", "Block", "blocks", "extension", "pages"]

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block of a page."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page that people write: the front page and the manual's."""
    written = [page for page in DOCS.rglob("*.md") if "_generated" not in page.parts]
    return [ROOT / "README.md", *sorted(written)]


def blocks(language: str) -> Iterator[Block]:
    """The blocks of one language in all pages."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            if found[2] == language:
                yield Block(page, text.count("\n", 0, found.start()) + 2, found[3])


def extension(name: str) -> Any:
    """A module of docs/_ext, which `docs/conf.py` puts on the path."""
    if str(DOCS / "_ext") not in sys.path:
        sys.path.insert(0, str(DOCS / "_ext"))
    return importlib.import_module(name)
