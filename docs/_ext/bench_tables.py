# SPDX-License-Identifier: Apache-2.0
"""The cases of the benches, read from their source, as importing them takes a simulator."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from md_pieces import code, escape, table

from cimple.verif.bench.verify import BENCHES, EXTERNAL_BENCHES, WRAPPER_BENCHES

__all__ = ["bench_cases", "cases_of"]


def bench_cases() -> str:
    """Name and purpose of every case, by kind of configuration."""
    titles = {
        **{f"configurations of the kind `{kind}`": module for kind, module in BENCHES.items()},
        **{f"the wrapper `{each.value}`": module for each, module in WRAPPER_BENCHES.items()},
        "an NPU with an external port, besides": EXTERNAL_BENCHES["npu_bench"],
        "the same behind `axi-lite`, besides": EXTERNAL_BENCHES["axi_lite_bench"],
    }
    return "\n".join(
        f"Cases for {title}:\n\n"
        + table(["Case", "What it shows"],
                ((code(name), escape(text)) for name, text in cases_of(module)))
        for title, module in titles.items()
    )


def cases_of(module: str) -> Iterator[tuple[str, str]]:
    """The functions of a bench module that are decorated as cases, with their docstrings.

    Those that it imports from modules beside it come first, as in a run.
    """
    spec = find_spec(f"cimple.verif.bench.{module}")
    assert spec is not None
    assert spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AsyncFunctionDef) and any(map(_is_case, node.decorator_list)):
            yield node.name, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            imported = {alias.name for alias in node.names}
            yield from ((n, text) for n, text in cases_of(node.module) if n in imported)


def _is_case(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "bench_case"
