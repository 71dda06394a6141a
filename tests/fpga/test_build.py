# SPDX-License-Identifier: Apache-2.0
"""From Verilog to a bitstream with the real tools, for every board, around a core of some gates.

A core with an NPU takes minutes: that is what `cimple build` records.
"""

import os
from dataclasses import replace

import pytest

from cimple.fpga import build as build_module
from cimple.fpga.boards import BOARDS, Board
from cimple.fpga.build import Sources, board_sources, build
from cimple.fpga.flows import FLOWS
from cimple.fpga.top import BoardTop, clock_of
from cimple.host.commands.compile import load_npu

#: A counter at the pins of a core.
CORE = """
module core(input clk, input rst, input rx, output reg tx, output light, output failed);
  reg [23:0] count;
  reg kept;
  always @(posedge clk) begin
    kept <= rx;
    count <= rst ? 24'd0 : count + kept;
    tx <= count[3];
  end
  assign light = count[23], failed = count[22];
endmodule
"""
LEAST = load_npu("npu_least")
ALL = os.environ.get("CIMPLE_TEST_ALL") == "1"
#: One for each kind of part and of PLL.
SOME = ["ulx3s-12f", "ecpix5-45", "tang-nano-9k", "tang-nano-20k", "icebreaker"]
#: What a bitstream of a family begins with, somewhere in its first bytes.
SIGNATURES = {"ecp5": b"Part: LFE5U", "gw1n": b"1" * 64, "gw2a": b"1" * 64, "ice40": b"\xff\x00"}


@pytest.fixture
def small_core(monkeypatch):
    """The top level around `CORE`."""

    def sources(board: Board, config, say, signature_flip=0) -> Sources:
        platform = board.make_platform()
        hz, pll = clock_of(board, platform.default_clk_frequency)
        files = platform.prepare(BoardTop(board, pll, "core"), "top").files
        texts = [files["top.il"], files["top" + FLOWS[board.flow].constraints]]
        top, pins = (text.decode() if isinstance(text, bytes) else text for text in texts)
        return Sources(CORE, top, pins, hz)

    monkeypatch.setattr(build_module, "board_sources", sources)


@pytest.mark.xdist_group("yosys")
@pytest.mark.parametrize("name", BOARDS if ALL else SOME)
def test_the_tools_take_every_board(small_core, name):
    said = []
    made = build(BOARDS[name], LEAST, say=said.append)
    report = made.report
    assert report.in_time
    assert report.clock_mhz == pytest.approx(BOARDS[name].clock_hz / 1e6, rel=0.005)
    assert 20 < report.used["lut"] < 200
    assert 20 < report.used["ff"] < 100
    # The table says what nextpnr says of the part.
    assert report.available["lut"] == BOARDS[name].luts
    assert report.available["ff"] == BOARDS[name].ffs
    assert len(made.data) > 10_000
    assert SIGNATURES[BOARDS[name].flow] in made.data[:400]
    assert said[-1] == "bitstream"
    assert any(step.startswith("routing") for step in said)


@pytest.mark.xdist_group("yosys")
def test_what_is_too_large_is_not_placed(small_core):
    small = replace(BOARDS["ulx3s-12f"], ffs=10)
    made = build(small, LEAST)
    assert (made.data, made.report.fits, made.report.in_time) == (b"", False, False)


@pytest.mark.xdist_group("yosys")
def test_a_clock_that_is_too_fast_shows(small_core):
    made = build(replace(BOARDS["ulx3s-12f"], clock_hz=400_000_000), LEAST)
    assert made.report.fits
    assert not made.report.in_time


def test_a_seed_and_a_core_belong_to_one_board():
    """The core's Verilog is for the board's clock, and has its name in the text."""
    here, there = (board_sources(BOARDS[name], LEAST) for name in ("ulx3s-12f", "icebreaker"))
    assert here.core != there.core
    assert here.core == board_sources(BOARDS["ulx3s-12f"], LEAST).core
