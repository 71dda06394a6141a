# SPDX-License-Identifier: Apache-2.0
"""Design points: the frontier, the command and its record, and points that are really placed."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cimple.compiler.compile import compile_network
from cimple.fpga.capacity import Capacity
from cimple.fpga.explore import DesignPoint, measure_point
from cimple.fpga.explore_record import (
    frontier,
    merge_points,
    points_page,
    read_points,
    to_points_record,
)
from cimple.fpga.families import FAMILIES
from cimple.fpga.nextpnr import Nextpnr, find_nextpnr
from cimple.fpga.nextpnr_log import Estimate
from cimple.fpga.yosys import Yosys, find_yosys
from cimple.hdl.errors import CimpleError
from cimple.hdl.generate import generate
from cimple.hdl.load import load_config
from cimple.hdl.npu.config import NpuConfig
from cimple.host import cli

ECP5 = FAMILIES["ecp5"]


def made(sites: int, net: int | None, **changes: Any) -> DesignPoint:
    """A point on the ECP5, and its cycles of a network."""
    found = DesignPoint(
        "n", {"lanes": sites}, "ecp5", "Yosys 0.70", "12", Capacity(sites, 100, 10, 1),
        Estimate(5000, 61.25), {"net": net},
    )
    return replace(found, **changes)


def test_what_binds_is_the_largest_share() -> None:
    assert made(41_820, 1).binding == ("sites", 0.5)
    assert made(1, 1, taken=Capacity(1, 1, 208, 157)).binding == ("DSP", 157 / 156)


def test_a_point_is_called_by_its_changes() -> None:
    assert made(1, 1, changes={"macros": 4, "macro.cell": "rom"}).name == "macros 4, macro.cell rom"
    assert made(1, 1, changes={}).name == "as it is"


def test_the_frontier() -> None:
    """By the share of what binds, and cycles; of two that are alike both."""
    small, fast, worse = made(9000, 50), made(20_000, 20), made(21_000, 20)
    twin, lost, huge = made(9000, 50), made(5000, None), made(90_000, 1, estimate=None)
    points = [small, fast, worse, twin, lost, huge]
    assert frontier(points, "net") == [small, fast, twin]
    assert frontier(points, "other") == []


def test_the_page() -> None:
    huge = made(90_000, 1, estimate=None)
    page = points_page([made(41_820, 1500), made(50_000, 1600), made(52_000, None), huge])
    assert "## n\n\nLFE5U-85F, speed grade 6; Yosys 0.70.\n" in page
    assert (
        "| lanes 41820 | 41,820 (50%) | 100 (0%) | 10 (5%) | 1 (1%) | sites, 50% | 5,000 | 61.2 | "
        "**1,500** |\n"
    ) in page
    assert "| sites, 60% | 5,000 | 61.2 | 1,600 |\n" in page
    assert "| sites, 62% | 5,000 | 61.2 | does not fit |\n" in page
    assert "| sites, 108% | does not fit |  | 1 |\n" in page


def test_each_npu_has_a_table_of_its_own() -> None:
    another = made(10, None, npu="m", cycles={"other": 6})
    page = points_page([made(10, 5), another])
    assert "**5** |\n" in page
    assert page.count("\n## ") == 2
    assert page.index("| net |") < page.index("## m") < page.index("| other |")


def test_the_record(tmp_path: Path) -> None:
    path = tmp_path / "explore.json"
    points = [made(1, 5), made(2, None, estimate=None)]
    path.write_text(json.dumps(to_points_record(points)))
    assert read_points(path) == points
    path.write_text('{"results": [{"npu": "a"}]}')
    with pytest.raises(CimpleError, match="is no record of design points; remove it"):
        read_points(path)


def test_a_new_point_takes_the_place_of_the_old_one() -> None:
    old, other = made(1, 5), made(2, 6)
    new = replace(old, input_sha256="34")
    assert merge_points([old, other], new) == [new, other]
    assert merge_points([old], replace(old, npu="m")) == [old, replace(old, npu="m")]


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["explore", *map(str, words)])
    return int(stop.value.code or 0)


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Placing without generating and without tools; the columns that have been placed."""
    columns: list[int] = []

    def design_of(config: NpuConfig) -> SimpleNamespace:
        verilog = f"module {config.to_mapping()}"
        return SimpleNamespace(
            name=config.name, verilog=verilog, manifest={"kind": "npu"}, config=config
        )

    def measure(design: SimpleNamespace, *rest: object) -> tuple[Capacity, Estimate | None]:
        wide = design.config.macro.columns
        columns.append(wide)
        return Capacity(1000 * wide, 9, 9, 9), Estimate(50 * wide, 70.5) if wide < 64 else None

    place = "cimple.host.commands.explore."
    monkeypatch.setattr(f"{place}generate", design_of)
    monkeypatch.setattr(f"{place}measure_point", measure)
    monkeypatch.setattr(f"{place}find_yosys", lambda: Yosys("yosys", "0.70"))
    monkeypatch.setattr(f"{place}find_nextpnr", lambda tool: Nextpnr(tool, "0.11"))
    return columns


def test_the_command(
    placed: list[int], root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = root / "examples" / "digits" / "digits.onnx"
    vary = ("--vary", "macro.columns=32", "--vary", "macro.columns=64 macro.broadcast_registers=1")
    assert command("npu_digits", *vary, "-n", network, "-o", tmp_path) == 0
    config = load_config("npu_digits")
    assert isinstance(config, NpuConfig)
    first, wider, widest = read_points(tmp_path / "explore.json")
    assert placed == [config.macro.columns, 32, 64]
    assert first.changes == {}
    assert first.cycles == {"digits.onnx": compile_network(network, config).report.cycles}
    assert widest.changes == {"macro.columns": 64, "macro.broadcast_registers": 1}
    assert widest.estimate is None
    assert wider.tools == "Yosys 0.70, nextpnr 0.11"
    errors = capsys.readouterr().err
    cycles = wider.cycles["digits.onnx"]
    assert (
        "npu_digits, macro.columns 32: 38% of sites; wire 1,600, 70.5 MHz before routing; "
        f"digits.onnx {cycles:,}\n"
    ) in errors
    assert "macro.broadcast_registers 1: 77% of sites; does not fit\n" in errors
    assert "npu_digits, macro.columns 64, macro.broadcast_registers 1: digits.onnx: " in errors
    assert widest.cycles == {"digits.onnx": None}
    assert "| macro.columns 32 | 32,000 (38%) |" in (tmp_path / "explore.md").read_text()


def test_points_whose_record_holds_are_not_placed_again(
    placed: list[int], root: Path, tmp_path: Path
) -> None:
    network = root / "examples" / "digits" / "digits.onnx"
    words = ("npu_digits", "--vary", "macro.columns=32", "-o", tmp_path)
    assert command(*words) == 0
    count = len(placed)
    assert command(*words, "-n", network) == 0
    assert len(placed) == count
    assert all(each.cycles for each in read_points(tmp_path / "explore.json"))
    # What is not asked for again stays.
    assert command("npu_digits", "-o", tmp_path) == 0
    assert [each.name for each in read_points(tmp_path / "explore.json")] == [
        "as it is", "macro.columns 32"
    ]
    path = tmp_path / "explore.json"
    path.write_text(path.read_text().replace("nextpnr 0.11", "nextpnr 0.10"))
    assert command(*words) == 0
    assert command(*words, "--again") == 0
    assert len(placed) == 3 * count


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("edge_16x4",), "edge_16x4: is a macro; a network needs an NPU"),
        (("npu_tiny", "-n", "none.onnx"), "none.onnx: no such file"),
        (("npu_tiny", "--family", "x"), "--family must be one of ecp5, ice40, gowin, not 'x'"),
        (("npu_tiny", "--family", "gowin"), "Gowin GW1N is counted, not placed; families that are"),
        (("npu_tiny", "--vary", "macros"), "--vary must be fields with values, as 'macros=4 macro"),
        (("npu_tiny", "--vary", ""), "--vary must be fields with values, as 'macros=4 macro"),
        (("npu_tiny", "--vary", "macros=2 macros=3"), "several fields of 'macros=2 macros=3' are "),
        (("npu_tiny", "--vary", "macros=2", "--vary", "macros=2"), "several of the points are"),
        (("npu_tiny", "--vary", "macro.colums=2"), "macro.colums: no such field; did you mean"),
        (("npu_tiny", "--vary", "macros=["), "--vary macros"),
    ],
)
def test_errors(
    words: tuple[str, ...], expected: str, placed: list[int], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(*words, "-o", tmp_path) == 2
    assert expected in capsys.readouterr().err
    assert placed == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.xdist_group("yosys")
def test_an_npu_is_placed_if_it_fits() -> None:
    design, yosys = generate(load_config("npu_least")), find_yosys()
    nextpnr, said = find_nextpnr("nextpnr-ecp5"), []
    taken, estimate = measure_point(design, ECP5, yosys, nextpnr, said.append)
    assert said == ["synthesis in a harness", "placing"]
    assert 5500 < taken.sites < 8000
    assert taken.rams == 2
    assert taken.dsps == 5
    assert estimate is not None
    assert 15_000 < estimate.wire < 60_000
    assert 50 < estimate.fmax < 200
    assert ECP5.device is not None
    small = replace(ECP5, device=ECP5.device._replace(capacity=Capacity(9999, 9999, 1, 9)))
    assert measure_point(design, small, yosys, nextpnr) == (taken, None)
