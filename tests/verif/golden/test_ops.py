# SPDX-License-Identifier: Apache-2.0
"""Layers on the golden NPU, mapped by hand, against onnxruntime's integer kernels."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from cimple.hdl.npu.isa import Opcode, Queue, Rounding
from cimple.hdl.npu.packets import Memory
from tests.oracles import ort
from tests.verif.golden.machine import Machine, npu

Int8 = NDArray[np.int8]
LOAD, COMPUTE, VECTOR, FETCH = (1 << queue for queue in Queue)
CONFIG = npu(
    20, 8, "lookup", 2, activation_bytes=8192, weight_bytes=8192, partial_sum_words=256,
    descriptors=128,
)
OUTPUT = 4096


def group_bytes(weights: Int8) -> bytes:
    """Rows of weights (K, channels) in row groups, as the weight memory holds them."""
    macro = CONFIG.macro
    rows = -(-len(weights) // macro.rows_per_group) * macro.rows_per_group
    filled = np.zeros((rows, macro.columns), np.int8)
    filled[: len(weights), : weights.shape[1]] = weights
    size = CONFIG.row_words * CONFIG.weight_port
    return b"".join(row.tobytes().ljust(size, b"\0") for row in filled)


def convolve(
    x: Int8, w: Int8, bias: NDArray[np.int64], scales, points, strides, pads
) -> Int8:
    """A QLinearConv of x (H, W, C) and w (M, KH, KW, C) in channel tiles and passes."""
    machine, macro = Machine(CONFIG), CONFIG.macro
    (height, width, pixel), (channels, kernel, run, _) = x.shape, w.shape
    run *= pixel
    matrix = w.reshape(channels, -1).T
    machine.write(Memory.ACTIVATIONS, 0, x)
    multiplier, shift = (np.broadcast_to(v, channels) for v in ort.encode_scale(*scales))
    folded = bias - (128 + points[0]) * matrix.astype(np.int64).sum(axis=0)
    machine.parameters(0, [(int(b), int(m), int(s)) for b, m, s in
                           zip(folded, multiplier, shift, strict=True)])
    out = [(size + pads[axis] + pads[axis + 2] - taps) // strides[axis] + 1
           for axis, (size, taps) in enumerate(((height, kernel), (width, w.shape[2])))]
    window = {
        "row_stride": width * pixel, "row_bytes": width * pixel, "height": height,
        "step_x": strides[1] * pixel, "step_y": strides[0], "run_bytes": run,
        "row_step": strides[0] * width * pixel, "origin_x": -pads[1] * pixel,
        "out_height": out[0], "out_width": out[1], "zero_point": points[0],
    }
    place, program = 0, []
    for first in range(0, channels, macro.columns):
        some = min(macro.columns, channels - first)
        starts = [*range(0, len(matrix), macro.rows), len(matrix)]
        for begin, end in pairwise(starts):
            part = group_bytes(matrix[begin:end, first : first + some])
            machine.write(Memory.WEIGHTS, place, np.frombuffer(part, np.int8))
            groups = -(-(end - begin) // macro.rows_per_group)
            row, skip = divmod(begin, run)
            address = (row - pads[0]) * width * pixel - pads[1] * pixel
            wait = VECTOR if program else 0
            program.append((Opcode.LOAD_WEIGHTS, {
                "address": place, "groups": groups, "signal": COMPUTE, "wait": wait}))
            program.append((Opcode.COMPUTE, window | {
                "start": address % (1 << 32), "origin_y": row - pads[0], "skip": skip,
                "depth": end - begin, "wait": LOAD}))
            program.append((Opcode.REQUANTISE, {
                "out_height": out[0], "out_width": out[1], "out_start": OUTPUT + first,
                "out_pixel_stride": channels, "out_row_stride": channels * out[1],
                "clamp_low": -128, "clamp_high": 127, "zero_point": points[1],
                "rounding": Rounding.ONNX, "channels": some, "channel": first, "signal": LOAD,
                "add_partial": int(begin > 0), "keep_partial": int(end < len(matrix))}))
            place += len(part)
    program[-1][1]["signal"] = 0
    assert machine.run(*program).status == 0
    return machine.read(Memory.ACTIVATIONS, OUTPUT, out[0] * out[1] * channels).reshape(
        *out, channels
    )


@pytest.mark.parametrize(
    ("image", "kernel", "channels", "strides", "pads"),
    [
        ((5, 6, 3), (3, 3), 4, (1, 1), (1, 1, 1, 1)),
        ((7, 5, 2), (3, 2), 8, (2, 1), (0, 1, 2, 0)),
        ((8, 8, 1), (5, 5), 5, (1, 2), (2, 2, 2, 2)),  # 25 taps in 2 passes
        ((4, 4, 9), (3, 3), 11, (1, 1), (1, 1, 1, 1)),  # 81 taps in 5 passes, 2 channel tiles
        ((6, 3, 7), (1, 1), 3, (2, 2), (0, 0, 0, 0)),
        ((1, 1, 100), (1, 1), 10, (1, 1), (0, 0, 0, 0)),  # fully connected
    ],
)
@pytest.mark.parametrize("points", [(0, 0), (-128, -128), (37, -5), (127, 127)])
def test_convolutions(image, kernel, channels, strides, pads, points) -> None:
    random = np.random.default_rng([*image, *kernel, channels, 128 + points[0]])
    x = random.integers(-128, 128, image).astype(np.int8)
    w = random.integers(-128, 128, (channels, *kernel, image[2])).astype(np.int8)
    depth = w[0].size
    bias = random.integers(-2000 * depth, 2000 * depth, channels)
    w_scale = (random.uniform(0.3, 1.5, channels) / (60 * np.sqrt(depth))).astype(np.float32)
    scales = (0.02, w_scale, 0.05)
    expected = ort.qlinear_conv(
        x.transpose(2, 0, 1)[np.newaxis], w.transpose(0, 3, 1, 2).copy(), bias.astype(np.int32),
        (0.02, w_scale.tolist(), 0.05), points, strides=strides, pads=pads,
    )[0].transpose(1, 2, 0)
    assert np.array_equal(convolve(x, w, bias, scales, points, strides, pads), expected)
    assert len(np.unique(expected)) > 3


def test_fully_connected_is_qgemm() -> None:
    random = np.random.default_rng(3)
    x = random.integers(-128, 128, (1, 1, 70)).astype(np.int8)
    w = random.integers(-128, 128, (9, 1, 1, 70)).astype(np.int8)
    bias, points = random.integers(-9000, 9000, 9), (-20, 11)
    scales = (0.02, 0.001, 0.04)
    golden = convolve(x, w, bias, scales, points, (1, 1), (0, 0, 0, 0))
    matrix = w.reshape(9, 70).T.copy()
    expected = ort.qgemm(x.reshape(1, 70), matrix, bias.astype(np.int32), scales, points)
    assert golden.ravel().tolist() == expected.ravel().tolist()


@pytest.mark.parametrize(
    ("image", "kernel", "strides", "pads"),
    [
        ((6, 6, 4), (2, 2), (2, 2), (0, 0, 0, 0)),
        ((5, 7, 3), (3, 3), (1, 2), (1, 1, 1, 1)),
        ((4, 3, 19), (3, 2), (2, 1), (2, 0, 1, 1)),
    ],
)
def test_max_pools(image, kernel, strides, pads) -> None:
    random = np.random.default_rng([*image, *kernel])
    x = random.integers(-128, 128, image).astype(np.int8)
    height, width, channels = image
    machine = Machine(CONFIG)
    machine.write(Memory.ACTIVATIONS, 0, x)
    out = [(size + pads[axis] + pads[axis + 2] - kernel[axis]) // strides[axis] + 1
           for axis, size in enumerate((height, width))]
    row = width * channels
    machine.run((Opcode.MAX_POOL, {
        "start": (-pads[0] * row - pads[1] * channels) % (1 << 32), "row_stride": row,
        "row_bytes": row, "height": height, "origin_y": -pads[0], "origin_x": -pads[1] * channels,
        "step_y": strides[0], "step_x": strides[1] * channels, "row_step": strides[0] * row,
        "pixel_bytes": channels, "kernel_height": kernel[0], "kernel_width": kernel[1],
        "channels": channels, "clamp_low": -128, "clamp_high": 127, "out_height": out[0],
        "out_width": out[1], "out_start": OUTPUT, "out_pixel_stride": channels,
        "out_row_stride": out[1] * channels}))
    expected = ort.max_pool(x.transpose(2, 0, 1)[np.newaxis], kernel, strides=strides, pads=pads)
    golden = machine.read(Memory.ACTIVATIONS, OUTPUT, out[0] * out[1] * channels)
    assert np.array_equal(golden.reshape(*out, channels), expected[0].transpose(1, 2, 0))
