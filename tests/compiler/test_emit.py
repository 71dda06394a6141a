# SPDX-License-Identifier: Apache-2.0
"""Descriptors of small networks, against what they must be by hand."""

from pathlib import Path
from typing import Any

import pytest

from cimple.compiler.compile import Compiled, compile_network
from cimple.hdl.npu.isa import Descriptor, Opcode, Queue, Rounding
from tests.compiler.networks import NetworkBuilder, npu


def compiled(builder: NetworkBuilder, directory: Path, **changes: Any) -> Compiled:
    return compile_network(builder.save(directory / "net.onnx"), npu(**changes))


def opcodes(made: Compiled) -> list[Opcode]:
    return [descriptor.opcode for descriptor in made.descriptors]


def subset(descriptor: Descriptor, names: str) -> dict[str, int]:
    return {name: descriptor[name] for name in names.split()}


def test_a_convolution_by_hand(tmp_path: Path) -> None:
    """5x6 pixels of 2 channels, 3x3 window, stride 2, a row of padding above, one at the left."""
    builder = NetworkBuilder([2, 5, 6]).conv(3, (3, 3), (2, 2), (1, 1, 0, 0))
    assert builder.shape == (3, 2, 3)
    made = compiled(builder, tmp_path, rows=20)
    assert opcodes(made) == [Opcode.LOAD_WEIGHTS, Opcode.COMPUTE, Opcode.REQUANTISE, Opcode.END]
    load, compute, requantise, _ = made.descriptors
    assert dict(load.values) == {
        "address": 0, "group": 0, "groups": 5, "bank": 0, "signal": 1 << Queue.COMPUTE,
    }
    source = made.source_address
    assert dict(compute.values) == {
        "start": (source - 14) % 2**32, "row_stride": 12, "row_bytes": 12, "origin_x": -2,
        "origin_y": -1, "height": 5, "run_bytes": 6, "step_x": 4, "step_y": 2, "row_step": 24,
        "out_width": 3, "out_height": 2, "skip": 0, "depth": 18, "zero_point": -11, "bank": 0,
        "wait": 1 << Queue.LOAD,
    }
    assert dict(requantise.values) == {
        "out_width": 3, "out_height": 2, "channels": 3, "channel": 0, "add_partial": 0,
        "keep_partial": 0, "rounding": Rounding.ONNX, "out_start": made.result_address,
        "out_pixel_stride": 3, "out_row_stride": 9, "clamp_low": -128, "clamp_high": 127,
        "zero_point": builder.zero_point, "stamp": 1, "stamp_index": 0,
    }


def test_a_pass_begins_within_a_row_of_the_window(tmp_path: Path) -> None:
    """18 bytes of a window in passes of 8: byte 8 is byte 2 of its second row, byte 16 of the third
    is byte 4."""
    builder = NetworkBuilder([2, 5, 6]).conv(3, (3, 3), (1, 1), (1, 0, 0, 0))
    made = compiled(builder, tmp_path, rows=8)
    computes = [d for d in made.descriptors if d.opcode is Opcode.COMPUTE]
    assert [subset(d, "origin_y skip depth") for d in computes] == [
        {"origin_y": -1, "skip": 0, "depth": 8},
        {"origin_y": 0, "skip": 2, "depth": 8},
        {"origin_y": 1, "skip": 4, "depth": 2},
    ]
    source = made.source_address
    assert [d["start"] for d in computes] == [(source + 12 * row) % 2**32 for row in (-1, 0, 1)]
    requantises = [d for d in made.descriptors if d.opcode is Opcode.REQUANTISE]
    assert [subset(d, "add_partial keep_partial stamp") for d in requantises] == [
        {"add_partial": 0, "keep_partial": 1, "stamp": 0},
        {"add_partial": 1, "keep_partial": 1, "stamp": 0},
        {"add_partial": 1, "keep_partial": 0, "stamp": 1},
    ]


def test_channels_are_tiles_with_parameters_at_multiples_of_the_lanes(tmp_path: Path) -> None:
    builder = NetworkBuilder([2, 1, 1]).conv(12, (1, 1))
    made = compiled(builder, tmp_path, columns=5, lanes=4)
    requantises = [d for d in made.descriptors if d.opcode is Opcode.REQUANTISE]
    assert [subset(d, "channel channels") for d in requantises] == [
        {"channel": 0, "channels": 5}, {"channel": 8, "channels": 5}, {"channel": 16, "channels": 2}
    ]
    assert [d["out_start"] - made.result_address for d in requantises] == [0, 5, 10]
    assert len(made.parameters) == 18
    assert made.parameters[5].multiplier == 0
    assert made.parameters[8].multiplier >= 1 << 30


def test_tokens_between_layers(tmp_path: Path) -> None:
    """The first COMPUTE of a layer waits for what makes its input; a pool needs no token."""
    builder = (
        NetworkBuilder([2, 4, 4]).conv(5, (1, 1)).max_pool((2, 2)).conv(3, (1, 1)).max_pool((2, 1))
    )
    made = compiled(builder, tmp_path, columns=4, banks=2)
    named = [
        (d.opcode.name, [q.name for q in d.waits_for()], [q.name for q in d.signals()])
        for d in made.descriptors
    ]
    assert named == [
        ("LOAD_WEIGHTS", [], ["COMPUTE"]),
        ("LOAD_WEIGHTS", [], ["COMPUTE"]),
        ("COMPUTE", ["LOAD"], ["LOAD"]),
        ("REQUANTISE", [], []),
        ("LOAD_WEIGHTS", ["COMPUTE"], ["COMPUTE"]),
        ("COMPUTE", ["LOAD"], []),
        ("REQUANTISE", [], []),
        ("MAX_POOL", [], ["COMPUTE"]),
        ("COMPUTE", ["LOAD", "VECTOR"], []),
        ("REQUANTISE", [], []),
        ("MAX_POOL", [], []),
        ("END", [], []),
    ]


def test_a_pool_by_hand(tmp_path: Path) -> None:
    builder = NetworkBuilder([3, 5, 4]).max_pool((3, 2), (2, 1), (1, 0, 1, 1))
    made = compiled(builder, tmp_path)
    pool, end = made.descriptors
    assert end == Descriptor(Opcode.END, {})
    assert dict(pool.values) == {
        "start": (made.source_address - 12) % 2**32, "row_stride": 12, "row_bytes": 12,
        "origin_x": 0, "origin_y": -1, "height": 5, "step_x": 3, "step_y": 2, "row_step": 24,
        "out_start": made.result_address, "out_pixel_stride": 3, "out_row_stride": 12,
        "clamp_low": -128, "clamp_high": 127, "pixel_bytes": 3, "out_width": 4, "out_height": 3,
        "kernel_width": 2, "kernel_height": 3, "channels": 3, "stamp": 1, "stamp_index": 0,
    }


def test_layers_beyond_the_stamps_leave_none(tmp_path: Path) -> None:
    builder = NetworkBuilder([1, 1, 1])
    for _ in range(18):
        builder.conv(1, (1, 1))
    made = compiled(builder, tmp_path, stamps=16)
    assert [layer.stamp for layer in made.layers] == [*range(16), None, None]
    stamped = [d["stamp_index"] for d in made.descriptors if d["stamp"]]
    assert stamped == list(range(16))


def test_a_network_without_layers_is_only_an_end(tmp_path: Path) -> None:
    made = compiled(NetworkBuilder([6]).reshape(1, 2, 3).flatten(), tmp_path)
    assert opcodes(made) == [Opcode.END]
    assert made.source_address == made.result_address


@pytest.mark.parametrize("turned", [False, True])
def test_a_fully_connected_layer_is_one_window(turned: bool, tmp_path: Path) -> None:
    made = compiled(NetworkBuilder([7]).gemm(3, turned=turned), tmp_path)
    compute = made.descriptors[1]
    assert subset(compute, "row_bytes run_bytes height out_width out_height depth") == {
        "row_bytes": 7, "run_bytes": 7, "height": 1, "out_width": 1, "out_height": 1, "depth": 7,
    }


def test_same_network_same_words(tmp_path: Path) -> None:
    builder = NetworkBuilder([2, 6, 6]).conv(7, (3, 3)).flatten().gemm(5)
    path = builder.save(tmp_path / "net.onnx")
    one, other = (compile_network(path, npu()) for _ in range(2))
    assert one.descriptors == other.descriptors
    assert one.weights == other.weights
