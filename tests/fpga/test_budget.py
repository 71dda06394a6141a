# SPDX-License-Identifier: Apache-2.0
"""Budgets of parts: blocks, what binds, the command and its record."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cimple.fpga.breakdown import module_cells, module_shares
from cimple.fpga.budget import Budget, block_counts
from cimple.fpga.budget_record import (
    budgets_page,
    merge_budgets,
    read_budgets,
    to_budgets_record,
)
from cimple.fpga.capacity import Capacity
from cimple.fpga.families import FAMILIES
from cimple.fpga.resources import Resources
from cimple.fpga.yosys import Yosys, find_yosys
from cimple.hdl.errors import CimpleError
from cimple.hdl.generate import generate
from cimple.hdl.load import load_config
from cimple.hdl.npu.config import NpuConfig
from cimple.host import cli

ECP5 = FAMILIES["ecp5"]

#: An NPU of two macros, whose array is shared, and a vector engine with two requantisers.
MODULES = {
    "n": {"LUT4": 3, "n_matrix": 1, "n_vector": 1, "n_weights": 1, "n_queue_load": 2},
    "n_matrix": {"LUT4": 1, "n_matrix_macro0": 1, "n_matrix_macro1": 1, "n_matrix_feeder": 1},
    "n_matrix_macro0": {"n_columns4": 4},
    "n_matrix_macro1": {"n_columns4": 4, "TRELLIS_FF": 5},
    "n_columns4": {"LUT4": 10, "TRELLIS_FF": 2},
    "n_matrix_feeder": {"CCU2C": 2, "n_extent": 1},
    "n_extent": {"LUT4": 7},
    "n_vector": {"LUT4": 4, "n_vector_lanes": 1},
    "n_vector_lanes": {"MULT18X18D": 4, "n_vector_lanes_requantiser0": 2},
    "n_vector_lanes_requantiser0": {"LUT4": 6},
    "n_weights": {"DP16KD": 9},
    "n_queue_load": {"LUT4": 1},
}


def made(name: str, sites: int, **changes: Any) -> Budget:
    """A budget on the ECP5 with one block."""
    whole = Capacity(sites, 100, 10, 1)
    blocks = {"macros": Capacity(sites + 5, 100, 10, 1)}
    return replace(Budget(name, "ecp5", "0.70", "12", whole, blocks), **changes)


def test_every_instance_counts_in_the_block_that_it_is_in() -> None:
    assert block_counts(MODULES, "n", ECP5) == {
        "macros": Capacity(80, 21, 0, 0),
        "window feeder": Capacity(11, 0, 0, 0),
        "weight loader": Capacity(1, 0, 0, 0),
        "weight memory": Capacity(0, 0, 9, 0),
        "requantisers": Capacity(12, 0, 0, 4),
        "vector engine": Capacity(4, 0, 0, 0),
        "program and counters": Capacity(5, 0, 0, 0),
    }


def test_what_binds_is_the_largest_share() -> None:
    assert made("a", 41_820).binding == ("sites", 0.5)
    assert made("a", 100, whole=Capacity(1, 1, 208, 157)).binding == ("DSP", 157 / 156)
    assert made("a", 100, family="gowin").binding is None


def test_the_page() -> None:
    page = budgets_page([made("a", 41_820), made("c", 90_000)])
    assert "What binds is sites: 50.0% of the part is taken." in page
    assert "It does not fit: of sites 107.6% of what the part has is needed." in page
    assert (
        "| macros | 41,825 (50.0%) | 100 (0.1%) | 10 (4.8%) | 1 (0.6%) |\n"
        "| across blocks | -5 | 0 | 0 | 0 |\n"
        "| **all** | 41,820 (50.0%) | 100 (0.1%) | 10 (4.8%) | 1 (0.6%) |\n"
        "| LFE5U-85F | 83,640 | 83,640 | 208 | 156 |\n"
        "| left | 41,820 | 83,540 | 198 | 155 |\n"
    ) in page


def test_the_record(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    budgets = [made("a", 1), made("b", 2)]
    path.write_text(json.dumps(to_budgets_record(budgets)))
    assert read_budgets(path) == budgets
    path.write_text('{"results": [{"name": "a"}]}')
    with pytest.raises(CimpleError, match="is no record of budgets; remove it"):
        read_budgets(path)


def test_a_new_budget_takes_the_place_of_the_old_one() -> None:
    old, other, new = made("a", 1), made("b", 2), made("a", 3)
    assert merge_budgets([old, other], new) == [new, other]
    elsewhere = made("a", 3, family="ice40")
    assert merge_budgets([old, other], elsewhere) == [old, other, elsewhere]


def npu(name: str) -> NpuConfig:
    config = load_config(name)
    assert isinstance(config, NpuConfig)
    return config


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["budget", *map(str, words)])
    return int(stop.value.code or 0)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Counting without generating and without Yosys; what has been counted."""
    names: list[str] = []

    def design_of(config: NpuConfig) -> SimpleNamespace:
        return SimpleNamespace(name=config.name, verilog=f"module {config.name}")

    def count_cells(config: NpuConfig, design: object, family: object, yosys: object) -> Resources:
        names.append(config.name)
        size = config.macro.columns * config.macro.rows
        return Resources(ECP5.count({"LUT4": 10 * size, "DP16KD": 20}), "0.70")

    def cells(design: SimpleNamespace, family: object, yosys: object) -> object:
        name = design.name
        return {
            name: {f"{name}_matrix_macro0": 1, "LUT4": 9}, f"{name}_matrix_macro0": {"LUT4": 500},
        }

    place = "cimple.host.commands.budget."
    monkeypatch.setattr(f"{place}generate", design_of)
    monkeypatch.setattr(f"{place}count_cells", count_cells)
    monkeypatch.setattr(f"{place}module_cells", cells)
    monkeypatch.setattr(f"{place}find_yosys", lambda: Yosys("yosys", "0.70"))
    return names


def test_the_command_on_two_presets(
    counted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("npu_tiny", "npu_digits", "-o", tmp_path) == 0
    _, digits = read_budgets(tmp_path / "budget.json")
    assert digits.whole == Capacity(11_520, 0, 20, 0)
    assert digits.blocks == {
        "macros": Capacity(500, 0, 0, 0), "program and counters": Capacity(9, 0, 0, 0)
    }
    assert len(digits.input_sha256) == 64
    assert "## npu_tiny\n" in (tmp_path / "budget.md").read_text()
    line = "npu_digits: 11,520 sites, 0 FF, 20 block RAMs, 0 DSP blocks; 14% of sites\n"
    assert line in capsys.readouterr().err


def test_counts_that_hold_are_not_made_again(counted: list[str], tmp_path: Path) -> None:
    assert command("npu_digits", "-o", tmp_path) == 0
    first = (tmp_path / "budget.json").read_text()
    assert command("npu_digits", "-o", tmp_path) == 0
    assert counted == ["npu_digits"]
    assert (tmp_path / "budget.json").read_text() == first
    assert command("npu_digits", "--again", "-o", tmp_path) == 0
    path = tmp_path / "budget.json"
    path.write_text(path.read_text().replace('"0.70"', '"0.69"'))
    assert command("npu_digits", "-o", tmp_path) == 0
    assert counted == ["npu_digits"] * 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("edge_16x4",), "edge_16x4: is a macro; a network needs an NPU"),
        (("npu_tiny", "npu_tiny"), "name: several of the NPUs are called npu_tiny; give each a "),
        (("npu_tiny", "--family", "x"), "--family must be one of ecp5, ice40, gowin, not 'x'"),
    ],
)
def test_errors(
    words: tuple[str, ...], expected: str, counted: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(*words, "-o", tmp_path) == 2
    assert expected in capsys.readouterr().err
    assert counted == []
    assert list(tmp_path.iterdir()) == []


BLOCKS = [
    "macros", "window feeder", "weight loader", "weight memory", "parameter memory",
    "requantisers", "vector engine", "activation memory", "front door", "program and counters",
]


@pytest.mark.parametrize("macros", [1, 2])
def test_every_block_is_in_the_verilog(macros: int) -> None:
    """Each module a LUT4, and the hierarchy as generated."""
    config = NpuConfig.from_mapping({**npu("npu_tiny").to_mapping(), "macros": macros}, source="x")
    cells: dict[str, dict[str, int]] = {}
    for text in generate(config).verilog.split("\nendmodule"):
        if found := re.search(r"^module (\w+)", text, re.MULTILINE):
            inside = re.findall(rf"^  ({config.name}_\w+) (?:#|\w|\\)", text, re.MULTILINE)
            cells[found[1]] = {"LUT4": 1, **Counter(inside)}
    blocks = block_counts(cells, config.name, ECP5)
    assert list(blocks) == BLOCKS
    assert blocks["macros"].sites > 20 * macros
    shares = module_shares(cells, config.name, ECP5)
    assert sum(counts.sites for counts in blocks.values()) == sum(each.sites for each in shares)


@pytest.mark.xdist_group("yosys")
def test_the_blocks_of_a_real_npu() -> None:
    """They are those of its source, and their sum is the sum over all modules."""
    design = generate(npu("npu_tiny"))
    cells = module_cells(design, ECP5, find_yosys())
    blocks = block_counts(cells, design.name, ECP5)
    assert list(blocks) == BLOCKS
    shares = module_shares(cells, design.name, ECP5)
    sums = Capacity(*(sum(column) for column in zip(*blocks.values(), strict=True)))
    assert sums == Capacity(
        sum(share.sites for share in shares), sum(share.ff for share in shares),
        sum(share.rams for share in shares), sum(share.dsps for share in shares),
    )
    assert blocks["requantisers"].dsps > 0
    assert blocks["weight memory"].rams > 0
    assert blocks["macros"].sites > 200


def test_the_manual_has_the_parts_as_they_are(root: Path) -> None:
    page = (root / "docs" / "development" / "tools.md").read_text()
    devices = [family.device for family in FAMILIES.values() if family.device]
    for device in devices:
        numbers = " | ".join(f"{number:,}" for number in device.capacity)
        assert f"| {device.title.partition(',')[0]} | {numbers} |\n" in page
