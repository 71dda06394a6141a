# SPDX-License-Identifier: Apache-2.0
"""Idle benches: cocotb and the C++ program simulate the same cycles, and both are timed."""

import re
from pathlib import Path

import pytest

from cimple.hdl.errors import CimpleError
from cimple.hdl.generate import generate
from cimple.hdl.macro import MacroConfig
from cimple.verif.bench import speed
from cimple.verif.bench.protocol import IdlePlan
from cimple.verif.bench.simulators import find_simulator
from cimple.verif.bench.speed import Speed, measure_speed

# Payloads of up to 32 and 64 bits, and of more than that.
CONFIG = MacroConfig(name="idle_12x2", rows=12, columns=2, banks=2)


def test_both_simulate_the_same_and_are_timed():
    said = []
    found = measure_speed(CONFIG, vectors=3, pause=50, runs=2, progress=said.append)
    assert said == ["build the model", "run 1 of 2", "run 2 of 2"]
    assert (found.vectors, found.pause) == (3, 50)
    assert len(found.cpp) == len(found.cocotb) == 2
    # A cycle takes more than 10 ns and less than 100 ms, whatever else the computer does.
    assert all(10 < rate < 1e8 for rate in (*found.cpp, *found.cocotb))
    assert 0 < found.vector_seconds < 10


def test_the_ratio_is_that_of_runs_beside_each_other():
    # The computer was busier from run to run.
    found = Speed(1, 1, cpp=(900.0, 400.0, 10.0), cocotb=(600.0, 100.0, 5.0), vector_seconds=0.1)
    assert found.ratio == 2.0


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What a bench saw; and a function that replays a changed record."""
    work = tmp_path_factory.mktemp("speed")
    plan = IdlePlan(4, 30, str(work / "transfers"), str(work / "result.json"))
    simulator = find_simulator("verilator")
    design = generate(CONFIG)
    build = speed._build(design, simulator)
    seen = speed._run_cocotb(CONFIG, build, design.name, simulator, plan, seed=1)
    lines = Path(plan.transfers).read_text()

    def replay(changed: str) -> int:
        Path(plan.transfers).write_text(changed)
        return speed._run_cpp(build, work, simulator, plan, seen["first"])

    return lines, replay


def test_a_replay_of_what_was_recorded(recorded):
    lines, replay = recorded
    streams = [line.split()[0] for line in lines.splitlines()]
    assert streams.count("i") == streams.count("o") == 4
    assert streams.count("w") == CONFIG.groups * CONFIG.banks * CONFIG.rows_per_group
    assert replay(lines) > 0


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        # Every output one more than it was.
        (r"^(o \d+ \d+) (\w+)", lambda m: f"{m[1]} {int(m[2], 16) ^ 1:x}", "stream o: another"),
        (r"^(o \d+) (\d+)", lambda m: f"{m[1]} {int(m[2]) - 1}", "stream o: no transfer"),
        (r"^(i \d+) (\d+)", lambda m: f"{m[1]} {int(m[2]) + 1}", "stream i: a transfer that"),
        (r"^o .*\n", lambda m: "", "stream o: a transfer that was not recorded"),
        (r"\Z", lambda m: "read_data 9999999 9999999 0 0\n", "read_data: a recorded transfer is"),
        # A vector that is not the recorded one has another sum.
        (r"^(i \d+ \d+) (\w+)", lambda m: f"{m[1]} {int(m[2], 16) ^ 0xFFFF:x}", "stream o: "),
    ],
)  # fmt: skip
def test_a_replay_that_differs_is_noticed(recorded, pattern, replacement, complaint):
    lines, replay = recorded
    changed = re.sub(pattern, replacement, lines, flags=re.MULTILINE)
    assert changed != lines
    with pytest.raises(CimpleError, match=f"not what the bench saw: .*{complaint}"):
        replay(changed)
