# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""`cimple cover`: the record, the verdict, bad input."""

import json

import pytest

from cimple.hdl.macro.config import Cell, MacroConfig
from cimple.host import cli
from cimple.host.commands import cover as cover_module
from cimple.host.cover import cover_page
from cimple.host.records import read_results
from cimple.verif.bench import verify as verify_module
from cimple.verif.bench.run import BenchCase, BenchRun

CONFIGS = [
    MacroConfig(rows=4, columns=2, input_bits=2),
    MacroConfig(rows=1, columns=2, cell=Cell.ROM, weights=((1, -1),), weight_bits=2),
]


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main([*words])
    return int(stop.value.code or 0)


@pytest.fixture
def outcomes(monkeypatch, tmp_path) -> list[str]:
    """Two configurations whose benches, of one case, have these outcomes without simulation."""
    outcomes = ["passed", "passed"]

    def run(build, top, simulator, module, config, **options):
        outcome = outcomes[CONFIGS.index(config)]
        return BenchRun((BenchCase("case", outcome, 1.25, "why"),), "")

    monkeypatch.setattr(cover_module, "covering_array", lambda seed: CONFIGS)
    monkeypatch.setattr(verify_module, "build_bench", lambda *arguments: tmp_path)
    monkeypatch.setattr(verify_module, "run_bench", run)
    return outcomes


def test_the_record(outcomes, tmp_path):
    out = tmp_path / "new"
    assert command("cover", "--sim", "icarus", "--seed", "5", "-o", str(out)) == 0
    record = read_results(out / "macro_coverage.json")
    assert list(record) == [config.digest() for config in CONFIGS]
    first, second = record.values()
    assert first["parameters"] == {"rows": 4, "columns": 2, "input_bits": 2}
    assert first["seed"] == 5
    assert first["runs"]["icarus"]["cases"] == 1
    assert first["stimuli"] > 20
    assert second["parameters"]["weights"] == [[1, -1]]
    page = (out / "macro_coverage.md").read_text()
    assert page == cover_page(record)
    assert "| 4 x 2 | input_bits 2 | " in page
    assert "| `cell` | 2 of 4 | lookup, rom |" in page
    # Two configurations differ in few fields: 18 values of the first, 5 others of the second.
    assert "| values of fields | 23 | 80 |" in page
    assert "Not run: " in page


def test_a_failure_is_no_result(outcomes, tmp_path, capsys):
    outcomes[1] = "failed"
    assert command("cover", "--sim", "icarus", "-o", str(tmp_path)) == 1
    assert "icarus, seed 1, case" in capsys.readouterr().out
    assert list(read_results(tmp_path / "macro_coverage.json")) == [CONFIGS[0].digest()]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sim", ","), "--sim: name at least one simulator of verilator, icarus"),
        (("--sim", "vcs"), "simulator must be one of verilator, icarus, not 'vcs'"),
    ],
)
def test_bad_input_is_named(words, message, outcomes, tmp_path, capsys):
    assert command("cover", *words, "-o", str(tmp_path)) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_page_of_all_pairs_names_none(monkeypatch):
    monkeypatch.setattr("cimple.host.cover.legal_pairs", frozenset)
    text = json.dumps({"parameters": {"rows": 4, "columns": 2}, "stimuli": 1, "runs": {}})
    assert "Not run" not in cover_page({"digest": json.loads(text)})
