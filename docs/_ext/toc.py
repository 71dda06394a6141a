# SPDX-License-Identifier: Apache-2.0
"""Contents of a folder whose pages are written by commands or by others."""

from pathlib import Path

__all__ = ["contents"]


def contents(docs: Path, folder: str) -> str:
    """A table of contents of the folder's pages; a sentence where there is none."""
    pages = sorted(path.stem for path in (docs / folder).glob("*.md"))
    if not pages:
        return "There is none in this tree.\n"
    lines = "\n".join(f"/{folder}/{page}" for page in pages)
    return f"```{{toctree}}\n:maxdepth: 1\n\n{lines}\n```\n"
