# SPDX-License-Identifier: Apache-2.0
"""The record of costs and clock frequencies."""

import json
from dataclasses import replace

import pytest

from cimple.fpga.cost import Cost, cost_table, merge_costs, read_costs, to_cost_record
from cimple.fpga.families import FAMILIES
from cimple.fpga.nextpnr import CriticalPath, Nextpnr
from cimple.fpga.place import Placement
from cimple.fpga.resources import Resources
from cimple.fpga.yosys import Yosys
from cimple.hdl.errors import CimpleError
from cimple.host import cli

DEVICE = FAMILIES["ecp5"].device
assert DEVICE
PLACED = Placement(
    DEVICE.flow(), "0.11", (150.0, 170.0, 160.0), {"TRELLIS_COMB": 233},
    CriticalPath("dut.a", "dut.b", 2.0, 4.5),
)  # fmt: skip


def resources(family: str) -> Resources:
    cells = {column.name: 100 + n for n, column in enumerate(FAMILIES[family].counts)}
    return Resources(cells, "0.70", 64, family, "1234")


ECP5 = Cost("a", resources("ecp5"), PLACED)
GOWIN = Cost("a", resources("gowin"))


def test_the_median_is_what_counts():
    assert PLACED.median == 160
    assert PLACED.to_mapping()["fmax_mhz_by_seed"] == {"1": 150, "2": 170, "3": 160}


def test_a_record_is_read_back(tmp_path):
    path = tmp_path / "macro_cost.json"
    path.write_text(json.dumps(to_cost_record([ECP5, GOWIN])))
    assert read_costs(path) == [ECP5, GOWIN]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": [{"name": "a"}]}'])
def test_what_is_no_record_is_refused(text, tmp_path):
    path = tmp_path / "macro_cost.json"
    path.write_text(text)
    with pytest.raises(CimpleError, match="is no record of costs; remove it and measure anew"):
        read_costs(path)


def test_rows_are_renewed_by_design_and_family():
    other = replace(ECP5.resources, input_sha256="5678")
    counted = replace(ECP5, resources=other, placement=None)
    assert merge_costs([GOWIN], [ECP5]) == [ECP5, GOWIN]
    assert merge_costs([ECP5, GOWIN], [counted]) == [counted, GOWIN]


def test_a_frequency_is_kept_as_long_as_it_holds():
    counted = replace(ECP5, placement=None)
    assert merge_costs([ECP5], [counted]) == [ECP5]
    elsewhere = replace(ECP5, placement=replace(PLACED, device="LFE5U-85F, placed otherwise"))
    assert merge_costs([elsewhere], [counted]) == [counted]
    slower = replace(PLACED, fmax=(100.0,))
    assert merge_costs([ECP5], [replace(ECP5, placement=slower)])[0].placement == slower


def test_the_page_holds_every_row():
    rows = [line for line in cost_table([ECP5, GOWIN]).splitlines() if line.startswith("| a ")]
    sites = 100 + 2 * 101 + 6 * 102
    speed = "160.0 | 150.0, 170.0, 160.0 | 233"
    assert rows == [
        f"| a | ecp5 | {sites} | 103 | 104 | 105 | 14.281 | {speed} | Yosys 0.70, nextpnr 0.11 |",
        "| a | gowin | 813 | 103 | 104 | 105 | 12.703 |  |  |  | Yosys 0.70 |",
    ]
    assert (sites / 64, 813 / 64) == (14.28125, 12.703125)


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["resources", *words])
    return int(stop.value.code or 0)


@pytest.fixture
def seeds(monkeypatch) -> list[int]:
    """Measuring without tools; the seeds of each placement."""
    taken: list[int] = []

    def place(design, family, yosys, nextpnr, seeds, say):
        say("a long step")
        taken.append(seeds)
        return PLACED

    place_in = "cimple.host.commands.resources_cost."
    monkeypatch.setattr(f"{place_in}find_yosys", lambda: Yosys("yosys", "0.70"))
    monkeypatch.setattr(f"{place_in}find_nextpnr", lambda tool: Nextpnr(tool, "0.11"))
    monkeypatch.setattr(f"{place_in}place", place)
    monkeypatch.setattr(
        f"{place_in}count_cells", lambda config, design, family, yosys: resources(family.name)
    )
    return taken


def test_the_command_places(seeds, tmp_path, capsys):
    assert command("tiny_4x1", "edge_16x4", "--place", "--seeds", "5", "-o", str(tmp_path)) == 0
    assert seeds == [5, 5]
    said = capsys.readouterr().err.splitlines()
    assert said[:3] == [
        "tiny_4x1 in ecp5: synthesis",
        "tiny_4x1 in ecp5: a long step",
        "tiny_4x1 in ecp5: 914 sites, 103 FF, 14.281 for each binary operation; 160.0 MHz",
    ]
    assert command("tiny_4x1", "--family", "gowin", "-o", str(tmp_path)) == 0
    assert seeds == [5, 5]
    record = read_costs(tmp_path / "macro_cost.json")
    assert [(cost.name, cost.resources.family, bool(cost.placement)) for cost in record] == [
        ("tiny_4x1", "ecp5", True),
        ("edge_16x4", "ecp5", True),
        ("tiny_4x1", "gowin", False),
    ]
    assert "| 160.0 |" in (tmp_path / "macro_cost.md").read_text()


def test_the_command_takes_files(seeds, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("macro:\n  name: mine\n  rows: 4\n  columns: 1\n")
    assert command(str(mine), "-o", str(tmp_path / "out")) == 0
    (cost,) = read_costs(tmp_path / "out" / "macro_cost.json")
    assert (cost.name, cost.placement, seeds) == ("mine", None, [])


def test_an_interruption_loses_one_design_at_most(seeds, tmp_path, monkeypatch):
    def fail(design, *rest):
        if design.name == "edge_16x4":
            raise CimpleError("it does not fit")
        return PLACED

    monkeypatch.setattr("cimple.host.commands.resources_cost.place", fail)
    assert command("tiny_4x1", "edge_16x4", "--place", "-o", str(tmp_path)) == 2
    (cost,) = read_costs(tmp_path / "macro_cost.json")
    assert cost.name == "tiny_4x1"


def test_designs_of_one_name_are_not_mixed_up(seeds, tmp_path, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_text("macro:\n  name: tiny_4x1\n  rows: 8\n  columns: 1\n")
    assert command("tiny_4x1", str(mine), "--place", "-o", str(tmp_path / "out")) == 2
    assert "several of the designs are called tiny_4x1" in capsys.readouterr().err
    assert seeds == []
