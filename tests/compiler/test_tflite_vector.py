# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators for the vector engine, one at a time: every value as LiteRT says."""

from pathlib import Path

import numpy as np
import pytest

from cimple.compiler import vector_layers
from cimple.compiler.layers import ChannelParameters
from tests.compiler.test_random_networks import infer
from tests.compiler.test_tflite_networks import NPUS, check
from tests.compiler.tflite_networks import NONE, RELU, RELU6, SAME, VALID, TfliteBuilder


@pytest.mark.parametrize("npu_name", ["tiny", "large"])
@pytest.mark.parametrize("less", [-1, 0, 1])
def test_depthwise_of_about_a_multiple_of_the_lanes(
    npu_name: str, less: int, tmp_path: Path
) -> None:
    channels = 2 * NPUS[npu_name].lanes + less
    builder = TfliteBuilder([5, 7, channels], 6).depthwise((3, 2), padding=SAME)
    check(builder, npu_name, tmp_path / "net.tflite")


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 1)])
@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("activation", [NONE, RELU, RELU6])
def test_depthwise_windows(
    strides: tuple[int, int], padding: int, activation: int, tmp_path: Path
) -> None:
    builder = TfliteBuilder([9, 8, 5], 7).depthwise((3, 4), strides, padding, activation)
    check(builder, "two banks", tmp_path / "net.tflite")


def test_depthwise_of_one_channel_makes_many(tmp_path: Path) -> None:
    builder = TfliteBuilder([7, 6, 1], 8).depthwise((3, 3), padding=SAME, multiplier=6)
    check(builder.depthwise((2, 2)), "tiny", tmp_path / "net.tflite")


@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (2, 3), (7, 6)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [SAME, VALID])
def test_average_pools(
    kernel: tuple[int, int], strides: tuple[int, int], padding: int, tmp_path: Path
) -> None:
    builder = TfliteBuilder([7, 6, 5], 9).average_pool(kernel, strides, padding, RELU)
    check(builder, "tiny", tmp_path / "net.tflite")


def test_halves_tell_a_multiplier_that_is_too_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Means of four are halves in a quarter of all cases."""
    builder = TfliteBuilder([8, 8, 9], 3).average_pool((2, 2), (2, 2))
    check(builder, "large", tmp_path / "net.tflite")
    monkeypatch.setattr(
        vector_layers, "average_parameters", lambda count: ChannelParameters(0, 1 << 30, 1)
    )
    with pytest.raises(AssertionError, match="y0"):
        check(builder, "large", tmp_path / "net.tflite")


@pytest.mark.parametrize("seed", range(6))
def test_residuals(seed: int, tmp_path: Path) -> None:
    """A block with a branch of its own, then one that skips two layers."""
    builder = TfliteBuilder([6, 5, 7], seed).conv(9, (3, 3), padding=SAME, activation=RELU)
    fork = builder.current
    long = builder.conv(12, (3, 3), (2, 2), SAME, RELU).depthwise((3, 3), padding=SAME).current
    short = builder.go_back(fork).conv(12, (1, 1), (2, 2), SAME).current
    builder.go_back(long).add(short, RELU)
    older = builder.current
    builder.conv(12, (1, 1)).max_pool((2, 2), (1, 1), SAME).conv(12, (1, 1)).add(older)
    check(builder, list(NPUS)[seed % len(NPUS)], tmp_path / "net.tflite")


@pytest.mark.parametrize("activation", [NONE, RELU, RELU6])
def test_an_image_added_to_itself(activation: int, tmp_path: Path) -> None:
    builder = TfliteBuilder([4, 5, 3], 4)
    check(builder.add(builder.current, activation), "large", tmp_path / "net.tflite")


def test_images_of_very_different_scales(tmp_path: Path) -> None:
    """The smaller one's factor is below 2**-32, or far from it."""
    for factor in (1e-12, 1e-3, 1e3):
        builder = TfliteBuilder([4, 5, 9], 4)
        source = builder.current
        builder.conv(9, (1, 1))
        for index in (builder.current, *builder.operators[0]["inputs"][1:]):
            if builder.tensors[index]["kind"] == "INT8":
                builder.tensors[index]["scales"] = builder.tensors[index]["scales"] * factor
        check(builder.add(source), "large", tmp_path / "net.tflite")


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("axes", [(1, 2), (2, 1), (-3, -2)])
@pytest.mark.parametrize("shape", [(1, 1, 5), (3, 5, 9), (8, 8, 20), (11, 1, 3)])
def test_means(
    keep: bool, axes: tuple[int, int], shape: tuple[int, int, int], tmp_path: Path
) -> None:
    builder = TfliteBuilder(list(shape), sum(shape)).mean(keep=keep, axes=axes)
    check(builder, "two banks", tmp_path / "net.tflite")


@pytest.mark.parametrize("ratio", [0.1, 1.0, 1.3, 2.9])
def test_means_that_change_the_scale(ratio: float, tmp_path: Path) -> None:
    """Up to nearly as many times the source's scale as there are pixels."""
    builder = TfliteBuilder([3, 1, 30], 5).mean()
    scales = builder.tensors[0]["scales"]
    builder.tensors[-1]["scales"] = (scales / ratio).astype(np.float32)
    check(builder, "large", tmp_path / "net.tflite")


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("value", [None, "zero point"])
def test_padding_goes_into_the_window(
    depthwise: bool, value: str | None, tmp_path: Path
) -> None:
    builder = TfliteBuilder([5, 6, 4], 12)
    zero = int(builder.tensors[0]["zeros"][0])
    builder.pad([(1, 2), (0, 3)], value=None if value is None else zero)
    if depthwise:
        builder.depthwise((3, 3), (2, 2))
    else:
        builder.conv(5, (3, 3), (2, 2), SAME)
    check(builder, "two banks", tmp_path / "net.tflite")


def test_a_padded_image_for_two(tmp_path: Path) -> None:
    """Both convolutions read the image itself."""
    builder = TfliteBuilder([5, 6, 4], 13).pad([(1, 1), (1, 1)])
    padded = builder.current
    one = builder.conv(4, (3, 3)).current
    builder.go_back(padded).depthwise((3, 3)).add(one)
    check(builder, "tiny", tmp_path / "net.tflite")


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_softmax_behind_the_npu(beta: float, tmp_path: Path) -> None:
    builder = TfliteBuilder([4, 4, 3], 14).conv(5, (3, 3)).fully_connected(9).softmax(beta)
    check(builder, "large", tmp_path / "net.tflite")


def test_tensors_of_the_same_name(tmp_path: Path) -> None:
    """Names need not differ in a file; the compiler tells tensors apart all the same."""
    builder = TfliteBuilder([4, 4, 3], 15).conv(3, (1, 1)).conv(3, (1, 1))
    builder.add(0)
    path = builder.save(tmp_path / "net.tflite")
    images = builder.images(2)
    wanted = infer(path, NPUS["large"], images, keep=False).outputs
    for tensor in builder.tensors:
        tensor["name"] = "same"
    builder.save(path)
    np.testing.assert_array_equal(
        infer(path, NPUS["large"], images, keep=False).outputs, wanted
    )
