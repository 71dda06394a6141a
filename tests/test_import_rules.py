# SPDX-License-Identifier: Apache-2.0
"""Who may import whom, checked on the source of every room."""

import ast
import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOMS = ("hdl", "verif", "compiler", "host", "fpga", "ip")

# The shared language: configurations, instruction set, bit packing, numerics constants.
SHARED = (
    "hdl", "hdl.errors", "hdl.config", "hdl.yaml_text", "hdl.packing",
    "hdl.*.config", "hdl.*.latency", "hdl.*.isa", "hdl.*.packets", "hdl.*.packing",
    "hdl.*.numerics", "hdl.*.frames",
)

# Importer -> what it may import, first match wins; a name also stands for all inside it if it
# ends in `.*`. A package may always import what lies inside itself.
RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("hdl.*", ("hdl", "hdl.*")),
    ("verif.golden.*", ("verif", "verif.golden", "verif.golden.*", *SHARED)),
    ("verif.timing.*", ("verif", "verif.timing", "verif.timing.*", *SHARED)),
    # The bench of the serial line joins the Verilog to what a computer runs at its other end.
    ("verif.bench.uart_*", ("hdl", "hdl.*", "verif", "verif.*", "host.devices.*")),
    ("verif.*", ("hdl", "hdl.*", "verif", "verif.*")),
    ("compiler.*", ("compiler", "compiler.*", "verif", "verif.timing", "verif.timing.*", *SHARED)),
    ("host.*", tuple(name for room in ROOMS for name in (room, f"{room}.*"))),
    ("fpga.*", ("fpga", "fpga.*", "hdl", "hdl.*", "host", "host.*")),
    ("ip.*", ("ip", "ip.*")),
)


def read_rooms(root: Path) -> dict[str, str]:
    """Source by module name; a package is named `x.__init__`, so that `.` means itself."""
    files = [file for room in ROOMS for file in sorted((root / room).rglob("*.py"))]
    return {
        ".".join(file.relative_to(root).with_suffix("").parts): file.read_text() for file in files
    }


def faults(sources: Mapping[str, str]) -> list[str]:
    """One line for each import that breaks a rule."""
    return [
        f"{module}:{line}: {problem}"
        for module, source in sources.items()
        for line, problem in _faults_of(module, source, sources)
    ]


def _faults_of(
    module: str, source: str, sources: Mapping[str, str]
) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _absolute(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from _absolute(node.lineno, node.module or "")
            names = [alias.name for alias in node.names]
            if node.module == "__future__" and "annotations" in names:
                yield node.lineno, "annotations as text break Amaranth's components"
        elif isinstance(node, ast.ImportFrom):
            for target in _targets(module, node, sources):
                if not _allowed(module, target):
                    yield node.lineno, f"may not import {target}"


def _absolute(line: int, name: str) -> Iterator[tuple[int, str]]:
    if name.partition(".")[0] in (*ROOMS, "cimple", "tests"):
        yield line, f"imports {name}; inside the rooms imports are relative"


def _targets(module: str, node: ast.ImportFrom, sources: Mapping[str, str]) -> list[str]:
    """What a relative import names, modules and packages told from the names inside them."""
    parent = module.split(".")[: -node.level]
    base = ".".join([*parent, *(node.module.split(".") if node.module else [])])
    names = [f"{base}.{alias.name}".removeprefix(".") for alias in node.names]
    return [n if n in sources or f"{n}.__init__" in sources else base for n in names]


def _allowed(module: str, target: str) -> bool:
    for importer, permitted in RULES:
        if fnmatch.fnmatchcase(module, importer):
            return any(fnmatch.fnmatchcase(target, pattern) for pattern in permitted)
    return False


def test_rooms_keep_the_rules(root: Path) -> None:
    sources = read_rooms(root)
    assert {name.partition(".")[0] for name in sources} == set(ROOMS)
    assert faults(sources) == []


@pytest.mark.parametrize(
    ("module", "source", "problem"),
    [
        ("hdl.macro.macro", "from ...verif.golden import numerics", "may not import verif.golden"),
        ("hdl.config", "from ..host import cli", "may not import host.cli"),
        ("verif.golden.macro", "from ...hdl.macro.macro import Macro",
         "may not import hdl.macro.macro"),
        ("verif.golden.macro", "from ...hdl.macro import macro", "may not import hdl.macro.macro"),
        ("verif.golden.npu", "from ..timing import npu", "may not import verif.timing"),
        ("verif.golden.npu", "def f():\n    from ..bench import runner",
         "may not import verif.bench"),
        ("verif.bench.runner", "from ...host import cli", "may not import host.cli"),
        ("compiler.emit", "from ..verif.golden.npu import Npu", "may not import verif.golden.npu"),
        ("compiler.emit", "from ..verif.golden import npu", "may not import verif.golden.npu"),
        ("compiler.emit", "from .. import host", "may not import host"),
        ("fpga.build", "from ..compiler import emit", "may not import compiler.emit"),
        ("host.run", "from ..tests import helpers", "may not import tests"),
        ("host.run", "import cimple.hdl.config",
         "imports cimple.hdl.config; inside the rooms imports are relative"),
        ("host.run", "import numpy, hdl.config as c",
         "imports hdl.config; inside the rooms imports are relative"),
        ("host.run", "from tests.helpers import x",
         "imports tests.helpers; inside the rooms imports are relative"),
        ("hdl.macro.macro", "from __future__ import annotations",
         "annotations as text break Amaranth's components"),
    ],
)
def test_a_planted_fault_is_found(module: str, source: str, problem: str) -> None:
    modules = ("hdl.macro.macro", "hdl.macro.__init__", "host.cli", "host.__init__")
    tree = dict.fromkeys((*modules, "verif.golden.npu", "compiler.emit"), "")
    line = source.count("\n") + 1
    assert faults(tree | {module: source}) == [f"{module}:{line}: {problem}"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hdl.macro.macro", "from .config import MacroConfig\nfrom ..config import Config"),
        ("hdl.macro.__init__", "from .config import MacroConfig"),
        ("verif.golden.macro", "from ...hdl.macro.config import MacroConfig\nimport numpy"),
        ("verif.golden.npu", "from ...hdl.npu import isa\nfrom . import macro"),
        ("verif.bench.macro", "from ...hdl.macro.macro import Macro\nfrom ..golden import macro"),
        ("compiler.schedule", "from ..verif.timing.npu import cycles\nfrom ..hdl.npu import isa"),
        ("host.cli", "from ..compiler import emit\nfrom ..verif.golden import npu"),
        ("fpga.build", "from ..hdl.npu.npu import Npu\nfrom ..host import serial_port"),
    ],
)
def test_what_the_rules_allow(module: str, source: str) -> None:
    tree = dict.fromkeys(("hdl.npu.isa", "verif.golden.macro", "verif.golden.npu"), "")
    assert faults(tree | {module: source}) == []
