# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The handshakes of the AXI4-Lite port are proven, and planted faults break the proof."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from cimple.verif.formal.axi_lite_rules import AxiLiteRules
from cimple.verif.formal.proof import Proof
from cimple.verif.formal.properties import SMALL, Property
from cimple.verif.formal.run import prove
from cimple.verif.formal.tools import Tools
from tests.planted import imports_from, plant

pytestmark = pytest.mark.xdist_group("yosys")

#: The port has no parameters: any configuration stands for it.
NO_CONFIG = SMALL["bitcell"]


def rules(build: Callable[[], Proof]) -> Property:
    return Property(
        "axi_lite", "AXI4-Lite port", "Responses hold, and each access has exactly one.",
        lambda config: build(), lambda config: 3, lambda config: 8, ("bitcell",),
    )


def test_the_port_keeps_the_rules(tools: Tools) -> None:
    verdict = prove(rules(AxiLiteRules), NO_CONFIG, tools, timeout=300)
    assert verdict.proven, (verdict.outcome, verdict.claims, verdict.said[-2000:])


FAULTS = {
    "a response is taken back": (
        "with m.Elif(bus.bready):", "with m.Else():", "b_holds_until_taken"
    ),
    "a read changes one that waits": (
        "access.read.eq(bus.arvalid & ~bus.rvalid)", "access.read.eq(bus.arvalid)",
        "reads_once",
    ),
    "a write is answered without its data": (
        "execute = has_address & has_data & ~bus.bvalid", "execute = has_address & ~bus.bvalid",
        "each_w_has_a_response",
    ),
    "half a word is written": (
        "access.write.eq(execute & whole)", "access.write.eq(execute)", "carried_out_once"
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_is_found(what: str, tools: Tools, tmp_path: Path) -> None:
    find, replace, claim = FAULTS[what]
    fault = {
        "what": what, "file": "hdl/link/axi_lite_port.py", "find": find, "replace": replace
    }
    plant(tmp_path, fault, __file__)
    with imports_from(tmp_path):
        from cimple.verif.formal.axi_lite_rules import AxiLiteRules
        from cimple.verif.formal.properties import SMALL
        from cimple.verif.formal.run import prove

        bounded = dataclasses.replace(
            rules(AxiLiteRules), method="bounded", depth=lambda config: 8
        )
        verdict = prove(bounded, SMALL["bitcell"], tools, cover=False, timeout=300)
    assert verdict.outcome == "failed"
    assert claim in verdict.claims
