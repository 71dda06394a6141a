# SPDX-License-Identifier: Apache-2.0
"""The testbench in a simulation: asleep or awake, it sees and does the same in every cycle."""

import json
import os

import pytest

from cimple.hdl.macro import MacroConfig
from cimple.verif.bench.build import build_bench
from cimple.verif.bench.run import BenchRun, run_bench
from cimple.verif.bench.simulators import find_simulator

#: Takes bytes when it likes, gives each back 37 cycles later, and of itself 0xEE now and then.
#: A byte 0xFF makes `i__ready` undefined for one cycle, 30 cycles later.
DESIGN = """
module echo(clk, rst, i__payload, i__valid, i__ready, o__payload, o__valid, o__ready);
input clk, rst, i__valid, o__ready; input [7:0] i__payload;
output i__ready, o__valid; output [7:0] o__payload;
reg [7:0] held; reg [6:0] count; reg [7:0] clock; reg full; reg bad;
assign i__ready = bad ? 1'bx : !full && clock[1:0] == 2;
wire given = full && count == 37;
assign o__valid = given || clock == 200;
wire waits = o__valid && !o__ready;
assign o__payload = given ? held : 8'hee;
always @(posedge clk) begin
  if (!waits) clock <= clock + 1;
  bad <= full && held == 8'hff && count == 30;
  if (full && !waits) count <= count + 1;
  if (given && o__ready) full <= 0;
  if (i__valid && i__ready) begin full <= 1; count <= 0; held <= i__payload; end
  if (rst) begin full <= 0; clock <= 0; bad <= 0; end
end
endmodule
"""

BENCH = """
import json, os
from amaranth.hdl import unsigned
from cimple.verif.bench.case import bench_case
from cimple.verif.bench.testbench import Testbench

@bench_case(asleep=[0, 1])
async def follows(dut, asleep):
    tb, log, awake = Testbench(dut, patience=220), [], []
    tb.random.seed(7)
    pass_cycle = tb._pass_cycle

    async def pass_and_count():
        awake.append(tb.cycle)
        await pass_cycle()

    tb._pass_cycle = pass_and_count
    if not asleep:
        tb._may_sleep = False
    log_transfer = lambda *transfer: log.append([tb.cycle, *transfer])
    i = tb.add_source("i", unsigned(8), lambda t: log_transfer("i", t.value, t.since, t.cycle))
    o = tb.add_sink("o", unsigned(8), lambda t: log_transfer("o", t.value, t.since, t.cycle))
    try:
        await stimulate(tb, i, o, log)
    finally:
        log.append([tb.cycle, *(monitor.waited for monitor in tb.monitors.values())])
        with open(os.environ["ECHO_LOG"], "a") as file:
            json.dump({"log": log, "awake": len(awake)}, file)
            file.write("\\n")

async def stimulate(tb, i, o, log):
"""

TRAFFIC = """
    await tb.reset(2)
    await tb.step(1000)
    for pause in (1, 2, 3, 5, 36, 37, 38, 100, 2500):
        i.put(pause & 0x7F)
        await tb.step(pause)
    i.put(77)
    await tb.until(lambda: log[-1][1:3] == ["o", 77], "the last")
    o.hold()
    await tb.step(300)
    tb.set_stalls("none")
    await tb.step(3)
    await tb.reset()
    await tb.step(50)
    tb.set_stalls("heavy")
    i.put(1, 2, 3)
    await tb.step(600)
"""


@pytest.fixture
def echo(tmp_path, monkeypatch):
    """Run a stimulus asleep and awake; the run, and what each time was seen."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("ECHO_LOG", str(tmp_path / "log"))

    def run(simulator: str, stimulus: str) -> tuple[BenchRun, list[dict]]:
        (tmp_path / "echo_bench.py").write_text(BENCH + stimulus)
        found = find_simulator(simulator)
        build = build_bench(DESIGN, "echo", found)
        config = MacroConfig(rows=1, columns=1)
        ended = run_bench(build, "echo", found, "echo_bench", config, seed=3, timeout=60)
        assert (tmp_path / "log").exists(), ended.output
        return ended, [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]

    return run


def test_asleep_and_awake_see_the_same(echo):
    run, (awake, asleep) = echo("verilator", TRAFFIC)
    assert run.passed, run.output
    assert awake["log"] == asleep["log"]
    assert len(awake["log"]) > 30
    assert awake["awake"] == awake["log"][-1][0] - 3, "one wake-up a cycle, but for those of resets"
    # Stalls keep it awake for 600 cycles, held sinks for 300.
    assert asleep["awake"] < 0.4 * awake["awake"]


def test_patience_ends_in_the_same_cycle(echo):
    waiting = "    await tb.reset(2)\n    await tb.until(lambda: len(log) > 1, 'two')\n"
    run, (awake, asleep) = echo("verilator", waiting)
    assert [case.outcome for case in run.cases] == ["failed", "failed"]
    assert "no transfer for 220 cycles while waiting for two" in run.cases[1].message
    assert awake["log"] == asleep["log"]
    assert awake["log"] == [[202, "o", 0xEE, 202, 202], [202 + 221, 0, 0]]
    assert asleep["awake"] < 20


def test_every_cycle_is_watched_where_there_are_undefined_values(echo):
    sending = "    await tb.reset(2)\n    i.put(0xFF)\n    await tb.step(150)\n"
    run, (awake, asleep) = echo("icarus", sending)
    assert [case.outcome for case in run.cases] == ["failed", "failed"]
    assert "i.ready is not defined: X" in run.cases[1].message
    assert awake["log"] == asleep["log"]
