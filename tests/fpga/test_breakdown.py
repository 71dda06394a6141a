# SPDX-License-Identifier: Apache-2.0
"""Counts by module."""

import json

import pytest

from cimple.fpga.breakdown import ModuleShare, module_shares
from cimple.fpga.families import FAMILIES
from cimple.fpga.modules_record import (
    ModuleCounts,
    merge_counts,
    modules_page,
    read_counts,
    to_counts_record,
)
from cimple.hdl.errors import CimpleError
from cimple.host import cli

MODULES = {
    "top": {"LUT4": 5, "TRELLIS_FF": 1, "block": 3},
    "block": {"CCU2C": 2, "leaf": 2, "DP16KD": 1, "PFUMX": 4},
    "leaf": {"LUT4": 1, "TRELLIS_FF": 10},
}


def test_every_instance_is_counted_once():
    assert module_shares(MODULES, "top", FAMILIES["ecp5"]) == (
        ModuleShare("block", instances=3, sites=12, ff=0, rams=3, dsps=0),
        ModuleShare("leaf", instances=6, sites=6, ff=60, rams=0, dsps=0),
        ModuleShare("top", instances=1, sites=5, ff=1, rams=0, dsps=0),
    )


@pytest.mark.xdist_group("yosys")
def test_the_command_shows_and_records_the_blocks(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        cli.main(["resources", "tiny_4x1", "--modules", "-o", str(tmp_path)])
    assert not stop.value.code
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in lines if "│" in line}
    numbers = {name: [cell.strip() for cell in row] for name, row in rows.items()}
    blocks = {name: row for name, row in numbers.items() if name.startswith("tiny_4x1")}
    assert {"tiny_4x1", "tiny_4x1_serialiser", "tiny_4x1_writer"} < set(blocks)
    sites = sum(int(row[1]) for row in blocks.values())
    assert numbers["all"][1:3] == [str(sites), str(sum(int(row[2]) for row in blocks.values()))]
    assert numbers["all"][5] == f"{sites / 16:.3f}"
    (found,) = read_counts(tmp_path / "module_counts.json")
    assert {share.name for share in found.shares} == set(blocks)
    assert f"| all |  | {sites} | " in (tmp_path / "module_counts.md").read_text()


def test_the_record_keeps_other_designs(tmp_path):
    shares = module_shares(MODULES, "top", FAMILIES["ecp5"])
    old = [ModuleCounts("a", "ecp5", "1", shares), ModuleCounts("b", "ecp5", "1", shares)]
    new = ModuleCounts("a", "ecp5", "2", shares[1:])
    counts = merge_counts(old, new)
    assert counts == [new, old[1]]
    path = tmp_path / "module_counts.json"
    path.write_text(json.dumps(to_counts_record(counts)))
    assert read_counts(path) == counts


def test_the_page_joins_small_modules_without_memories():
    shares = module_shares(MODULES, "top", FAMILIES["ecp5"])
    page = modules_page([ModuleCounts("a", "ecp5", "0.70", shares)])
    assert "## a\n" in page
    assert page.endswith(
        "| `block` | 3 | 12 | 0 | 3 | 0 |\n| 2 smaller ones |  | 11 | 61 | 0 | 0 |\n"
        "| all |  | 23 | 61 | 3 | 0 |\n"
    )


def test_a_record_of_something_else_is_refused(tmp_path):
    path = tmp_path / "module_counts.json"
    path.write_text('{"results": [{"name": "a"}]}')
    with pytest.raises(CimpleError, match="is no record of counts by module; remove it"):
        read_counts(path)
