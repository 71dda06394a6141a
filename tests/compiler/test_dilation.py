# SPDX-License-Identifier: Apache-2.0
"""Dilated convolutions: every value as LiteRT's reference kernels and onnxruntime's say."""

from pathlib import Path

import numpy as np
import pytest

from cimple.compiler.compile import compile_network
from cimple.hdl.npu.isa import Opcode
from tests.compiler.networks import NetworkBuilder
from tests.compiler.test_random_networks import NPUS, check
from tests.compiler.test_tflite_networks import check as check_tflite
from tests.compiler.tflite_networks import RELU, SAME, VALID, TfliteBuilder

DILATIONS = [(2, 1), (1, 2), (3, 2)]


@pytest.mark.parametrize("dilations", DILATIONS)
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 1)])
@pytest.mark.parametrize("padding", [SAME, VALID])
def test_tflite(
    dilations: tuple[int, int], strides: tuple[int, int], padding: int, tmp_path: Path
) -> None:
    """A convolution of several passes and tiles, and a depthwise one of several groups."""
    for seed, npu_name in enumerate(("two banks", "four macros")):
        builder = TfliteBuilder([11, 13, 5], seed)
        builder.conv(9, (3, 3), strides, padding, RELU, dilations=dilations)
        check_tflite(builder, npu_name, tmp_path / "net.tflite")
        builder = TfliteBuilder([11, 13, 5], seed)
        builder.depthwise((3, 3), strides, padding, dilations=dilations)
        check_tflite(builder, npu_name, tmp_path / "net.tflite")


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(
    ("shape", "kernel", "dilations"),
    [
        ([1, 40, 6], (1, 5), (1, 4)),
        ([40, 1, 6], (5, 1), (4, 1)),
        # One tap along an axis: no next one.
        ([9, 9, 4], (1, 3), (7, 2)),
        # Kernels that are larger than the image, padding included in some of its phases alone.
        ([2, 3, 5], (3, 3), (5, 4)),
        ([4, 7, 3], (2, 4), (3, 2)),
    ],
)
def test_one_dimension_and_small_images(
    shape: list[int], kernel: tuple[int, int], dilations: tuple[int, int], *, depthwise: bool,
    tmp_path: Path,
) -> None:
    builder = TfliteBuilder(shape, 3)
    if depthwise:
        builder.depthwise(kernel, padding=SAME, dilations=dilations)
    else:
        builder.conv(7, kernel, padding=SAME, dilations=dilations)
    check_tflite(builder, "tiny", tmp_path / "net.tflite")


@pytest.mark.parametrize("npu_name", NPUS)
def test_onnx(npu_name: str, tmp_path: Path) -> None:
    """With padding that differs on all sides, and strides that share factors with dilations."""
    builder = NetworkBuilder([4, 13, 12], 5)
    builder.conv(6, (3, 2), (2, 1), (1, 2, 3, 0), relu=True, dilations=(4, 3))
    builder.depthwise((2, 3), (1, 2), (2, 1, 0, 2), dilations=(2, 3))
    builder.conv(5, (2, 2), dilations=(2, 1))
    check(builder.save(tmp_path / "net.onnx"), NPUS[npu_name], builder.images(2))


def test_random_windows(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    for seed in range(25):
        kernel = tuple(int(size) for size in rng.integers(1, 4, 2))
        dilations = tuple(int(size) for size in rng.integers(1, 5, 2))
        strides = tuple(int(size) for size in rng.integers(1, 4, 2))
        pads = [int(size) for size in rng.integers(0, 4, 4)]
        builder = NetworkBuilder([int(rng.integers(2, 6)), 13, 12], seed)
        if rng.random() < 0.5:
            builder.conv(int(rng.integers(1, 7)), kernel, strides, pads, dilations=dilations)
        else:
            builder.depthwise(kernel, strides, pads, dilations=dilations)
        name = list(NPUS)[seed % len(NPUS)]
        check(builder.save(tmp_path / "net.onnx"), NPUS[name], builder.images(1))


def test_a_padded_image_before_a_dilated_window(tmp_path: Path) -> None:
    builder = TfliteBuilder([7, 8, 4], 12).pad([(1, 3), (2, 0)])
    check_tflite(builder.conv(5, (3, 3), dilations=(2, 2)), "tiny", tmp_path / "net.tflite")


def test_rows_are_phases_and_columns_passes(tmp_path: Path) -> None:
    """By hand: 3 x 3 with dilations of 2 on 8 x 8 x 4."""
    builder = TfliteBuilder([8, 8, 4], 1).conv(4, (3, 3), padding=SAME, dilations=(2, 2))
    path = builder.save(tmp_path / "net.tflite")
    program = compile_network(path, NPUS["large"])
    computes = [d for d in program.descriptors if d.opcode is Opcode.COMPUTE]
    # Both phases of rows, and in each the three columns of the kernel, from one end to the other.
    assert [(d["origin_y"], d["origin_x"]) for d in computes] == [
        (-1, -8), (-1, 0), (-1, 8), (-1, 8), (-1, 0), (-1, -8),
    ]
    for descriptor in computes:
        assert (descriptor["height"], descriptor["row_stride"]) == (4, 64)
        assert (descriptor["run_bytes"], descriptor["depth"]) == (4, 12)
        assert (descriptor["step_y"], descriptor["row_step"], descriptor["out_height"]) == (
            1, 64, 4,
        )
    results = [d for d in program.descriptors if d["out_row_stride"]]
    assert [d["out_row_stride"] for d in results] == [64, 64]
    assert results[1]["out_start"] - results[0]["out_start"] == 32
