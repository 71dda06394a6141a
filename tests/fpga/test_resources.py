# SPDX-License-Identifier: Apache-2.0
"""The resource counts: measured, recorded, compared."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cimple.fpga.families import FAMILIES, suits_fpgas
from cimple.fpga.resources import (
    Resources,
    growth,
    input_digest,
    read_record,
    record_table,
    to_record,
)
from cimple.fpga.yosys import Yosys, find_yosys
from cimple.hdl.errors import CimpleError
from cimple.hdl.generate import generate
from cimple.hdl.load import load_config, preset_files
from cimple.host import cli

SOME = Resources(
    {"LUT4": 1000, "CCU2C": 10, "DPR16X4": 2, "FF": 500, "DP16KD": 4, "MULT18X18D": 1},
    yosys="0.70",
    binary_operations=64,
)


def with_cells(**cells: int) -> Resources:
    """`SOME` with other numbers of some cells."""
    return replace(SOME, cells={**SOME.cells, **cells})


def test_sites_are_lut4_positions():
    assert SOME.sites == 1000 + 2 * 10 + 6 * 2
    assert SOME.sites_per_operation == pytest.approx(1032 / 64)
    assert SOME.ff_per_operation == pytest.approx(500 / 64)
    assert SOME.cost_per_operation == SOME.sites_per_operation
    many = with_cells(FF=2000)
    assert many.cost_per_operation == many.ff_per_operation == pytest.approx(2000 / 64)
    assert replace(SOME, binary_operations=None).sites_per_operation is None


def test_growth_is_told_from_noise():
    assert growth("x", SOME, SOME) == []
    assert growth("x", SOME, with_cells(LUT4=1010, FF=505)) == []
    assert growth("x", SOME, with_cells(LUT4=0)) == []
    assert growth("x", SOME, with_cells(LUT4=1011)) == [
        "x: 1043 sites by Yosys 0.70, where 1032 by Yosys 0.70 are recorded: 11 more"
    ]
    grown = with_cells(FF=506, DP16KD=5, MULT18X18D=2)
    assert [line.split()[2] for line in growth("x", SOME, grown)] == [
        "flip-flops",
        "block",
        "DSP",
    ]


def test_families_are_not_compared():
    cells = {"SB_LUT4": 9, "SB_DFF": 9, "SB_RAM40_4K": 0, "SB_SPRAM256KA": 0, "SB_MAC16": 0}
    ice40 = Resources(cells, "0.70", 64, "ice40")
    with pytest.raises(CimpleError, match="x: is recorded for ecp5, not ice40; measure without"):
        growth("x", SOME, ice40)


def test_a_record_is_read_back(tmp_path):
    path = tmp_path / "resources.json"
    path.write_text(json.dumps(to_record({"a": SOME})))
    assert read_record(path) == {"a": SOME}


def test_the_form_of_a_row_stays():
    assert to_record({"a": SOME})["results"]["a"] == {
        "lut4": 1000, "ccu2c": 10, "dpr16x4": 2, "ff": 500, "dp16kd": 4, "mult18x18d": 1,
        "yosys": "0.70", "binary_operations": 64, "family": "ecp5", "input_sha256": "",
    }  # fmt: skip


def test_a_row_without_a_family_is_of_ecp5(tmp_path):
    record = to_record({"a": SOME})
    del record["results"]["a"]["family"]
    (tmp_path / "old.json").write_text(json.dumps(record))
    assert read_record(tmp_path / "old.json") == {"a": SOME}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": {"a": {"lut4": 1}}}'])
def test_what_is_no_record_is_refused(text, tmp_path):
    path = tmp_path / "resources.json"
    path.write_text(text)
    with pytest.raises(CimpleError, match="is no record of resources; remove it and measure anew"):
        read_record(path)


def test_the_page_holds_every_row():
    page = record_table({"a": SOME, "b": replace(SOME, binary_operations=None)})
    rows = [line for line in page.splitlines() if re.match(r"\| [ab] ", line)]
    assert rows == [
        "| a | 1032 | 1000 | 10 | 2 | 500 | 4 | 1 | 16.125 | 7.812 | 16.125 |",
        "| b | 1032 | 1000 | 10 | 2 | 500 | 4 | 1 |  |  |  |",
    ]


@pytest.mark.xdist_group("yosys")
def test_yosys_explains_its_errors(tmp_path):
    with pytest.raises(CimpleError, match=r"ended with an error: .*nowhere"):
        find_yosys().run("read_verilog nowhere.v", tmp_path)


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["resources", *words])
    return int(stop.value.code or 0)


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """Counting without Yosys; what has been counted."""
    names: list[str] = []

    def count_cells(config, design, family, yosys):
        names.append(config.name)
        return replace(SOME, input_sha256=input_digest(design, family))

    def measure(config, yosys):
        names.append(config.name)
        return SOME

    monkeypatch.setattr("cimple.host.commands.resources.count_cells", count_cells)
    monkeypatch.setattr("cimple.host.commands.resources.measure", measure)
    monkeypatch.setattr("cimple.host.commands.resources.find_yosys", lambda: Yosys("yosys", "0.70"))
    return names


def test_the_command_keeps_what_it_does_not_measure(counted, tmp_path):
    assert command("tiny_4x1", "-o", str(tmp_path)) == 0
    assert command("edge_16x4", "-o", str(tmp_path)) == 0
    assert counted == ["tiny_4x1", "edge_16x4"]
    assert set(read_record(tmp_path / "resources.json")) == {"tiny_4x1", "edge_16x4"}
    assert len(list(tmp_path.iterdir())) == 2


def test_the_command_counts_what_has_changed(counted, tmp_path, monkeypatch, capsys):
    words = ("tiny_4x1", "edge_16x4", "-o", str(tmp_path))
    path = tmp_path / "resources.json"
    assert command(*words) == 0
    first = path.read_text()
    assert command(*words) == 0
    assert counted == ["tiny_4x1", "edge_16x4"]
    assert capsys.readouterr().err.count("; as recorded") == 2
    assert path.read_text() == first
    # Of another design, in other commands, by another version, or because one says so.
    path.write_text(first.replace(read_record(path)["tiny_4x1"].input_sha256, "1234"))
    assert command(*words) == 0
    assert counted.pop() == "tiny_4x1"
    ecp5 = FAMILIES["ecp5"]
    with monkeypatch.context() as patch:
        patch.setitem(FAMILIES, "ecp5", replace(ecp5, synthesis=f"{ecp5.synthesis} -abc2"))
        assert command(*words) == 0
    assert counted[2:] == ["tiny_4x1", "edge_16x4"]
    path.write_text(first.replace('"0.70"', '"0.71"'))
    assert command(*words) == 0
    assert counted[4:] == ["tiny_4x1", "edge_16x4"]
    assert command(*words, "--again") == 0
    assert counted[6:] == ["tiny_4x1", "edge_16x4"]
    assert path.read_text() == first


def test_all_leaves_latches_out(counted, tmp_path, capsys, monkeypatch):
    small = generate(load_config("tiny_4x1"))
    monkeypatch.setattr("cimple.host.commands.resources.generate", lambda config: small)
    assert command("--all", "-o", str(tmp_path)) == 0
    latched = [name for name in preset_files() if name.startswith(("asic", "isscc", "syndcim"))]
    line = f"left out, as FPGAs have no latches: {', '.join(latched)}\n"
    assert line in capsys.readouterr().err
    assert counted == [name for name in preset_files() if name not in latched]


def test_an_interruption_loses_one_preset_at_most(counted, tmp_path, monkeypatch):
    def stop(config):
        if config.name == "edge_16x4":
            raise CimpleError("it does not end")
        return generate(config)

    monkeypatch.setattr("cimple.host.commands.resources.generate", stop)
    assert command("tiny_4x1", "edge_16x4", "-o", str(tmp_path)) == 2
    assert set(read_record(tmp_path / "resources.json")) == {"tiny_4x1"}
    assert "| tiny_4x1 |" in (tmp_path / "resources.md").read_text()


def test_the_command_checks(counted, tmp_path, capsys):
    path = tmp_path / "resources.json"
    path.write_text(json.dumps(to_record({"tiny_4x1": with_cells(FF=100)})))
    before = path.read_text()
    assert command("tiny_4x1", "--check", "-o", str(tmp_path)) == 2
    assert "tiny_4x1: 500 flip-flops by Yosys 0.70, where 100" in capsys.readouterr().err
    assert command("edge_16x4", "--check", "-o", str(tmp_path)) == 2
    assert "does not hold edge_16x4; measure without --check" in capsys.readouterr().err
    path.write_text(json.dumps(to_record({"tiny_4x1": SOME})))
    assert command("tiny_4x1", "--check", "-o", str(tmp_path)) == 0
    assert list(tmp_path.iterdir()) == [path]
    assert before != path.read_text()


def test_the_record_covers_every_preset(root):
    recorded = read_record(root / "docs" / "results" / "resources.json")
    suited = [name for name in preset_files() if suits_fpgas(load_config(name))]
    assert list(recorded) == suited, "cimple resources --all"
    page = (root / "docs" / "results" / "resources.md").read_text()
    assert page == record_table(recorded)


@pytest.mark.xdist_group("yosys")
def test_the_smallest_macro_has_not_grown(root, capsys):
    recorded = str(root / "docs" / "results")
    code = command("tiny_4x1", "--check", "-o", recorded)
    assert code == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to measure: name YAML files or presets"),
        (["tiny"], "tiny: no such file or preset; "),
        (["tiny_4x1", "--check", "--place"], "--check compares plain counts of presets"),
        (["tiny_4x1", "--asic", "--place"], "--asic is of no FPGA family"),
        (["tiny_4x1", "--modules", "--place"], "--modules counts nothing else"),
        (["tiny_4x1", "--again", "--family", "gowin"], "--again is for plain counts of presets"),
        (["tiny_4x1", "--liberty", "x.lib"], "--liberty is for --asic"),
        (["tiny_4x1", "--asic", "--liberty", "x.lib"], "--liberty: x.lib: there is no such file"),
        (["tiny_4x1", "--family", "gowin", "--place"], "--place: Gowin GW1N is counted, not"),
        (["tiny_4x1", "--family", "virtex"], "--family must be one of ecp5, ice40, gowin, not"),
        (["npu_tiny", "--asic"], "npu_tiny: is no macro"),
        (["asic_64x16_latch"], "storage: latch is for chips: the flows for FPGAs refuse latches"),
    ],
)
def test_the_command_explains_what_it_refuses(words, message, capsys, tmp_path):
    assert command(*words, "-o", str(tmp_path)) == 2
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_the_oldest_yosys_is_named(monkeypatch, tmp_path):
    old = tmp_path / "yosys"
    old.write_text("#!/bin/sh\necho 'Yosys 0.23 (git sha1 7ce5011c24b)'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(CimpleError, match=r"yosys 0\.40 or newer is needed: pip install"):
        find_yosys()
    old.write_text("#!/bin/sh\necho 'Yosys 0.41+126 (git sha1 7ce5011c24b)'\n")
    assert find_yosys() == Yosys(str(Path(tmp_path) / "yosys"), "0.41")
