# SPDX-License-Identifier: Apache-2.0
"""What a design consists of, counted in its RTLIL: modules, instances, registers, memories."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

__all__ = ["inventory"]

_LINE = re.compile(
    r"(?:module \\(?P<module>\S+)"
    r"|  memory width (?P<width>\d+) size (?P<size>\d+) \\(?P<memory>\S+)"
    r"|  cell \\(?P<instance>\S+) \S+"
    r"|  cell \$(?P<cell>a?dff) \S+"
    r"|    parameter \\WIDTH (?P<bits>\d+))\n"
)


@dataclass
class _Module:
    register_bits: int = 0
    memories: list[dict[str, Any]] = field(default_factory=list)
    children: Counter[str] = field(default_factory=Counter)


def inventory(rtlil: str, top: str) -> dict[str, Any]:
    """The modules below `top` with how often each occurs, and totals over all occurrences.

    ``register_bits`` counts flip-flops, ``memory_bits`` what memories hold; synthesis may find some
    of them superfluous.
    """
    modules = _parse(rtlil)
    counts = _occurrences(modules, top)
    rows = [
        {
            "name": name,
            "instances": counts[name],
            "register_bits": module.register_bits,
            "memories": module.memories,
        }
        for name, module in modules.items()
    ]
    return {
        "register_bits": sum(row["instances"] * row["register_bits"] for row in rows),
        "memory_bits": sum(
            row["instances"] * memory["width"] * memory["depth"]
            for row in rows
            for memory in row["memories"]
        ),
        "modules": sorted(rows, key=lambda row: row["name"]),
    }


def _parse(rtlil: str) -> dict[str, _Module]:
    modules: dict[str, _Module] = {}
    module = _Module()
    is_register = False
    for line in rtlil.splitlines(keepends=True):
        found = _LINE.fullmatch(line)
        if not found:
            continue
        if name := found["module"]:
            module = modules[name] = _Module()
        elif name := found["memory"]:
            module.memories.append(
                {"name": name, "width": int(found["width"]), "depth": int(found["size"])}
            )
        elif found["bits"]:
            module.register_bits += int(found["bits"]) if is_register else 0
        elif found["instance"]:
            module.children[found["instance"]] += 1
        is_register = bool(found["cell"])
    return modules


def _occurrences(modules: dict[str, _Module], top: str) -> Counter[str]:
    """How many instances of each module the hierarchy below `top` has."""
    counts: Counter[str] = Counter()

    def visit(name: str, times: int) -> None:
        counts[name] += times
        for child, instances in modules[name].children.items():
            if child in modules:
                visit(child, times * instances)

    visit(top, 1)
    return counts
