# SPDX-License-Identifier: Apache-2.0
"""The `#:` comments above the members of a class, which Python itself does not keep."""

import ast
import inspect
import textwrap
from enum import Enum

__all__ = ["member_docs"]


def member_docs(cls: type) -> dict[str, str]:
    """Text by name for every member of a class body, in order; empty where there is no comment."""
    source = textwrap.dedent(inspect.getsource(cls))
    lines = source.splitlines()
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    for statement in body.body:
        name = _name(statement)
        if name is not None:
            docs[name] = _comment_above(lines, statement.lineno - 1)
    if issubclass(cls, Enum):
        assert list(docs) == [member.name for member in cls], cls
    return docs


def _name(statement: ast.stmt) -> str | None:
    """The name that a statement of a class body assigns or annotates."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    return None


def _comment_above(lines: list[str], index: int) -> str:
    text: list[str] = []
    while index and lines[index - 1].strip().startswith("#:"):
        index -= 1
        text.insert(0, lines[index].strip().removeprefix("#:").strip())
    return " ".join(text)
