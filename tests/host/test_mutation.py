# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""`cimple mutate`: a real run on the smallest macro, the record, and what is committed of it."""

import json
from pathlib import Path

import pytest
import yaml

from cimple.fpga.mutants import Mutation
from cimple.hdl.errors import CimpleError
from cimple.hdl.load import load_config
from cimple.host import cli, mutation
from cimple.host.mutation import MutationResult, Trial, run_mutation
from cimple.host.mutation_page import REQUIRED_SCORE, mutation_page, read_reasons, score, total
from cimple.verif.bench.run import BenchCase

RECORD = Path(__file__).resolve().parent.parent.parent / "docs/results"


def trial(outcome: str, block: str = "tree", cell: str = "add") -> Trial:
    options = f"-mode inv -module top_tree0 -cell {cell} -port Y -portbit 3 -wire sum -wirebit 3"
    return Trial(Mutation(block, options), outcome, "timing" if outcome == "killed" else "")


def result(*trials: Trial) -> MutationResult:
    return MutationResult("tiny_4x1", "abc", "0.70", "icarus 11.0", 7, trials)


@pytest.mark.xdist_group("yosys")
def test_the_bench_finds_mutants_of_every_block():
    seen: list[tuple[int, int]] = []
    found = run_mutation(
        load_config("tiny_4x1"), 11, 4, lambda done, total, trial: seen.append((done, total))
    )
    assert {trial.mutation.block for trial in found.trials} == {
        "top level", "columns", "accumulator", "adder", "array", "buffer", "choice", "rows",
        "selector", "serialiser", "writer",
    }
    assert seen == [(done, 11) for done in range(12)]
    assert [trial.outcome for trial in found.trials] == ["killed"] * 11


@pytest.mark.xdist_group("yosys")
def test_a_bench_that_sees_nothing_kills_nothing(monkeypatch):
    monkeypatch.setattr(mutation._Bench, "first_failure", lambda bench, verilog: None)
    monkeypatch.setattr(mutation, "is_equivalent", lambda base, change: change.block == "writer")
    found = run_mutation(load_config("tiny_4x1"), 6, 1)
    for trial in found.trials:
        expected = "equivalent" if trial.mutation.block == "writer" else "survived"
        assert trial.outcome == expected


@pytest.mark.xdist_group("yosys")
@pytest.mark.parametrize(
    ("failures", "message"),
    [
        (["timing"], "tiny_4x1: case timing fails without a mutation: why"),
        ([None, "bench"], r"\w+ tiny_4x1\w* .*: the bench cannot run: why"),
    ],
)
def test_a_run_that_means_nothing_is_an_error(failures, message, monkeypatch):
    ends = iter([name and BenchCase(name, "failed", message="why") for name in failures])
    monkeypatch.setattr(mutation._Bench, "first_failure", lambda bench, verilog: next(ends))
    with pytest.raises(CimpleError, match=message):
        run_mutation(load_config("tiny_4x1"), 6, 1)


def test_the_score_leaves_equivalent_mutants_out():
    found = result(*[trial("killed")] * 19, trial("survived"), *[trial("equivalent")] * 5)
    counts = total(found.to_record()["blocks"].values())
    assert counts == {"killed": 19, "survived": 1, "equivalent": 5}
    assert score(counts) == pytest.approx(0.95)
    assert score(total([])) == 1.0


def test_the_record_counts_by_block():
    found = result(trial("killed"), trial("survived", "writer", "mux"), trial("equivalent"))
    record = found.to_record()
    assert record["blocks"] == {
        "tree": {"killed": 1, "equivalent": 1, "survived": 0},
        "writer": {"killed": 0, "equivalent": 0, "survived": 1},
    }
    assert record["killed_by"] == {"timing": 1}
    (label,) = record["survivors"]
    assert label == "inv top_tree0 mux.Y[3], sum[3]"
    page = mutation_page({"tiny_4x1": record}, {"tiny_4x1": {label: "it is *not* used"}})
    assert "| tiny_4x1 | tree | 2 | 1 | 1 | 0 | 100.0 % |\n" in page
    assert "| **all** |  | 3 | 1 | 1 | 1 | 50.0 % |\n" in page
    assert f"| tiny_4x1 | `{label}` | it is *not* used |\n" in page
    assert "not explained" in mutation_page({"tiny_4x1": record}, {})


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["mutate", *words])
    return int(stop.value.code or 0)


def test_the_command_keeps_other_designs_and_judges(monkeypatch, tmp_path, capsys):
    trials = [trial("killed")] * 19 + [trial("survived")]
    asked: list[tuple[str, int, int]] = []

    def run(config, count, seed, progress):
        asked.append((config.name, count, seed))
        progress(0, len(trials), None)
        progress(len(trials), len(trials), trials[-1])
        return result(*trials)

    monkeypatch.setattr("cimple.host.commands.mutate.run_mutation", run)
    (tmp_path / "mutation.json").write_text(json.dumps({"results": {
        "other": result(trial("killed")).to_record()
    }}))
    words = ("tiny_4x1", "--count", "20", "--seed", "7", "-o", str(tmp_path))
    assert command(*words) == 0
    assert asked == [("tiny_4x1", 20, 7)]
    assert set(json.loads((tmp_path / "mutation.json").read_text())["results"]) == {
        "other", "tiny_4x1",
    }
    assert "| **all** |  | 21 | 20 | 0 | 1 | 95.2 % |" in (tmp_path / "mutation.md").read_text()
    said = capsys.readouterr().out
    assert "survived: inv top_tree0 add.Y[3], sum[3]" in said
    assert "20 mutants, 19 killed, 0 equivalent, 1 survived: 95.0%" in said
    del trials[0]
    assert command(*words) == 1


def test_reasons_are_read_or_refused(tmp_path, capsys):
    path = tmp_path / "mutation_survivors.yaml"
    assert read_reasons(path) == {}
    path.write_text("a: {b: c}\nd:\n")
    assert read_reasons(path) == {"a": {"b": "c"}, "d": {}}
    for text in ("- a", "a: b", "a: [", "x"):
        path.write_text(text)
        assert command("tiny_4x1", "-o", str(tmp_path)) == 2
        said = capsys.readouterr().err
        assert "must map designs to mappings of mutations to reasons" in said


def test_the_committed_record_is_good_enough_and_explained():
    results = json.loads((RECORD / "mutation.json").read_text())["results"]
    reasons = yaml.safe_load((RECORD / "mutation_survivors.yaml").read_text()) or {}
    for design, found in results.items():
        counts = total(found["blocks"].values())
        assert sum(counts.values()) >= 60, design
        assert score(counts) >= REQUIRED_SCORE, design
        assert set(found["survivors"]) == set(reasons.get(design) or {}), design
    assert (RECORD / "mutation.md").read_text() == mutation_page(results, reasons)
