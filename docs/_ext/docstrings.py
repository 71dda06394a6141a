# SPDX-License-Identifier: Apache-2.0
"""Sphinx extension: reads docstrings as this project writes them.

- Napoleon takes `Width of a sum: signed` above a property for a type and a description; here it is
  a sentence.
- Code in a module's docstring is indented, without the marks of reStructuredText.
- The fields of a configuration are in tables of their own, so its signature need not repeat them.
"""

import inspect
from enum import Enum
from typing import Any

from amaranth.lib import wiring
from pydantic import BaseModel

__all__ = ["constructor", "literal_blocks", "setup"]

_SENTENCES = ("property", "attribute", "data")

#: Before and after Napoleon, whose priority is 500.
_BEFORE, _AFTER = 400, 600


def literal_blocks(lines: list[str]) -> list[str]:
    """The lines with a mark before each indented block that stands by itself."""
    marked: list[str] = []
    for index, line in enumerate(lines):
        text = [before for before in lines[:index] if before.strip()]
        opens = line.startswith("    ") and index and not lines[index - 1].strip()
        if opens and text and not text[-1].startswith((" ", "- ")) and not text[-1].endswith("::"):
            marked += ["::", ""]
        marked.append(line)
    return marked


def constructor(cls: type) -> str | None:
    """Arguments of a class, where what Python says of them is not what a reader needs."""
    if issubclass(cls, BaseModel):
        return "(**fields)"
    if issubclass(cls, Enum):
        return ""
    if issubclass(cls, wiring.Component):
        return f"({', '.join(list(inspect.signature(cls.__init__).parameters)[1:])})"
    return None


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    kept: dict[str, list[str]] = {}

    def before(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
        if what == "module":
            lines[:] = literal_blocks(lines)
        kept[name] = list(lines)

    def after(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
        if what in _SENTENCES:
            lines[:] = kept[name]

    def signature(app: Any, what: str, name: str, obj: Any, *rest: Any) -> tuple[str, str] | None:
        text = constructor(obj) if what == "class" else None
        return None if text is None else (text, "")

    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", before, priority=_BEFORE)
    app.connect("autodoc-process-docstring", after, priority=_AFTER)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
