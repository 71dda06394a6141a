# SPDX-License-Identifier: Apache-2.0
"""Every property is proven, and every planted fault is found by one.

What takes longer is left to `cimple prove`.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cimple.hdl.macro.config import Cell, MacroConfig
from cimple.verif.formal.properties import PROPERTIES, SMALL, Property
from cimple.verif.formal.run import prove
from cimple.verif.formal.tools import Tools

FAULTS = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text())

#: One process at a time starts the WebAssembly programs, which compile themselves the first time.
pytestmark = pytest.mark.xdist_group("yosys")

#: Run with a copy of `hdl` first on the import path: a bounded check, which shows a real run.
CHECK = """
import sys, dataclasses
from pathlib import Path
import cimple.hdl.macro.macro
from cimple.verif.formal.properties import PROPERTIES, SMALL
from cimple.verif.formal.run import prove
from cimple.verif.formal.tools import find_tools
assert Path(cimple.hdl.macro.macro.__file__).is_relative_to(sys.argv[1]), "not the copy"
(found,) = (each for each in PROPERTIES if each.name == sys.argv[2])
bounded = dataclasses.replace(found, method="bounded", depth=lambda config: 12)
verdict = prove(bounded, SMALL[sys.argv[3]], find_tools(), cover=False, timeout=300)
sys.stdout.write(" ".join([verdict.outcome, *verdict.claims]))
"""


@pytest.mark.parametrize(
    ("property_", "size"),
    [(each, size) for each in PROPERTIES for size in each.sizes],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_property_is_proven(property_: Property, size: str, tools: Tools) -> None:
    # That the claims are not empty is shown once for each property; it doubles the time.
    first = size == property_.sizes[0]
    verdict = prove(property_, SMALL[size], tools, cover=first, timeout=300)
    assert verdict.proven, (verdict.outcome, verdict.claims, verdict.said[-2000:])


def test_vectors_of_one_plane(tools: Tools) -> None:
    planes = next(each for each in PROPERTIES if each.name == "planes")
    config = MacroConfig(rows=1, columns=1, weight_bits=4, input_bits=1, cell=Cell.BITCELL)
    assert prove(planes, config, tools, timeout=300).proven


def label(fault: dict[str, Any]) -> str:
    words = re.sub(r"\W+", "-", fault["what"])
    return f"{fault['property']}-{words}"


def plant(tree: Path, root: Path, fault: dict[str, Any]) -> None:
    """Make `tree` an import path with `cimple`, of which `hdl` is a copy with the fault in it."""
    package = tree / "cimple"
    package.mkdir()
    shutil.copytree(root / "hdl", package / "hdl")
    (package / "verif").symlink_to(root / "verif")
    source = package / fault["file"]
    text = source.read_text()
    count = text.count(fault["find"])
    assert count == 1, (
        f"tests/verif/formal/faults.yaml: {fault['what']!r}: {fault['find']!r} is {count} times in "
        f"{fault['file']}, not once; adapt the entry to the source"
    )
    source.write_text(text.replace(fault["find"], fault["replace"]))


@pytest.mark.parametrize("fault", FAULTS, ids=label)
def test_fault_is_found(fault: dict[str, Any], root: Path, tmp_path: Path) -> None:
    plant(tmp_path, root, fault)
    result = subprocess.run(
        [sys.executable, "-P", "-c", CHECK, tmp_path, fault["property"], fault["size"]],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )
    assert result.returncode == 0, result.stderr
    outcome, *claims = result.stdout.split()
    assert outcome == "failed", f"no run breaks {fault['property']} though {fault['what']}"
    assert set(claims) & set(fault["claims"]), claims


@pytest.mark.parametrize("property_", PROPERTIES, ids=lambda each: each.name)
def test_every_property_has_a_fault(property_: Property) -> None:
    assert property_.name in {fault["property"] for fault in FAULTS}
