# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Netlists under the bench of their design, and the cell models they are joined with."""

import re

import pytest

from cimple.fpga.cell_models import models_for, share_directory
from cimple.fpga.netlist import NETLISTS, netlist
from cimple.fpga.yosys import Yosys, find_yosys
from cimple.hdl.errors import CimpleError
from cimple.hdl.generate import Design, generate
from cimple.hdl.load import load_config
from cimple.verif.bench.build import build_bench
from cimple.verif.bench.run import BenchRun, run_bench
from cimple.verif.bench.simulators import find_simulator
from cimple.verif.bench.verify import bench_of

PRESET = "tiny_4x1"

#: A cell that every netlist of the family is made of.
LOOKUP_CELL = {"ecp5": "LUT4", "ice40": "SB_LUT4", "gowin": "LUT3"}

#: The contents of a lookup table.
TABLE = r"(?<=INIT\()(\d+)'h([0-9a-f]+)"

pytestmark = pytest.mark.xdist_group("yosys")


@pytest.fixture(scope="module")
def design() -> Design:
    return generate(load_config(PRESET))


def bench(verilog: str) -> BenchRun:
    config, simulator = load_config(PRESET), find_simulator("icarus")
    build = build_bench(verilog, PRESET, simulator)
    return run_bench(
        build, PRESET, simulator, bench_of(config), config, seed=1, first_failure=True
    )


def inverted(table: re.Match[str]) -> str:
    size = int(table[1])
    return f"{size}'h{~int(table[2], 16) & (1 << size) - 1:x}"


@pytest.mark.parametrize("family", NETLISTS)
def test_a_netlist_passes_the_bench(family, design):
    text = netlist(design.verilog, design.name, family, find_yosys())
    cell = LOOKUP_CELL[family]
    top = text[text.index(f"module {PRESET}(") :]
    assert len(re.findall(rf"^  {cell} ", top, re.MULTILINE)) > 20
    # No operator is left: what is simulated are the cells.
    assert "always" not in top
    run = bench(text)
    assert run.passed, [case for case in run.cases if case.outcome != "passed"]
    # It is the netlist that runs: with one lookup table inverted, it fails.
    assert not bench(text.replace(top, re.sub(TABLE, inverted, top, count=1))).passed


def test_an_unknown_family_is_refused(design):
    with pytest.raises(CimpleError, match="netlist must be one of ecp5, ice40, gowin, not 'xc7'"):
        netlist(design.verilog, design.name, "xc7", Yosys("yosys", "0.70"))


def test_only_the_models_that_are_used_are_taken(tmp_path):
    (tmp_path / "cells.v").write_text(
        '`timescale 1ps / 1ps\n`define DEPTH 4\n`include "more.vh"\n'
        "module USED(input a);\n  PART part(a);\nendmodule\n"
        "// module COMMENT(); endmodule\n"
        "module UNUSED(input a);\nendmodule\n"
    )
    (tmp_path / "more.vh").write_text('`include "cells.v"\n(* x *) module NO(); endmodule\n'
                                      "module PART(input a); endmodule\n")
    text = models_for("  USED cell(w);", tmp_path / "cells.v")
    assert text == (
        "`define DEPTH 4\nmodule USED(input a);\n  PART part(a);\nendmodule\n"
        "module PART(input a); endmodule\n"
    )


def test_a_missing_library_is_named(tmp_path):
    with pytest.raises(CimpleError, match=r"cells\.v: cannot read these models of Yosys"):
        models_for("", tmp_path / "cells.v")


def test_the_share_directory_is_found_beside_a_native_yosys(tmp_path, monkeypatch):
    command = tmp_path / "bin/yosys"
    command.parent.mkdir()
    command.touch(mode=0o755)
    with pytest.raises(CimpleError, match=r"has no cell models in .*share/yosys; install the whe"):
        share_directory(Yosys(str(command), "0.70"))
    share = tmp_path / "share/yosys"
    share.mkdir(parents=True)
    (share / "simcells.v").touch()
    assert share_directory(Yosys(str(command), "0.70")) == share
