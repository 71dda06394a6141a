# SPDX-License-Identifier: Apache-2.0
"""Clock frequencies: the harness, nextpnr's report, and a design that is really placed."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from cimple.fpga.families import FAMILIES, Effort
from cimple.fpga.harness import harness, harness_name
from cimple.fpga.nextpnr import CriticalPath, Nextpnr, find_nextpnr, read_report
from cimple.fpga.nextpnr_log import Estimate
from cimple.fpga.nextpnr_netlist import fix_cells, set_in_netlist
from cimple.fpga.place import Placement, device_of, place
from cimple.fpga.resources import count_cells
from cimple.fpga.synthesis import NETLIST
from cimple.fpga.yosys import find_yosys
from cimple.hdl.errors import CimpleError
from cimple.hdl.generate import generate
from cimple.hdl.load import load_config

DEVICE = device_of(FAMILIES["ecp5"])


def step(kind: str, delay: float, start: str, end: str) -> dict:
    """A step of a path as nextpnr writes it."""
    return {"type": kind, "delay": delay, "from": {"cell": start}, "to": {"cell": end}}


REPORT = {
    "fmax": {"$glbnet$clk$TRELLIS_IO_IN": {"achieved": 152.8, "constraint": 12}},
    "utilization": {"TRELLIS_COMB": {"available": 83640, "used": 233}, "DCCA": {"used": 0}},
    "critical_paths": [
        {"from": "<async>", "to": "posedge clk", "path": [step("logic", 9, "pin", "x")]},
        {"from": "posedge clk", "to": "posedge clk", "path": [
            step("clk-to-q", 0.5, "a", "a"), step("routing", 1.25, "a", "b"),
            step("logic", 0.25, "b", "b"), step("routing", 0.75, "b", "c"),
            step("setup", 0.125, "c", "c"),
        ]},
    ],
}  # fmt: skip


def test_a_report_is_read():
    routed = read_report(REPORT)
    assert routed.fmax == 152.8
    assert routed.used == {"TRELLIS_COMB": 233}
    assert routed.path == CriticalPath("a", "c", logic_ns=0.875, routing_ns=2.0)


@pytest.mark.parametrize(
    "report",
    [
        {},
        [],
        {**REPORT, "fmax": {}},
        {**REPORT, "fmax": {"a": {"achieved": 1}, "b": {"achieved": 2}}},
        {**REPORT, "critical_paths": REPORT["critical_paths"][:1]},
    ],
)
def test_what_is_no_report_is_refused(report):
    with pytest.raises(ValueError, match="no clock frequency of a single clock"):
        read_report(report)


def program(tmp_path: Path, script: str) -> Nextpnr:
    """A stand-in for nextpnr."""
    path = tmp_path / "nextpnr-ecp5"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Nextpnr(str(path), "0.11")


def test_nextpnrs_errors_come_through(tmp_path):
    failing = program(tmp_path, "echo 'Info: fine'; echo 'ERROR: no BEL left' >&2; exit 1")
    with pytest.raises(CimpleError) as caught:
        failing.run(DEVICE, 3, tmp_path)
    assert str(caught.value).endswith(
        "ended with an error in LFE5U-85F, speed grade 6, seed 3: no BEL left"
    )


def test_a_report_of_an_earlier_run_is_not_taken(tmp_path):
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(CimpleError, match=r"its report cannot be read: .*No such file"):
        program(tmp_path, "exit 0").run(DEVICE, 1, tmp_path)


def netlist(path: Path, attributes: dict[str, str] | None = None) -> Path:
    """One with a block RAM and a LUT in its top module."""
    cells = {
        name: {"type": kind, "attributes": dict(attributes or {})}
        for name, kind in (("ram", "DP16KD"), ("lut", "LUT4"))
    }
    library = {"attributes": {}, "cells": {}}
    top = {"attributes": {"top": "1"}, "cells": cells}
    path.write_text(json.dumps({"modules": {"LUT4": library, "top": top}}))
    return path


def modules_of(path: Path):
    return json.loads(path.read_text())["modules"]


@pytest.mark.parametrize(("kind", "routes"), [("macro", False), ("npu", True)])
def test_npus_have_a_placer_and_a_router_that_come_to_an_end(kind, routes, tmp_path):
    echo = program(tmp_path, 'echo "$@" > options; exit 1')
    netlist(tmp_path / NETLIST)
    with pytest.raises(CimpleError, match="ended with an error"):
        echo.run(DEVICE, 1, tmp_path, DEVICE.effort_for(kind))
    options = (tmp_path / "options").read_text()
    modules = modules_of(tmp_path / NETLIST)
    assert "settings" not in modules["LUT4"]
    assert (modules["top"].get("settings", {}).get("router2/bbMargin/x") == "8") == routes
    assert ("router2/bbMargin/x=8" in DEVICE.flow(kind)) == routes
    assert "--placer-heap-timingweight 30" in options
    assert ("--router router2" in options) == routes == ("router2" in DEVICE.flow(kind))
    assert ("--placer static" in options) == routes
    assert "blocks-first=DP16KD" in DEVICE.flow(kind)


def test_blocks_keep_their_places_from_a_first_placement(tmp_path):
    """The first run only places; the second reads where the blocks are, and writes the report."""
    netlist(tmp_path / "placed", {"NEXTPNR_BEL": "X1/Y2/EBR0"})
    twice = program(
        tmp_path,
        """echo "$@" >> options
        case "$*" in
            *--no-route*) cp placed first.json;;
            *) grep -o X1/Y2/EBR0 netlist.json > seen; echo '{}' > report.json;;
        esac""",
    )
    netlist(tmp_path / NETLIST)
    said: list[str] = []
    effort = Effort(blocks_first=("DP16KD",))
    assert twice.execute((), 7, tmp_path, "here", said.append, effort) == {}
    first, second = (tmp_path / "options").read_text().splitlines()
    assert first.endswith("--no-route --write first.json")
    assert "--no-route" not in second
    assert second.endswith("--report report.json")
    assert all("--seed 7" in run for run in (first, second))
    # Of both cells only the block RAM.
    assert (tmp_path / "seen").read_text().split() == ["X1/Y2/EBR0"]
    assert modules_of(tmp_path / NETLIST)["top"]["cells"]["ram"]["attributes"] == {
        "BEL": "X1/Y2/EBR0"
    }


def test_where_there_are_no_blocks_one_placement_is_enough(tmp_path):
    once = program(tmp_path, """echo "$@" >> options; echo '{}' > report.json""")
    netlist(tmp_path / NETLIST)
    assert once.execute((), 7, tmp_path, "here", effort=Effort(blocks_first=("DP16KB",))) == {}
    assert len((tmp_path / "options").read_text().splitlines()) == 1


def test_cells_that_the_placed_netlist_lacks_stay_free(tmp_path):
    placed = netlist(tmp_path / "placed.json")
    before = netlist(tmp_path / NETLIST).read_text()
    assert fix_cells(tmp_path / NETLIST, placed, ["DP16KD", "LUT4"]) == 0
    assert json.loads(before) == json.loads((tmp_path / NETLIST).read_text())


@pytest.mark.parametrize(
    "content", [None, "no JSON", "[]", '{"modules": {"top": {"attributes": {}}}}']
)
def test_what_is_no_netlist_is_refused(content, tmp_path):
    broken = tmp_path / "broken.json"
    if content is not None:
        broken.write_text(content)
    with pytest.raises(CimpleError, match=r"broken\.json is no netlist with a top module"):
        set_in_netlist(broken, ["router2/bbMargin/x=8"])
    whole = netlist(tmp_path / NETLIST)
    with pytest.raises(CimpleError, match=r"broken\.json is no netlist with a top module"):
        fix_cells(whole, broken, ["DP16KD"])


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ('"nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-0.11.1)', "0.11"),
        ("nextpnr-ecp5 -- Next Generation Place and Route (Version 0.9-1+b2)", "0.9"),
    ],
)
def test_nextpnr_is_found(answer, version, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    path = program(tmp_path, f"echo '{answer}' >&2").command
    assert find_nextpnr("nextpnr-ecp5") == Nextpnr(path, version)


def test_the_oldest_nextpnr_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    message = r"nextpnr-ecp5 0\.6 or newer is needed: pip install 'cimple\[fpga\]'"
    with pytest.raises(CimpleError, match=message):
        find_nextpnr("nextpnr-ecp5")
    program(tmp_path, "echo '(Version 0.4-1)'")
    with pytest.raises(CimpleError, match=message):
        find_nextpnr("nextpnr-ecp5")


PORTS = [
    {"name": "clk", "direction": "input", "width": 1},
    {"name": "a", "direction": "input", "width": 2},
    {"name": "x", "direction": "output", "width": 3},
    {"name": "b", "direction": "input", "width": 1},
    {"name": "y", "direction": "output", "width": 1},
]
DESIGN = """\
module little (input clk, input [1:0] a, input b, output [2:0] x, output y);
  assign x = {b, a};
  assign y = a[0] & b;
endmodule
"""
BENCH = """\
module bench;
  reg clk = 0, scan_in = 0;
  wire scan_out;
  reg [199:0] bits = 200'h%x;
  integer i;
  little_in_harness dut (.clk(clk), .scan_in(scan_in), .scan_out(scan_out));
  initial for (i = 0; i < 200; i = i + 1) begin
    scan_in = bits[i]; #1; clk = 1; #1; clk = 0; $write("%%b", scan_out);
  end
endmodule
"""


def expected(bits: int) -> str:
    """What comes out of the harness around `little`, clock by clock."""
    scan = given = captured = folded = 0
    out = ""
    for i in range(200):
        a, b = given & 3, given >> 2
        result = a | b << 2 | (a & b & 1) << 3
        folded = (captured ^ folded << 1) & 15
        captured, given, scan = result, ~scan & 7, (scan << 1 | bits >> i & 1) & 7
        out += str(folded >> 3)
    return out


def test_all_ports_are_reached_through_three_pins(tmp_path):
    bits = 0x1F35_A7C2_9E04_D8B6_63E1_5A0F_7B92_C4D8_E6A1_3F5C_09
    text = DESIGN + harness("little", PORTS) + BENCH % bits
    (tmp_path / "all.v").write_text(text)
    subprocess.run(["iverilog", "-o", "all", "all.v"], cwd=tmp_path, check=True)
    result = subprocess.run(["vvp", "-n", "all"], cwd=tmp_path, capture_output=True, text=True)
    assert "1" in result.stdout
    # Registers without a reset: what is unknown at first is gone after one length of the chains.
    assert result.stdout.strip()[20:] == expected(bits)[20:]


@pytest.mark.xdist_group("yosys")
@pytest.mark.parametrize("family", ["ecp5", "ice40"])
def test_the_smallest_macro_is_placed(family):
    config, yosys = load_config("tiny_4x1"), find_yosys()
    design = generate(config)
    steps: list[str] = []
    nextpnr = find_nextpnr(device_of(FAMILIES[family]).tool)
    placed = place(design, FAMILIES[family], yosys, nextpnr, seeds=2, say=steps.append)
    assert steps == [
        "synthesis in a harness",
        "place and route, seed 1 of 2",
        "place and route, seed 2 of 2",
    ]
    assert len(placed.fmax) == 2
    low, high = {"ecp5": (80, 400), "ice40": (20, 100)}[family]
    assert all(low < fmax < high for fmax in placed.fmax)
    longest = placed.path.logic_ns + placed.path.routing_ns
    assert 1000 / longest == pytest.approx(min(placed.fmax), rel=0.02)
    assert re.match(r"dut\.|captured|given", placed.path.start)
    inputs, outputs = (
        sum(port["width"] for port in design.manifest["ports"] if port["direction"] == direction)
        for direction in ("input", "output")
    )
    # Two registers a bit: also before the inputs, where synthesis would merge equal ones. Some
    # outputs never change.
    if family == "ecp5":
        own = count_cells(config, design, FAMILIES[family], yosys).ff
        assert 2 * (inputs - 1) + outputs < placed.used["TRELLIS_FF"] - own
        assert placed.used["TRELLIS_FF"] - own <= 2 * (inputs - 1 + outputs)
    assert Placement.from_mapping(placed.to_mapping()).to_mapping() == placed.to_mapping()
    assert harness_name(design.name) == "tiny_4x1_in_harness"


def test_steps_are_told(tmp_path):
    said = []
    script = 'echo "Info: iter=310 steplen=2.03 a=158.0"; echo; exit 1'
    with pytest.raises(CimpleError):
        program(tmp_path, script).execute((), 1, tmp_path, "part", said.append)
    assert said == ["placing, iteration 310"]


PLACED = """\
echo "$@" > words
echo 'Info:   at iteration #2: temp = 0.0, timing cost = 7, wirelen = 431'
echo "Info: Max frequency for clock '\\$glbnet\\$clk': 76.02 MHz (PASS at 12.00 MHz)\""""


def test_a_design_is_placed_once_without_routing(tmp_path):
    netlist(tmp_path / NETLIST)
    effort = Effort(("--placer", "static"), blocks_first=("DP16KD",))
    found = program(tmp_path, PLACED).estimate(DEVICE, 4, tmp_path, effort)
    assert found == Estimate(wire=431, fmax=76.02)
    words = (tmp_path / "words").read_text()
    assert "--placer static" in words
    assert "--no-route" in words
    assert "--seed 4" in words
    with pytest.raises(CimpleError, match="its log cannot be read: it holds no placement with a"):
        program(tmp_path, "echo fine").estimate(DEVICE, 4, tmp_path)
