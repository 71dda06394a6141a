# SPDX-License-Identifier: Apache-2.0
"""The comparison's claims about Cimple name tests and presets that exist."""

import re

import pytest
from manual import DOCS

from cimple.hdl.load import preset_files

PAGE = (DOCS / "reference" / "comparison.md").read_text(encoding="utf-8")
EVIDENCE = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("path", "test"), EVIDENCE)
def test_the_evidence_exists(path: str, test: str) -> None:
    source = (DOCS.parent / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {test}\(", source, re.MULTILINE)


def test_every_claim_has_evidence() -> None:
    section = PAGE.partition("## What shows our column")[2]
    rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 10
    for row in rows:
        assert "`tests/" in row or "`cimple " in row or row.startswith("| Not there"), row


def test_presets_of_published_macros_exist() -> None:
    named = set(re.findall(r"`((?:isscc|syndcim)\w+)`", PAGE))
    assert named == {name for name in preset_files() if re.match("isscc|syndcim", name)}


def test_every_fact_about_others_has_a_mark() -> None:
    """A cell of the two tables of features says nothing, or where it comes from."""
    tables = PAGE.partition("## Cost on an FPGA")[0]
    rows = [line.split(" | ")[2:] for line in tables.splitlines() if line.startswith("| ")]
    facts = [cell.removesuffix(" |") for row in rows for cell in row]
    assert len(facts) > 150
    for fact in facts:
        # A heading names a source; a line below it is made of dashes.
        if not re.search(r" \[\d+\]$", fact) and fact not in ("-", "---"):
            assert re.search(r"\((our reading of )?[tnrm]\)|\([^()]*, [tnrm]\)", fact), fact
