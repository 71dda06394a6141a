# SPDX-License-Identifier: Apache-2.0
"""Means of ONNX: onnxruntime's kernels for all windows that are drawn, or refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from cimple.compiler.errors import ModelError
from cimple.compiler.ir import Quantisation
from cimple.compiler.onnx_averages import MeanParameters, mean_parameters, pool_parameters
from cimple.verif.golden.numerics import requantise
from tests.compiler.faulty import message, replace, saved
from tests.compiler.onnx_networks import OnnxBuilder
from tests.compiler.test_onnx_forms import same_as_onnxruntime
from tests.oracles.ort import qlinear


def means(sums: np.ndarray, made: MeanParameters) -> np.ndarray:
    """By the golden model, of sums of bytes."""
    (parameters,), zero_point, rounding = made
    return requantise(
        sums, parameters.bias, parameters.multiplier, parameters.shift, zero_point, -128, 127,
        rounding,
    )


def windows(rng: np.random.Generator, pixels: int, count: int) -> np.ndarray:
    """Half of them of values close together, so that means are not all near the middle."""
    wide = rng.integers(-128, 128, (count // 2, pixels))
    centres = rng.integers(-128, 128, (count // 2, 1))
    near = np.clip(centres + rng.integers(-9, 10, (count // 2, pixels)), -128, 127)
    return np.concatenate([wide, near]).astype(np.int8)


def pooled(
    found: np.ndarray, kernel: tuple[int, int], source: Quantisation, result: Quantisation
) -> np.ndarray:
    """Onnxruntime's kernel: two windows an image, as one that fills it is another case."""
    image = found.reshape(-1, 2, *kernel).transpose(0, 2, 1, 3).reshape(1, -1, kernel[0],
                                                                        2 * kernel[1])
    attributes = {"kernel_shape": kernel, "strides": kernel}
    return qlinear("QLinearAveragePool", [(image, source)], result, attributes).reshape(-1)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 5), (25, 5), (7, 3)])
def test_windows_of_odd_numbers_of_pixels_of_one_scale(kernel: tuple[int, int]) -> None:
    """No mean is a half: as quantisers make average pools, whatever the scale."""
    rng = np.random.default_rng(kernel[0])
    pixels = kernel[0] * kernel[1]
    for _ in range(8):
        scale = float(np.float32(rng.uniform(0.003, 0.2)))
        both = Quantisation(scale, int(rng.integers(-128, 128)))
        found = windows(rng, pixels, 2000)
        made = pool_parameters([pixels], None, both, both, "pool")
        sums = found.astype(np.int64).sum(axis=1)
        np.testing.assert_array_equal(means(sums, made), pooled(found, kernel, both, both))


@pytest.mark.parametrize("zero", [-128, -7, 0, 64])
@pytest.mark.parametrize("kernel", [(2, 2), (4, 4), (2, 1), (8, 8)])
def test_halves_of_scales_that_are_powers_of_two(kernel: tuple[int, int], zero: int) -> None:
    """No float32 sum is rounded, so halves are halves, and go to even with the zero point."""
    rng = np.random.default_rng(zero + 128)
    pixels, both = kernel[0] * kernel[1], Quantisation(2.0**-5, zero)
    found = windows(rng, pixels, 4000)
    made = pool_parameters([pixels], None, both, both, "pool")
    sums = found.astype(np.int64).sum(axis=1)
    np.testing.assert_array_equal(means(sums, made), pooled(found, kernel, both, both))


def test_scales_that_differ() -> None:
    """Exact, or refused where a sum is too close to a half; most small windows are exact."""
    rng = np.random.default_rng(11)
    exact = 0
    for _ in range(60):
        source, result = (
            Quantisation(float(np.float32(rng.uniform(*ends))), int(rng.integers(-128, 128)))
            for ends in ((0.02, 0.04), (0.015, 0.06))
        )
        try:
            made = pool_parameters([4], None, source, result, "pool")
        except ModelError:
            continue
        exact += 1
        found = windows(rng, 4, 4000)
        sums = found.astype(np.int64).sum(axis=1)
        np.testing.assert_array_equal(means(sums, made), pooled(found, (2, 2), source, result))
    assert exact > 40


def test_sums_whose_order_decides(tmp_path: Path) -> None:
    """Two windows with one sum, and onnxruntime gives them different means."""
    both = Quantisation(float(np.float32(0.0431)), -3)
    rng = np.random.default_rng(2)
    found = windows(rng, 4, 40000)
    wanted = pooled(found, (2, 2), both, both)
    sums = found.astype(np.int64).sum(axis=1)
    assert any(len(np.unique(wanted[sums == each])) > 1 for each in np.unique(sums))
    builder = OnnxBuilder([2, 4, 4]).conv(2, (1, 1))
    assert isinstance(builder, OnnxBuilder)
    builder.average_pool((2, 2), (2, 2), same=True)
    text = message(builder.save(tmp_path / "net.onnx"))
    assert text.startswith("node 'averagepool0' (AveragePool): with scale ")
    assert text.endswith(
        " and 4 pixels a window, sums are so close to halves that the order of float32 additions "
        "decides, and the NPU adds integers; use GlobalAveragePool for a whole image, windows of "
        "an odd number of pixels, or a depthwise Conv of equal weights"
    )


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_padding_that_counts(strides: tuple[int, int], tmp_path: Path) -> None:
    """All windows are divided by 9, those of 4 and 6 pixels of the image too."""
    builder = OnnxBuilder([3, 7, 6])
    builder.average_pool((3, 3), strides, (1, 1, 1, 1), same=True, count_include_pad=1)
    same_as_onnxruntime(builder.save(tmp_path / "net.onnx"), builder.images(3))


def test_padding_that_does_not_count(tmp_path: Path) -> None:
    """Windows of 5 and of 3 x 5 pixels, so none whose means are halves."""
    builder = OnnxBuilder([3, 7, 5])
    builder.average_pool((3, 5), (6, 1), (2, 0, 2, 0), same=True)
    same_as_onnxruntime(builder.save(tmp_path / "net.onnx"), builder.images(3))


@pytest.mark.parametrize("kernel", [(8, 8), (25, 5)])
def test_a_window_as_large_as_the_image(kernel: tuple[int, int], tmp_path: Path) -> None:
    """Onnxruntime takes its integer kernel: any scale, any number of pixels."""
    for seed in range(3):
        builder = OnnxBuilder([4, *kernel], seed).conv(4, (1, 1))
        assert isinstance(builder, OnnxBuilder)
        builder.average_pool(kernel, (1, 1), same=seed > 0)
        same_as_onnxruntime(builder.save(tmp_path / "net.onnx"), builder.images(40))


@pytest.mark.parametrize("shape", [(3, 8, 8), (5, 25, 5), (4, 1, 1), (9, 3, 7)])
def test_global_pools(shape: tuple[int, int, int], tmp_path: Path) -> None:
    """An integer kernel: any scale, any size."""
    for seed in range(3):
        builder = OnnxBuilder(shape, seed).global_average_pool().flatten().gemm(3)
        assert isinstance(builder, OnnxBuilder)
        same_as_onnxruntime(builder.save(tmp_path / "net.onnx"), builder.images(4))


@pytest.mark.parametrize("keep", [0, 1])
def test_reduce_mean(keep: int, tmp_path: Path) -> None:
    compiled = 0
    for seed in range(12):
        builder = OnnxBuilder([5, 3, 3], seed)
        builder.global_average_pool("ReduceMean", axes=[3, -2], keepdims=keep)
        path = builder.save(tmp_path / "net.onnx")
        source, result = Quantisation(1 / 64, -11), Quantisation(
            float(builder.scale), builder.zero_point
        )
        try:
            mean_parameters(9, source, result, "")
        except ModelError:
            assert "order of float32 additions" in message(path)
            continue
        compiled += 1
        same_as_onnxruntime(path, builder.images(40))
    assert compiled > 6


def test_reduce_mean_of_other_axes(tmp_path: Path) -> None:
    builder = OnnxBuilder([5, 3, 3])
    builder.global_average_pool("ReduceMean", axes=[1, 2])
    assert message(builder.save(tmp_path / "net.onnx")) == (
        "node 'reducemean0' (ReduceMean): its axes must be the constants 2 and 3, rows and "
        "columns, not [1, 2]; use AveragePool for other windows"
    )


def test_global_pool_of_a_scale_too_small(tmp_path: Path) -> None:
    builder = OnnxBuilder([5, 1, 1]).global_average_pool()
    scale = builder.constants[-2].name

    def change(model: onnx.ModelProto) -> None:
        replace(model, scale, np.float32(1 / 64))

    assert message(saved(builder, change, tmp_path / "net.onnx")) == (
        "node 'globalaveragepool0' (GlobalAveragePool): source scale / result scale / pixels is 1, "
        "but the NPU's requantiser takes factors above 0 and below 1; quantise the result with a "
        "larger scale"
    )
