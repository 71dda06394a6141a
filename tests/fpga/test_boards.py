# SPDX-License-Identifier: Apache-2.0
"""The table of boards: each has its parts, its pins, a clock that can be made, and an NPU."""

import re
from pathlib import Path

import pytest

from cimple.compiler.compile import compile_network
from cimple.fpga.boards import BOARDS, find_board
from cimple.fpga.clock import _KINDS, find_pll
from cimple.fpga.flows import FLOWS
from cimple.fpga.top import BoardTop, clock_of
from cimple.hdl.errors import CimpleError
from cimple.hdl.link.config import Protocol, WrapperConfig
from cimple.hdl.load import preset_files
from cimple.host.boards_record import digits_cycles

EACH = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
#: Presets that are on boards, but for the one that is there to show that nothing fits.
PRESETS = sorted({board.preset for board in BOARDS.values()} - {"npu_least"})


@EACH
def test_every_pad_has_a_pin_and_the_clock_is_right(board):
    platform = board.make_platform()
    hz, pll = clock_of(board, platform.default_clk_frequency)
    assert hz == pytest.approx(board.clock_hz, rel=0.005)
    files = platform.prepare(BoardTop(board, pll, "core"), "top").files
    constraints = files["top" + FLOWS[board.flow].constraints]
    text = constraints if isinstance(constraints, str) else constraints.decode()
    pads = set(re.findall(r"\w+__io\b", text))
    light = 3 if board.light == "rgb_led" else 1
    assert len(pads) == 4 + light, pads
    assert {"uart_0__rx__io", "uart_0__tx__io"} <= pads
    rtlil = files["top.il"]
    assert ("EHXPLLL" in rtlil or "rPLL" in rtlil) == (pll is not None)


@EACH
def test_the_serial_link_can_have_its_rate(board):
    platform = board.make_platform()
    hz, _ = clock_of(board, platform.default_clk_frequency)
    WrapperConfig(protocol=Protocol.UART, clock_hz=round(hz), baud=board.baud)


@EACH
def test_options_name_the_part(board):
    options = FLOWS[board.flow].options(board.make_platform(), 50.0)
    sizes = re.findall(r"\d+", board.part.split("-")[-1])
    assert any(sizes[-1] in option for option in options), options
    assert board.preset in preset_files()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_npu_runs_the_digits(preset, root):
    board = next(board for board in BOARDS.values() if board.preset == preset)
    network: Path = root / "examples/digits/digits.onnx"
    compiled = compile_network(network, board.npu())
    assert compiled.report.cycles == digits_cycles(board.npu(), network)
    assert (compiled.report.cycles or 0) > 1000


def test_what_runs_no_digits_has_no_cycles(root):
    least = BOARDS["icebreaker"].npu()
    assert digits_cycles(least, root / "examples/digits/digits.onnx") is None
    with pytest.raises(CimpleError, match="run from the project's folder"):
        digits_cycles(least, root / "nowhere.onnx")


def test_a_wrong_name_is_refused_with_the_right_one():
    with pytest.raises(CimpleError, match="did you mean ulx3s-85f"):
        find_board("ulx3s85f")
    with pytest.raises(CimpleError, match="boards are: ulx3s-12f, "):
        find_board("versa")


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("wanted", [20e6, 33.3e6, 50e6, 66e6, 75e6, 81e6, 100e6])
@pytest.mark.parametrize("oscillator", [12e6, 25e6, 27e6, 48e6, 100e6])
def test_plls_are_within_the_data_sheet(kind, wanted, oscillator):
    limits = _KINDS[kind]
    try:
        pll = find_pll(kind, oscillator, wanted)
    except CimpleError:
        ratios = [m / d for d in limits.dividers for m in limits.multipliers
                  if oscillator / d >= limits.lowest_compare]
        assert all(abs(oscillator * ratio / wanted - 1) > 0.005 for ratio in ratios)
        return
    assert pll.output_hz == pytest.approx(wanted, rel=0.005)
    assert pll.output_hz == oscillator * pll.multiplier / pll.divider
    assert pll.vco_hz == pytest.approx(pll.output_hz * pll.vco_divider)
    assert limits.vco[0] <= pll.vco_hz <= limits.vco[1]
    assert oscillator / pll.divider >= limits.lowest_compare


def test_a_clock_that_no_pll_makes_is_refused():
    with pytest.raises(CimpleError, match="no setting of the PLL makes 900 MHz of 25 MHz"):
        find_pll("ecp5", 25e6, 900e6)
