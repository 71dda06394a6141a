# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""`verify` and the command `cimple verify`: the verdict, the report, bad input."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest
import typer

from cimple.hdl.errors import CimpleError
from cimple.hdl.macro import MacroConfig
from cimple.host.commands import verify as verify_command
from cimple.verif.bench import verify as module
from cimple.verif.bench.junit import Suite, junit_xml, write_junit
from cimple.verif.bench.run import BenchCase, BenchRun
from cimple.verif.bench.simulators import find_simulator
from cimple.verif.bench.verify import Step, VerifyResult, VerifyRun, verify

TINY = MacroConfig(name="tiny", rows=4, columns=1, weight_bits=4, input_bits=2)
#: The cases of a macro's bench.
CASES = 18


def test_every_simulator_and_seed_is_a_suite(tmp_path):
    steps: list[Step] = []
    junit = tmp_path / "deep/out.xml"
    result = verify(TINY, ["icarus", "icarus"], [3, 4], junit, steps.append)
    assert result.passed
    assert [(run.simulator.name, run.seed) for run in result.runs] == [("icarus", 3), ("icarus", 4)]
    root = ElementTree.parse(junit).getroot()
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["tiny.icarus.seed3", "tiny.icarus.seed4"]
    assert root.get("tests") == str(2 * CASES)
    assert root.get("failures") == "0"
    for suite in suites:
        names = [case.get("name") for case in suite.findall("testcase")]
        assert len(set(names)) == CASES == int(suite.get("tests", 0))
        assert suite.find("system-out") is None
        properties = {p.get("name"): p.get("value", "") for p in suite.iter("property")}
        assert properties["configuration_sha256"] == TINY.digest()
        assert properties["simulator"].startswith("icarus ")
    seen = [(step.seed, step.case.name, step.case.outcome) for step in steps]
    assert seen[:2] == [(None, "build", "started"), (None, "build", "passed")]
    assert (3, "corner_values", "passed") in seen
    assert len(seen) == 2 + 2 * CASES * 2


def test_a_failing_case_fails_the_verdict(monkeypatch, tmp_path):
    cases = BenchCase("a", "passed", 1.0), BenchCase("b", "failed", 2.0, "no\x01pe")
    broken = BenchRun(cases, "log")
    monkeypatch.setattr(module, "build_bench", lambda *arguments: tmp_path)
    monkeypatch.setattr(module, "run_bench", lambda *arguments, **options: broken)
    result = verify(TINY, ["icarus"], [1], tmp_path / "out.xml")
    assert not result.passed
    (suite,) = ElementTree.parse(tmp_path / "out.xml").getroot()
    assert [suite.get(name) for name in ("tests", "failures", "time")] == ["2", "1", "3.000"]
    (failure,) = suite.iter("failure")
    assert failure.text == "no?pe"
    assert suite.findtext("system-out") == "log"


@pytest.mark.parametrize("cases", [(), (BenchCase("a", "skipped"),)])
def test_nothing_checked_is_no_success(cases):
    assert not BenchRun(cases, "").passed
    assert not VerifyResult("x", "m", "0", ()).passed


def test_a_run_cut_short_leaves_no_report_of_success(monkeypatch, tmp_path):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "build_bench", interrupt)
    with pytest.raises(KeyboardInterrupt):
        verify(TINY, ["icarus"], [1], tmp_path / "out.xml")
    assert ElementTree.parse(tmp_path / "out.xml").getroot().get("failures") == "1"


def test_a_report_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CimpleError) as caught:
        verify(TINY, ["icarus"], [1], tmp_path / "file/out.xml")
    assert str(caught.value) == (
        f"{tmp_path}/file/out.xml: cannot be written: {tmp_path}/file is not a directory; "
        "choose another file"
    )
    write_junit(tmp_path / "out.xml", [])
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_skipped_cases_are_told_apart():
    run = BenchRun((BenchCase("a", "passed"), BenchCase("b", "skipped")), "")
    suite = ElementTree.fromstring(junit_xml([Suite("s", "m", {}, run)]).encode())[0]
    assert suite.get("skipped") == "1"
    assert suite.find("testcase[@name='b']/skipped") is not None


def command(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-P", "-m", "cimple.host", "verify", *arguments],
        cwd=cwd, capture_output=True, text=True, check=False,
    )


def test_the_command_passes(tmp_path):
    (tmp_path / "my.yaml").write_text(f"macro: {TINY.to_mapping()}")
    end = command("my.yaml", "--sim", "icarus", "--seeds", "1", "--junit", "out.xml", cwd=tmp_path)
    assert end.returncode == 0, end.stderr
    lines = end.stdout.splitlines()
    assert sum(line.startswith("passed  icarus") for line in lines) == 1 + CASES
    assert lines[-2:] == ["passed", "results written to out.xml"]
    assert ElementTree.parse(tmp_path / "out.xml").getroot().get("tests") == str(CASES)


@pytest.mark.parametrize(("outcome", "code"), [("passed", 0), ("failed", 1)])
def test_the_exit_code_is_the_verdict(monkeypatch, capsys, outcome, code):
    run = BenchRun((BenchCase("a", outcome, 1.0, "[why]"),), "")
    result = VerifyResult("x", "m", "0", (VerifyRun(find_simulator("icarus"), 7, run),))
    monkeypatch.setattr(verify_command, "verify_config", lambda *arguments, **options: result)
    try:
        verify_command.verify("tiny_4x1")
        exit_code = 0
    except typer.Exit as end:
        exit_code = end.exit_code
    assert exit_code == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == outcome
    assert ("icarus, seed 7, a" in lines) == ("[why]" in lines) == (outcome == "failed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.yaml"], "no.yaml: cannot be read: No such file or directory"),
        (["tiny_4x1", "--sim", "vcs"], "simulator must be one of verilator, icarus, not 'vcs'"),
        (["tiny_4x1", "--sim", ","], "--sim: name at least one simulator of verilator, icarus"),
        (
            ["tiny_4x1", "--sim", "icarus", "--junit", "/proc/none/out.xml"],
            "/proc/none/out.xml: cannot be written: No such file or directory; choose another file",
        ),
    ],
)
def test_bad_input_of_the_command(tmp_path, arguments, message):
    end = command(*arguments, cwd=tmp_path)
    assert end.returncode == 2
    assert end.stderr == f"error: {message}\n"


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--seeds", "x"], []])
def test_bad_options_of_the_command(tmp_path, arguments):
    end = command(*arguments, cwd=tmp_path)
    assert end.returncode == 2
    assert "Traceback" not in end.stderr
