# SPDX-License-Identifier: Apache-2.0
"""Counts by module."""

import pytest

from cimple.fpga.breakdown import ModuleShare, module_shares
from cimple.fpga.families import FAMILIES
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
def test_the_command_shows_the_blocks(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["resources", "tiny_4x1", "--modules"])
    assert not stop.value.code
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in lines if "│" in line}
    numbers = {name: [cell.strip() for cell in row] for name, row in rows.items()}
    blocks = {name: row for name, row in numbers.items() if name.startswith("tiny_4x1")}
    assert {"tiny_4x1", "tiny_4x1_serialiser", "tiny_4x1_writer"} < set(blocks)
    sites = sum(int(row[1]) for row in blocks.values())
    assert numbers["all"][1:3] == [str(sites), str(sum(int(row[2]) for row in blocks.values()))]
    assert numbers["all"][5] == f"{sites / 16:.3f}"
