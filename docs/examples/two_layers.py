# SPDX-License-Identifier: Apache-2.0
"""A program written by hand: a 3x3 convolution, max pooling, a 2x2 convolution.

    8x8x1 image -> 3x3 convolution, padding 1 -> 8x8x4 -> 2x2 max pooling -> 4x4x4
                -> 2x2 convolution, stride 2 -> 2x2x3

`check` runs it on the golden model and compares the result with plain NumPy.
"""

from collections.abc import Sequence

import numpy as np

from cimple.hdl.macro import MacroConfig
from cimple.hdl.npu import NpuConfig
from cimple.hdl.npu.isa import Descriptor, Opcode, Queue, Rounding
from cimple.hdl.npu.packets import (
    Memory,
    Request,
    Response,
    Status,
    address,
    header,
    parameter_words,
)
from cimple.verif.golden.npu import NpuModel

CONFIG = NpuConfig(macro=MacroConfig(rows=16, columns=4, banks=2))

#: Where the images lie in the activation memory.
IMAGE, FEATURES, POOLED, RESULT = 0x000, 0x040, 0x140, 0x180
#: Where the weights of each layer lie in the weight memory, and their row groups.
GROUPS_1 = -(-9 // CONFIG.macro.rows_per_group)
GROUPS_2 = -(-16 // CONFIG.macro.rows_per_group)

LOAD, COMPUTE, VECTOR = (1 << queue for queue in (Queue.LOAD, Queue.COMPUTE, Queue.VECTOR))

PROGRAM = [
    # Both layers' weights, each into a bank of its own, so the second need not wait for the first.
    Descriptor(Opcode.LOAD_WEIGHTS, {
        "address": 0, "group": 0, "groups": GROUPS_1, "bank": 0, "signal": COMPUTE,
    }),
    Descriptor(Opcode.LOAD_WEIGHTS, {
        "address": GROUPS_1 * CONFIG.group_bytes, "group": 0, "groups": GROUPS_2, "bank": 1,
        "signal": COMPUTE,
    }),
    # Layer 1: a window is 3 runs of 3 bytes and begins one row up and one byte to the left.
    Descriptor(Opcode.COMPUTE, {
        "wait": LOAD, "bank": 0, "depth": 9, "zero_point": 0,
        "start": IMAGE - 8 - 1 & 0xFFFFFFFF, "origin_x": -1, "origin_y": -1,
        "height": 8, "row_bytes": 8, "row_stride": 8, "run_bytes": 3,
        "step_x": 1, "step_y": 1, "row_step": 8, "out_width": 8, "out_height": 8,
    }),
    Descriptor(Opcode.REQUANTISE, {
        "rounding": Rounding.TFLITE, "out_width": 8, "out_height": 8, "channels": 4, "channel": 0,
        "out_start": FEATURES, "out_pixel_stride": 4, "out_row_stride": 32,
        "clamp_low": 0, "clamp_high": 127,
    }),
    # Same queue as the REQUANTISE before it, so it needs no token to come after it.
    Descriptor(Opcode.MAX_POOL, {
        "signal": COMPUTE, "start": FEATURES, "height": 8, "row_bytes": 32, "row_stride": 32,
        "pixel_bytes": 4, "step_x": 8, "step_y": 2, "row_step": 64,
        "kernel_width": 2, "kernel_height": 2, "channels": 4, "out_width": 4, "out_height": 4,
        "out_start": POOLED, "out_pixel_stride": 4, "out_row_stride": 16,
        "clamp_low": -128, "clamp_high": 127,
    }),
    # Layer 2 needs its weights and what the pooling has written.
    Descriptor(Opcode.COMPUTE, {
        "wait": LOAD | VECTOR, "bank": 1, "depth": 16, "start": POOLED,
        "height": 4, "row_bytes": 16, "row_stride": 16, "run_bytes": 8,
        "step_x": 8, "step_y": 2, "row_step": 32, "out_width": 2, "out_height": 2,
    }),
    Descriptor(Opcode.REQUANTISE, {
        "rounding": Rounding.TFLITE, "out_width": 2, "out_height": 2, "channels": 3, "channel": 4,
        "out_start": RESULT, "out_pixel_stride": 3, "out_row_stride": 6,
        "clamp_low": -128, "clamp_high": 127, "stamp": 1, "stamp_index": 0,
    }),
    Descriptor(Opcode.END, {}),
]

#: Results are the sums divided by 1024, which is multiplier / 2**(31 + shift).
MULTIPLIER, SHIFT = 1 << 30, 9


def run(image: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The result, 2 x 2 x 3, from an 8 x 8 image and weights [9, 4] and [16, 3], all int8."""
    npu = NpuModel(CONFIG)
    send(npu, Memory.ACTIVATIONS, IMAGE, image.tobytes())
    send(npu, Memory.WEIGHTS, 0, row_groups(first) + row_groups(second))
    # The bias makes up for the 128 that the array's inputs are larger than the bytes.
    words = [word for weights in (first, second) for column in weights.T
             for word in parameter_words(-128 * int(column.sum(dtype=int)), MULTIPLIER, SHIFT)]
    send(npu, Memory.PARAMETERS, 0, np.array(words, "<u4").tobytes())
    program = [word for descriptor in PROGRAM for word in descriptor.encode()]
    send(npu, Memory.PROGRAM, 0, np.array(program, "<u4").tobytes())
    ask(npu, [header(Request.RUN, tag=0), 0])
    answer = ask(npu, [header(Request.READ, tag=0, count=3), address(Memory.ACTIVATIONS, RESULT)])
    return np.array(answer.words, "<u4").view(np.int8).reshape(2, 2, 3)


def row_groups(weights: np.ndarray) -> bytes:
    """Weights as LOAD_WEIGHTS wants them: whole groups of rows, each row in whole words."""
    groups = -(-len(weights) // CONFIG.macro.rows_per_group)
    row_bytes = CONFIG.row_words * CONFIG.weight_port
    filled = np.zeros((groups * CONFIG.macro.rows_per_group, row_bytes), np.int8)
    filled[: weights.shape[0], : weights.shape[1]] = weights
    return filled.tobytes()


def send(npu: NpuModel, memory: Memory, offset: int, data: bytes) -> None:
    """Write whole words to a memory."""
    words = np.frombuffer(data, "<u4").tolist()
    ask(npu, [header(Request.WRITE, tag=0, count=len(words)), address(memory, offset), *words])


def ask(npu: NpuModel, request: Sequence[int]) -> Response:
    """The answer to a request, which must be OK."""
    answer = Response.parse(npu.transact(request))
    assert answer.status is Status.OK, answer
    return answer


def reference(image: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The same in plain NumPy."""
    padded = np.pad(image.astype(int), 1)
    sums = np.array([[padded[y : y + 3, x : x + 3].ravel() @ first.astype(int)
                      for x in range(8)] for y in range(8)])
    features = np.clip(divide(sums), 0, 127)
    pooled = features.reshape(4, 2, 4, 2, 4).max(axis=(1, 3))
    sums = np.array([[pooled[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel() @ second.astype(int)
                      for x in range(2)] for y in range(2)])
    return np.clip(divide(sums), -128, 127)


def divide(sums: np.ndarray) -> np.ndarray:
    """``sums / 1024`` by TFLite's two roundings: half up to halves, then half away from zero."""
    halves = sums + 1 >> 1
    return np.sign(halves) * (np.abs(halves) + 256 >> 9)


def check(seed: int = 1) -> None:
    """Run it with random data; raise AssertionError if it differs from plain NumPy."""
    random = np.random.default_rng(seed)
    data = [random.integers(-128, 128, size, np.int8) for size in ((8, 8), (9, 4), (16, 3))]
    result, expected = run(*data), reference(*data)
    assert np.array_equal(result, expected), f"{result}\ndiffers from\n{expected}"


if __name__ == "__main__":
    check()
