# SPDX-License-Identifier: Apache-2.0
"""Descriptors of the vector engine's layers, against what they must be by hand; their tokens."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimple.compiler.compile import Compiled, compile_network
from cimple.hdl.npu.isa import Descriptor, Opcode, Queue, Rounding
from cimple.host.assemble import assemble
from cimple.host.client import NpuClient
from cimple.host.devices.golden import GoldenDevice
from tests.compiler.networks import npu
from tests.compiler.tflite_networks import RELU, SAME, TfliteBuilder


def compiled(builder: TfliteBuilder, directory: Path, **changes: Any) -> Compiled:
    return compile_network(builder.save(directory / "net.tflite"), npu(**changes))


def of_kind(made: Compiled, opcode: Opcode) -> list[Descriptor]:
    return [descriptor for descriptor in made.descriptors if descriptor.opcode is opcode]


def subset(descriptor: Descriptor, names: str) -> dict[str, int]:
    return {name: descriptor[name] for name in names.split()}


def tokens(made: Compiled) -> list[tuple[str, list[str], list[str]]]:
    return [
        (d.opcode.name, [q.name for q in d.waits_for()], [q.name for q in d.signals()])
        for d in made.descriptors
    ]


def zero_point(builder: TfliteBuilder, tensor: int) -> int:
    return int(builder.tensors[tensor]["zeros"][0])


def test_a_depthwise_convolution_by_hand(tmp_path: Path) -> None:
    """5x4 pixels of 6 channels in lanes of 4, 3x3 with stride 2: a pixel above and at the left,
    none of the second group's bytes in the first."""
    builder = TfliteBuilder([5, 4, 6], 2).depthwise((3, 3), (2, 2), SAME)
    made = compiled(builder, tmp_path, lanes=4)
    loads, (first, second) = of_kind(made, Opcode.LOAD_TAPS), of_kind(made, Opcode.DEPTHWISE)
    # A tap is a word of the port.
    assert [dict(load.values) for load in loads] == [
        {"address": 0, "taps": 9, "bank": 0, "signal": 1 << Queue.VECTOR},
        {"address": 72, "taps": 9, "bank": 1, "signal": 1 << Queue.VECTOR},
    ]
    source, result = made.source_address, made.result_address
    assert dict(first.values) == {
        "start": (source - 24) % 2**32, "row_stride": 24, "row_bytes": 24, "origin_x": 0,
        "origin_y": -1, "height": 5, "step_x": 12, "step_y": 2, "row_step": 48,
        "pixel_bytes": 6, "out_width": 2, "out_height": 3, "kernel_width": 3, "kernel_height": 3,
        "channels": 4, "padding": zero_point(builder, 0), "bank": 0, "out_start": result,
        "out_pixel_stride": 6, "out_row_stride": 12, "clamp_low": -128, "clamp_high": 127,
        "zero_point": zero_point(builder, builder.current), "rounding": Rounding.TFLITE,
        "channel": 0, "wait": 1 << Queue.LOAD,
    }
    assert dict(second.values) == dict(first.values) | {
        "start": (source - 20) % 2**32, "origin_x": 4, "channels": 2, "out_start": result + 4,
        "channel": 4, "bank": 1, "stamp": 1, "stamp_index": 0,
    }


def test_kernels_in_the_weight_memory(tmp_path: Path) -> None:
    """Tap after tap, a lane a channel, filled up to whole words."""
    builder = TfliteBuilder([5, 4, 6], 2).depthwise((3, 2))
    made = compiled(builder, tmp_path, lanes=4, weight_port=8)
    weights = builder.tensors[builder.operators[0]["inputs"][1]]["values"].reshape(6, 6)
    stored = np.frombuffer(made.weights, np.int8).reshape(2, 6, 8)
    np.testing.assert_array_equal(stored[0, :, :4], weights[:, :4])
    np.testing.assert_array_equal(stored[1, :, :2], weights[:, 4:])
    assert not stored[0, :, 4:].any()
    assert not stored[1, :, 2:].any()


def test_kernels_are_loaded_ahead_into_two_banks(tmp_path: Path) -> None:
    """The third group's wait for the first one's end, and so on."""
    builder = TfliteBuilder([4, 4, 15], 2).depthwise((2, 2))
    made = compiled(builder, tmp_path, lanes=4)
    assert tokens(made) == [
        ("LOAD_TAPS", [], ["VECTOR"]),
        ("LOAD_TAPS", [], ["VECTOR"]),
        ("DEPTHWISE", ["LOAD"], ["LOAD"]),
        ("LOAD_TAPS", ["VECTOR"], ["VECTOR"]),
        ("DEPTHWISE", ["LOAD"], ["LOAD"]),
        ("LOAD_TAPS", ["VECTOR"], ["VECTOR"]),
        ("DEPTHWISE", ["LOAD"], []),
        ("DEPTHWISE", ["LOAD"], []),
        ("END", [], []),
    ]
    assert [d["bank"] for d in of_kind(made, Opcode.LOAD_TAPS)] == [0, 1, 0, 1]
    assert [d["bank"] for d in of_kind(made, Opcode.DEPTHWISE)] == [0, 1, 0, 1]


def test_weights_and_kernels_wait_each_for_their_own(tmp_path: Path) -> None:
    builder = TfliteBuilder([4, 4, 3], 2)
    builder.depthwise((2, 2)).conv(4, (1, 1)).depthwise((2, 2)).conv(3, (1, 1)).depthwise((1, 1))
    made = compiled(builder, tmp_path, banks=1, lanes=4)
    assert tokens(made) == [
        ("LOAD_TAPS", [], ["VECTOR"]),
        ("LOAD_WEIGHTS", [], ["COMPUTE"]),
        ("LOAD_TAPS", [], ["VECTOR"]),
        ("DEPTHWISE", ["LOAD"], ["LOAD", "COMPUTE"]),
        ("LOAD_TAPS", ["VECTOR"], ["VECTOR"]),
        ("COMPUTE", ["LOAD", "VECTOR"], ["LOAD"]),
        ("REQUANTISE", [], []),
        ("LOAD_WEIGHTS", ["COMPUTE"], ["COMPUTE"]),
        ("DEPTHWISE", ["LOAD"], ["COMPUTE"]),
        ("COMPUTE", ["LOAD", "VECTOR"], []),
        ("REQUANTISE", [], []),
        ("DEPTHWISE", ["LOAD"], []),
        ("END", [], []),
    ]


def test_an_older_source_needs_no_token_again(tmp_path: Path) -> None:
    """Both convolutions read the pool's result; the first one has waited for it."""
    builder = TfliteBuilder([4, 4, 3], 2).max_pool((2, 2), (1, 1), SAME)
    fork = builder.current
    one = builder.conv(3, (1, 1)).current
    builder.go_back(fork).conv(3, (1, 1)).add(one)
    builder.conv(2, (1, 1))
    made = compiled(builder, tmp_path, banks=4)
    waits = [d.waits_for() for d in of_kind(made, Opcode.COMPUTE)]
    both = [Queue.LOAD, Queue.VECTOR]
    assert waits == [both, [Queue.LOAD], both]
    signals = {d.opcode for d in made.descriptors if Queue.COMPUTE in d.signals()}
    assert signals == {Opcode.LOAD_WEIGHTS, Opcode.MAX_POOL, Opcode.ADD}


def test_an_addition_by_hand(tmp_path: Path) -> None:
    builder = TfliteBuilder([3, 4, 5], 2).max_pool((1, 1), (1, 1))
    one = builder.current
    builder.go_back(0).max_pool((1, 1), (1, 1)).add(one, RELU)
    made = compiled(builder, tmp_path, lanes=4)
    (add,) = of_kind(made, Opcode.ADD)
    # The one with the larger scale comes first, and is halved.
    scales = [builder.tensors[layer["output"]]["scales"][0] for layer in builder.operators[:2]]
    places = [made.layers[index].address for index in (0, 1)]
    if builder.operators[-1]["inputs"][0] != one:
        places.reverse()
        scales.reverse()
    if scales[1] > scales[0]:
        places.reverse()
    zero = zero_point(builder, builder.current)
    assert dict(add.values) == {
        "start": places[0], "other_start": places[1], "bytes": 60,
        "out_start": made.result_address, "clamp_low": zero, "clamp_high": 127,
        "zero_point": zero, "channel": 0, "stamp": 1, "stamp_index": 2,
    }
    # Four equal ones of the second image and of the sum.
    assert [len(set(made.parameters[n : n + 4])) for n in (0, 4)] == [1, 1]
    assert len(made.parameters) == 8


def test_an_average_pool_by_hand(tmp_path: Path) -> None:
    """2x2 over 3x3, padded below and at the right: windows of four, two and one pixel."""
    builder = TfliteBuilder([3, 3, 6], 2).average_pool((2, 2), (1, 1), SAME)
    made = compiled(builder, tmp_path, lanes=4)
    pools = of_kind(made, Opcode.AVERAGE_POOL)
    source, result = made.source_address, made.result_address
    names = "start origin_x origin_y out_width out_height out_start channel channels rounding"
    assert [subset(pool, names) for pool in pools] == [
        {"start": source + 18 * y + 6 * x, "origin_x": 6 * x, "origin_y": y, "out_width": width,
         "out_height": height, "out_start": result + 18 * y + 6 * x, "channel": channel,
         "channels": 6, "rounding": Rounding.TFLITE_SINGLE}
        for y, x, height, width, channel in (
            (0, 0, 2, 2, 0), (0, 2, 2, 1, 4), (2, 0, 1, 2, 4), (2, 2, 1, 1, 8),
        )
    ]
    assert [pool["zero_point"] for pool in pools] == [0, 0, 0, 0]


@pytest.mark.parametrize("depth", [1, 16])
@pytest.mark.parametrize("banks", [1, 4])
def test_no_order_of_the_queues_changes_or_stops_a_program(
    depth: int, banks: int, tmp_path: Path
) -> None:
    """The golden model draws an order; the memory is as small as it can be."""
    builder = TfliteBuilder([6, 6, 9], 5).conv(9, (3, 3), padding=SAME)
    fork = builder.current
    builder.depthwise((3, 3), padding=SAME).conv(9, (1, 1)).add(fork)
    builder.average_pool((3, 3), (2, 2), SAME).depthwise((2, 2)).fully_connected(7)
    made = compiled(
        builder, tmp_path, queue_depth=depth, banks=banks, descriptors=512,
        activation_bytes=1024, weight_bytes=8192,
    )
    images = builder.images(2)
    found = []
    for seed in range(6):
        with GoldenDevice(made.config) as device:
            device.model.seed = seed
            client = NpuClient(device)
            client.load(assemble(made))
            found.append(client.infer(images).outputs)
    for outputs in found[1:]:
        np.testing.assert_array_equal(outputs, found[0])
