# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""`cimple fuzz`: right Verilog passes, planted faults are found, the record, bad input."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cimple.hdl.load import load_config
from cimple.hdl.npu.config import NpuConfig
from cimple.host import cli
from cimple.host import fuzz as fuzz_module
from cimple.host.devices import icarus
from cimple.host.devices.device import DeviceError
from cimple.host.devices.words import WordLink, open_words
from cimple.host.fuzz import FuzzRun, fuzz_page, run_fuzz
from cimple.host.records import read_results
from cimple.verif.bench.simulators import find_simulator
from cimple.verif.fuzz.link import LAST, Stalls, stream_words
from cimple.verif.fuzz.tally import FuzzError, Tally
from tests.planted import ROOT, imports_from, plant
from tests.verif.fuzz.golden_link import GoldenLink
from tests.verif.fuzz.test_packets import CONFIG

FAULTS = yaml.safe_load((ROOT / "tests/host/fuzz_faults.yaml").read_text())


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main([*words])
    return int(stop.value.code or 0)


# Verilog ------------------------------------------------------------------------------------------


@pytest.mark.xdist_group("device verilator")
def test_the_smallest_preset_passes_under_verilator() -> None:
    config = load_config("npu_tiny")
    assert isinstance(config, NpuConfig)
    found = run_fuzz(config, "verilator", 5, 600)
    assert found.failure is None
    assert found.tally.packets.total() == 600
    assert found.tally.inferences == found.rounds == 3


@pytest.mark.xdist_group("device icarus")
def test_both_simulators_do_the_same() -> None:
    """Cycle by cycle: stalls too are drawn from the seed."""
    runs = [run_fuzz(CONFIG, name, 7, 120) for name in ("verilator", "icarus")]
    assert [run.failure for run in runs] == [None, None]
    assert runs[0].tally == runs[1].tally
    assert runs[0].tally.cycles > 10_000


@pytest.mark.xdist_group("device icarus")
def test_words_come_as_the_stalls_let_them() -> None:
    sync = stream_words([5, 0x1234])
    with open_words("icarus", CONFIG) as link:
        free = link.exchange(sync, limit=1000, stalls=Stalls(), reset=2)
        slow = link.exchange(sync, limit=1000, stalls=Stalls(220, 220, 3))
        # Half a packet, which waits for the other half; then a reset forgets it.
        half = link.exchange([1 | 1 << 8, 2], limit=1000, stalls=Stalls())
        fresh = link.exchange(sync, limit=1000, stalls=Stalls(), reset=1)
        cut = link.exchange(sync, limit=1, stalls=Stalls())
        rest = link.exchange([], limit=1000, stalls=Stalls())
    assert free.words == slow.words == fresh.words == rest.words == [5, 0x1234 | LAST]
    assert slow.cycles > 2 * free.cycles
    assert (half.left, half.owed, half.words) == (0, 0, [])
    assert (cut.left, cut.owed, cut.cycles) == (1, 0, 1)


def test_a_simulation_that_talks_nonsense() -> None:
    toy = WordLink("toy", ["sh", "-c", "read line; echo hello there"], {})
    with toy as link, pytest.raises(DeviceError, match="toy: not an answer: 'hello there'"):
        link.exchange([], limit=1, stalls=Stalls())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: re.sub(r"\W+", "-", fault["what"]))
def test_a_fault_is_found(
    fault: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, fault, "tests/host/fuzz_faults.yaml")
    with imports_from(tmp_path):
        from cimple.hdl.generate import generate
        from cimple.hdl.npu.config import NpuConfig

        # Unchecked: it is the fuzzer that shall find the fault, not a design rule.
        config = NpuConfig.from_mapping(CONFIG.to_mapping(), source="test")
        faulty = generate(config, checked=False).verilog
    monkeypatch.setattr(icarus, "verilog_of", lambda config, progress: faulty)
    found = run_fuzz(CONFIG, "icarus", fault.get("seed", 1), 500)
    assert found.failure is not None, f"the fuzzer has not noticed that {fault['what']}"
    assert fault["says"] in str(found.failure)


# The command --------------------------------------------------------------------------------------


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """The golden model in place of Verilog; bits of answers' headers to change, by number."""
    changes: dict[int, int] = {}

    class Link(GoldenLink):
        def __enter__(self) -> "Link":
            return self

        def __exit__(self, *details: object) -> None:
            pass

    def open_link(simulator: str, config: NpuConfig, say: object) -> Link:
        return Link(config, lambda n, p, answer: [[answer[0] ^ changes.get(n, 0), *answer[1:]]])

    monkeypatch.setattr(fuzz_module, "open_words", open_link)
    return changes


@pytest.fixture
def design(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({"npu": CONFIG.to_mapping() | {"name": "small"}}))
    return str(path)


@pytest.mark.usefixtures("answers")
def test_the_record(design: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new"
    words = ("fuzz", design, "--packets", "300", "--seed", "4", "--sim", "icarus", "-o", str(out))
    assert command(*words) == 0
    said = capsys.readouterr().out
    assert "small under icarus, seed 4: 300 hostile packets and " in said
    assert "2 inferences exact" in said
    assert f"written: {out}/fuzz.json, {out}/fuzz.md" in said
    record = read_results(out / "fuzz.json")
    assert list(record) == ["small under icarus"]
    found = record["small under icarus"]
    assert (found["packets"], found["rounds"], found["inferences"]) == (300, 2, 2)
    assert sum(found["kinds"].values()) == 300
    assert sum(found["answers"].values()) + found["met_by_a_reset"] == found["all_packets"]
    assert found["simulator_version"] == find_simulator("icarus").version
    page = (out / "fuzz.md").read_text()
    assert page == fuzz_page(record)
    assert "| small under icarus | 300 | " in page
    assert f"| TRUNCATED | {found['answers']['TRUNCATED']} |" in page
    # What other NPUs have left stays.
    assert command(*words[:3], "10", *words[4:7], "verilator", *words[8:]) == 0
    assert list(read_results(out / "fuzz.json")) == ["small under icarus", "small under verilator"]


def test_a_failure_says_how_to_come_there_again(
    design: str, answers: dict[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers[700] = 1 << 16
    out = tmp_path / "new"
    words = ("fuzz", design, "--packets", "600", "-o", str(out))
    assert command(*words) == 1
    said = capsys.readouterr().out
    assert re.match(
        r"small under verilator, seed 1: round 1, after \d+ packets of it: the answer is \[.*\n"
        r"  .+: [0-9a-f]{8}", said,
    )
    last = said.splitlines()[-1]
    assert last == (
        f"again: cimple fuzz {design} --sim verilator --seed 1 --skip 1 --packets 250"
    )
    assert not out.exists()
    # The same round by itself; nothing is recorded of it.
    answers.clear()
    assert command(*last.split()[2:], "-o", str(out)) == 0
    assert "written" not in capsys.readouterr().out
    assert not out.exists()


def test_the_last_round_is_as_long_as_it_was() -> None:
    failure = FuzzError([], "wrong")
    failure.round = 5
    run = FuzzRun(CONFIG, find_simulator("icarus"), 1, 620, 2, Tally(), 1.0, failure)
    assert fuzz_module.again(run, "x").endswith("--seed 1 --skip 5 --packets 120")
    assert fuzz_module.again(replace(run, rounds=1), "x").endswith("--packets 250")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("npu_tiny", "--sim", "vcs"), "simulator must be one of verilator, icarus, not 'vcs'"),
        (("no_such_npu",), "no_such_npu"),
        (("npu_tiny", "--packets", "0"), "--packets"),
    ],
)
def test_bad_input_is_named(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("fuzz", *words, "-o", str(tmp_path)) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
