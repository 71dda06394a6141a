# SPDX-License-Identifier: Apache-2.0
"""Every property is proven, and every planted fault is found by one.

What takes longer is left to `cimple prove`.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cimple.hdl.macro.config import Cell, MacroConfig
from cimple.verif.formal.properties import PROPERTIES, SMALL, Property
from cimple.verif.formal.run import prove
from cimple.verif.formal.tools import Tools
from tests.planted import imports_from, plant

FAULTS = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text())

#: One process at a time starts the WebAssembly programs, which compile themselves the first time.
pytestmark = pytest.mark.xdist_group("yosys")

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


def check_with(fault: dict[str, Any], tools: Tools, tree: Path) -> tuple[str, tuple[str, ...]]:
    """Outcome and broken claims of a bounded check, which shows a real run."""
    plant(tree, fault, "tests/verif/formal/faults.yaml")
    with imports_from(tree):
        from cimple.verif.formal.properties import PROPERTIES, SMALL
        from cimple.verif.formal.run import prove

        (found,) = (each for each in PROPERTIES if each.name == fault["property"])
        bounded = dataclasses.replace(found, method="bounded", depth=lambda config: 12)
        verdict = prove(bounded, SMALL[fault["size"]], tools, cover=False, timeout=300)
        return verdict.outcome, verdict.claims


@pytest.mark.parametrize("fault", FAULTS, ids=label)
def test_fault_is_found(fault: dict[str, Any], tools: Tools, tmp_path: Path) -> None:
    outcome, claims = check_with(fault, tools, tmp_path)
    assert outcome == "failed", f"no run breaks {fault['property']} though {fault['what']}"
    assert set(claims) & set(fault["claims"]), claims


@pytest.mark.parametrize("property_", PROPERTIES, ids=lambda each: each.name)
def test_every_property_has_a_fault(property_: Property) -> None:
    assert property_.name in {fault["property"] for fault in FAULTS}
