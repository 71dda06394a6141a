# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""`cimple gates` and `cimple verify --netlist`: the record, the verdict, bad input."""

import pytest

from cimple.fpga.yosys import Yosys
from cimple.host import cli
from cimple.host.gates import gate_page
from cimple.host.records import read_results
from cimple.verif.bench import verify as verify_module
from cimple.verif.bench.run import BenchCase, BenchRun


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main([*words])
    return int(stop.value.code or 0)


@pytest.fixture
def outcome(monkeypatch, tmp_path) -> list[str]:
    """Benches without synthesis and simulation: outcomes of their one case, and what was run."""
    outcomes = ["passed"]
    built: list[str] = []

    def build(verilog, top, simulator):
        built.append(verilog)
        return tmp_path

    def run(*arguments, **options):
        return BenchRun((BenchCase("case", outcomes[0], 1.25, "why"),), built[-1])

    monkeypatch.setattr("cimple.host.gates.find_yosys", lambda: Yosys("yosys", "0.70"))
    monkeypatch.setattr(
        "cimple.host.gates.netlist",
        lambda verilog, top, family, yosys: f"{family} netlist of {top}",
    )
    monkeypatch.setattr(verify_module, "build_bench", build)
    monkeypatch.setattr(verify_module, "run_bench", run)
    return outcomes


def test_the_record_keeps_what_is_not_run_anew(outcome, tmp_path):
    one = ("--netlist", "ecp5", "--sim", "icarus", "-o", str(tmp_path / "new"))
    assert command("gates", "tiny_4x1", *one) == 0
    two = ("--netlist", "gowin,ice40", *one[2:], "--seed", "5")
    assert command("gates", "tiny_4x1", "edge_16x4", *two) == 0
    record = read_results(tmp_path / "new/gate_level.json")
    assert set(record) == {
        "tiny_4x1 ecp5 icarus", "tiny_4x1 gowin icarus", "tiny_4x1 ice40 icarus",
        "edge_16x4 gowin icarus", "edge_16x4 ice40 icarus",
    }
    assert record["edge_16x4 ice40 icarus"]["seed"] == 5
    assert record["edge_16x4 ice40 icarus"]["cases"] == 1
    page = (tmp_path / "new/gate_level.md").read_text()
    assert page == gate_page(record)
    assert "| tiny_4x1 | ecp5 | icarus 11.0 | 1 | 1 | 1.2 | 0.70 |\n" in page


def test_a_failure_is_no_result(outcome, tmp_path, capsys):
    outcome[0] = "failed"
    words = ("gates", "tiny_4x1", "--netlist", "ecp5", "--sim", "icarus", "-o", str(tmp_path))
    assert command(*words) == 1
    said = capsys.readouterr().out
    assert "icarus, seed 1, case" in said
    assert "tiny_4x1, netlist for ecp5" in said
    assert list(tmp_path.iterdir()) == []


def test_verify_runs_the_netlist(outcome, tmp_path, capsys):
    junit = tmp_path / "out.xml"
    words = ("--netlist", "gowin", "--sim", "icarus", "--junit", str(junit))
    assert command("verify", "tiny_4x1", *words) == 0
    assert "synthesis" in capsys.readouterr().out
    text = junit.read_text()
    assert 'name="tiny_4x1.gowin.icarus.seed1"' in text
    assert '<property name="netlist" value="gowin"' in text
    outcome[0] = "failed"
    assert command("verify", "tiny_4x1", *words) == 1
    assert "gowin netlist of tiny_4x1" in junit.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gates", "tiny"), "tiny: no such preset; presets are: "),
        (("gates", "tiny_4x1", "--netlist", ","), "--netlist and --sim: name at least one family"),
        (("gates", "tiny_4x1", "--netlist", "xc7"), "--netlist must be one of ecp5, ice40, gowin"),
        (("verify", "tiny_4x1", "--netlist", "xc7"), "--netlist must be one of ecp5, ice40, gow"),
    ],
)
def test_bad_input_is_named(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command(*words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": 1}'])
def test_what_is_no_record_is_refused(text, tmp_path, capsys):
    (tmp_path / "gate_level.json").write_text(text)
    assert command("gates", "tiny_4x1", "-o", str(tmp_path)) == 2
    assert "is no record of results; remove it and measure anew" in capsys.readouterr().err
    assert (tmp_path / "gate_level.json").read_text() == text
