# SPDX-License-Identifier: Apache-2.0
"""Builds and runs: every way in which a simulation can end has one clear outcome."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cimple.hdl.errors import CimpleError
from cimple.hdl.macro import MacroConfig
from cimple.verif.bench.build import build_bench
from cimple.verif.bench.process import after, run_limited
from cimple.verif.bench.run import run_bench
from cimple.verif.bench.simulators import SIMULATORS, find_simulator

CONFIG = MacroConfig(rows=4, columns=1)
VERILOG = "module top(clk, rst, o);\ninput clk, rst; output o; assign o = rst;\nendmodule\n"

BENCH = """
import os, time
import cocotb
from cimple.hdl.macro import MacroConfig
from cimple.verif.bench.case import bench_case, bench_config

@bench_case()
async def passes(dut):
    assert bench_config(MacroConfig).rows == 4

{}
"""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Run a bench module of one passing case and the given source under Icarus."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    simulator = find_simulator("icarus")
    build = build_bench(VERILOG, "top", simulator)

    def run(source, **options):
        (tmp_path / "fake_bench.py").write_text(BENCH.format(source))
        return run_bench(build, "top", simulator, "fake_bench", CONFIG, seed=5, **options)

    return run


def outcomes(run):
    return {case.name: case.outcome for case in run.cases}


def test_all_pass(bench):
    watched = []
    source = "@bench_case(n=[1, 2])\nasync def counts(dut, n): assert n"
    run = bench(source, watch=lambda case: watched.append((case.name, case.outcome)))
    assert run.passed
    assert outcomes(run) == {"passes": "passed", "counts/n=1": "passed", "counts/n=2": "passed"}
    names = ("passes", "counts/n=1", "counts/n=2")
    assert watched == [(name, out) for name in names for out in ("started", "passed")]
    assert "Seeding Python random module with 5" in run.output


def test_a_failing_case(bench):
    run = bench("@bench_case()\nasync def fails(dut): raise AssertionError('one is not two')")
    assert not run.passed
    assert outcomes(run) == {"passes": "passed", "fails": "failed"}
    assert "one is not two" in run.cases[1].message


def test_a_run_may_end_with_the_first_failure(bench):
    source = "@bench_case(n=[1, 2, 3])\nasync def counts(dut, n): assert n != 2"
    run = bench(source, first_failure=True)
    assert outcomes(run) == {"passes": "passed", "counts/n=1": "passed", "counts/n=2": "failed"}
    assert len(bench(source).cases) == 4


def test_a_hanging_case(bench):
    run = bench("@bench_case()\nasync def hangs(dut): time.sleep(1000)", timeout=5)
    assert not run.passed
    assert outcomes(run) == {"passes": "passed", "hangs": "failed"}
    assert run.cases[1].message.startswith("no progress for 5 s\n")


def test_a_slow_case_is_not_taken_for_a_hanging_one(bench):
    source = (
        "from cimple.verif.bench.case import report_alive\n"
        "@bench_case()\nasync def slow(dut):\n"
        "    for _ in range(16):\n        time.sleep(0.5); report_alive()"
    )
    assert bench(source, timeout=5).passed


def test_a_simulator_that_dies(bench):
    run = bench("@bench_case()\nasync def dies(dut): os.abort()")
    assert not run.passed
    assert outcomes(run) == {"passes": "passed", "dies": "failed"}
    assert run.cases[1].message.startswith("the simulation ended with exit code 1\n")


def test_a_simulator_that_ends_by_itself(bench):
    run = bench("@bench_case()\nasync def leaves(dut): os._exit(0)")
    assert not run.passed
    assert outcomes(run)["leaves"] == "failed"


def test_a_bench_without_cases(tmp_path, bench):
    assert bench("").passed
    run = bench("del passes")
    assert not run.passed
    assert outcomes(run) == {"bench": "failed"}


def test_a_bench_that_cannot_be_imported(bench):
    run = bench("import no_such_module")
    assert not run.passed
    assert outcomes(run) == {"bench": "failed"}
    assert "no_such_module" in run.cases[0].message


def test_settings_of_the_caller_do_not_reach_the_bench(bench, monkeypatch):
    monkeypatch.setenv("COCOTB_TEST_FILTER", "nothing")
    monkeypatch.setenv("COCOTB_RANDOM_SEED", "99")
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    run = bench("@bench_case()\nasync def fails(dut): assert False")
    assert outcomes(run) == {"passes": "passed", "fails": "failed"}
    assert "module with 5" in run.output


def test_one_case_alone(bench):
    run = bench("@bench_case()\nasync def fails(dut): assert False", only="passes$")
    assert outcomes(run) == {"passes": "passed"}


@pytest.mark.parametrize("name", SIMULATORS)
def test_verilog_that_does_not_build(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CIMPLE_CACHE", str(tmp_path))
    with pytest.raises(CimpleError) as caught:
        build_bench("module top(clk);\ninput clk;\noops\nendmodule\n", "top", find_simulator(name))
    first, *rest = str(caught.value).splitlines()
    assert first == f"{name} cannot build top:"
    assert any("top.v:4" in line for line in rest)


def test_a_top_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMPLE_CACHE", str(tmp_path))
    with pytest.raises(CimpleError) as caught:
        build_bench(VERILOG, "other", find_simulator("verilator"))
    assert str(caught.value) == "the Verilog has no module other; name its top-level module so"


def test_what_a_command_started_ends_with_it(tmp_path):
    """A grandchild must not go on after the time limit."""
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(1000)\n"
    )
    end = run_limited(
        [sys.executable, "-c", program], directory=tmp_path, environment=os.environ,
        expired=after(2),
    )
    assert end.code is None
    assert ends(int(end.output))


def ends(process: int) -> bool:
    """Whether a process that is none of our children ends soon."""
    stat = Path(f"/proc/{process}/stat")
    for _ in range(200):
        # A zombie, if init is slow to fetch it, has ended as well.
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


CALLER = """
from cimple.hdl.macro import MacroConfig
from cimple.verif.bench.build import build_bench
from cimple.verif.bench.run import run_bench
from cimple.verif.bench.simulators import find_simulator
icarus = find_simulator("icarus")
build = build_bench({verilog!r}, "top", icarus)
run_bench(build, "top", icarus, "fake_bench", MacroConfig(rows=4, columns=1), seed=5)
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_simulation_ends_with_its_caller(end, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    noted = tmp_path / "process"
    hangs = (
        "@bench_case()\nasync def hangs(dut):\n"
        f"    open({str(noted)!r}, 'w').write(f'{{os.getpid()}}.')\n    time.sleep(1000)"
    )
    (tmp_path / "fake_bench.py").write_text(BENCH.format(hangs))
    caller = subprocess.Popen([sys.executable, "-P", "-c", CALLER.format(verilog=VERILOG)])
    try:
        while not (noted.exists() and noted.read_text().endswith(".")):
            assert caller.poll() is None
            time.sleep(0.05)
    finally:
        caller.send_signal(end)
        caller.wait()
    assert ends(int(noted.read_text().removesuffix(".")))


def test_exit_code_and_output(tmp_path):
    command = [sys.executable, "-c", "import sys; print('out'); sys.exit('err')"]
    end = run_limited(command, directory=tmp_path, environment=os.environ, expired=after(60))
    assert end == (1, "out\nerr\n") or end == (1, "err\nout\n")
