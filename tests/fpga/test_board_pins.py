# SPDX-License-Identifier: Apache-2.0
"""Whole bitstreams, as Verilog, driven by their pins: self-test, light, button, and digits.

CIMPLE_TEST_ALL=1 has digits classified on every preset that is on a board, and by the netlist that
nextpnr is given for one.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimple.compiler.compile import compile_network
from cimple.fpga.boards import BOARDS, Board
from cimple.fpga.build import board_sources
from cimple.fpga.flows import FLOWS
from cimple.hdl.npu.packets import Request, header
from cimple.host.assemble import assemble
from cimple.host.client import NpuClient
from cimple.host.commands.compile import load_npu
from cimple.host.oracle import run_network
from tests.fpga.board_netlist import board_netlist
from tests.fpga.pins import BoardPins, PinDevice, open_pins

#: One board a family, one with an RGB light; the smallest NPU is enough for all but digits.
SMALL = ["ulx3s-12f", "icebreaker", "orangecrab-25f", "tang-nano-20k"]
LEAST = load_npu("npu_least")
#: Whether every preset classifies digits, which takes minutes.
ALL = os.environ.get("CIMPLE_TEST_ALL") == "1"
DIGITS = ["tang-nano-9k", *(["ulx3s-25f", "ulx3s-45f", "ulx3s-85f"] if ALL else [])]
#: Boards whose netlist does so, too, which takes minutes to synthesise and to compile.
GATES = ["ulx3s-25f"]


def until_text(pins: BoardPins, cycles: int = 200_000, step: int = 5000) -> str:
    """Run until a line has come; the line."""
    said = b""
    for _ in range(cycles // step):
        said += pins.run(step).data
        if b"\n" in said:
            return said.lstrip(b"\0").split(b"\r\n")[0].decode()
    raise AssertionError(f"no line in {cycles} cycles: {said!r}")


@pytest.mark.parametrize("name", SMALL if ALL else SMALL[:2])
def test_the_self_test_passes(name):
    board = BOARDS[name]
    sources = board_sources(board, LEAST)
    with open_pins(board, sources, board.baud) as pins:
        assert pins.run(1000).light, "it is on at first"
        assert until_text(pins) == f"cimple {name} self-test passed"
        after = pins.run(200_000)
        assert (after.changes, after.light) == (0, True)
        # The link is there, and what it says is a frame.
        device = PinDevice(pins, sources.clock_hz, board.baud)
        assert device.transact([header(Request.SYNC, 9), 77])[1:] == [77]
        # The button begins everything anew.
        pins.run(200, pressed=True)
        assert until_text(pins) == f"cimple {name} self-test passed"
        anew = PinDevice(pins, sources.clock_hz, board.baud, session=2)
        assert anew.transact([header(Request.SYNC, 9), 78])[1:] == [78]


def test_a_self_test_that_fails_shows_it():
    """A slow clock, so that the light blinks within some thousand cycles."""
    board = BOARDS["icebreaker"]
    sources = board_sources(board, LEAST, signature_flip=1)
    with open_pins(board, sources, board.baud) as pins:
        assert until_text(pins) == "cimple icebreaker self-test failed"
        # Eight times a second on and off.
        seen = pins.run(round(sources.clock_hz / 2))
        assert 7 <= seen.changes <= 9
        # The NPU can be asked what is wrong.
        device = PinDevice(pins, sources.clock_hz, board.baud)
        assert device.transact([header(Request.SYNC, 9), 77])[1:] == [77]


@pytest.mark.parametrize("name", DIGITS)
def test_digits_through_the_pins(name, root, digits_data):
    """Loaded and run over the serial line; results are onnxruntime's, cycles the model's."""
    classify(BOARDS[name], root / "examples/digits/digits.onnx", digits_data)


@pytest.mark.skipif(not ALL, reason="takes some minutes: set CIMPLE_TEST_ALL=1")
@pytest.mark.parametrize("name", GATES)
def test_digits_through_the_pins_of_a_netlist(name, root, digits_data, tmp_path):
    """Of LUTs, carry chains, flip-flops, memories and multipliers, at the board's own rate."""
    board = BOARDS[name]
    netlist = board_netlist(board_sources(board, board.npu()), FLOWS[board.flow], tmp_path)
    classify(board, root / "examples/digits/digits.onnx", digits_data, netlist)


def classify(board: Board, network: Path, digits_data: Any, netlist: str = "") -> None:
    """Two images; the Verilog does it, or a netlist."""
    config = board.npu()
    images, labels = digits_data
    program = assemble(compile_network(network, config))
    sources = board_sources(board, config)
    with open_pins(board, sources, board.baud, netlist) as pins:
        assert until_text(pins, 4_000_000) == f"cimple {board.name} self-test passed"
        client = NpuClient(PinDevice(pins, sources.clock_hz, board.baud))
        client.load(program)
        found = client.infer(images)
    assert found.outputs.argmax(axis=1).tolist() == labels.tolist()
    assert np.array_equal(found.outputs, run_network(network, images))
    if not config.macro.skip_zero_planes:
        assert set(found.cycles.tolist()) == {program.manifest.report.cycles}


@pytest.fixture
def digits_data(root: Path):
    """Two images that were held back, and what they are."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("digits_data", root / "examples/digits/data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    images, labels = module.held_back()
    return images[:2], labels[:2]
