# SPDX-License-Identifier: Apache-2.0
"""TFLite networks on NPUs of several sizes: every value as LiteRT's reference kernels say."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cimple.compiler import tflite_operators, tflite_windows
from cimple.hdl.npu.isa import Rounding
from cimple.host.litert import tensors_of
from tests.compiler.networks import npu
from tests.compiler.random_tflite import random_network
from tests.compiler.test_random_networks import NPUS as SMALL
from tests.compiler.test_random_networks import infer
from tests.compiler.tflite_networks import (
    NONE,
    RELU,
    RELU6,
    RELU_N1_TO_1,
    SAME,
    VALID,
    TfliteBuilder,
)

#: Some of the networks here have more weights. A queue of one is where programs stop first.
NPUS = {
    name: config.replace(
        weight_bytes=1 << 18, descriptors=8192, channels=1024, activation_bytes=32768,
        queue_depth=1 if name in ("one column", "many banks", "two macros") else config.queue_depth,
    )
    for name, config in {**SMALL, "one column": npu(rows=40, columns=1, lanes=1)}.items()
}


def check(builder: TfliteBuilder, npu_name: str, path: Path) -> int:
    """Compare all tensors of two images; how many values were compared."""
    builder.save(path)
    images = builder.images(2)
    result = infer(path, NPUS[npu_name], images, keep=True)
    compared = 0
    for number, image in enumerate(images):
        expected = tensors_of(path, image)
        for name, values in result.tensors.items():
            np.testing.assert_array_equal(
                values[number].reshape(-1), expected[name].reshape(-1), err_msg=name
            )
            compared += values[number].size
        last = expected[builder.tensors[builder.current]["name"]]
        np.testing.assert_array_equal(result.outputs[number], last)
    assert set(result.tensors) >= {tensor["name"] for tensor in builder.results()}
    # Memory is used again where it can be; results must not depend on it.
    reused = infer(path, NPUS[npu_name], images, keep=False)
    np.testing.assert_array_equal(result.outputs, reused.outputs)
    return compared


@pytest.mark.parametrize("npu_name", NPUS)
@pytest.mark.parametrize("seed", range(8))
def test_every_value_is_litert_s(npu_name: str, seed: int, tmp_path: Path) -> None:
    builder = random_network(100 * list(NPUS).index(npu_name) + seed)
    assert check(builder, npu_name, tmp_path / "net.tflite") > 0


@pytest.mark.parametrize("activation", [NONE, RELU, RELU_N1_TO_1, RELU6])
@pytest.mark.parametrize("padding", [SAME, VALID])
def test_activations_and_paddings(activation: int, padding: int, tmp_path: Path) -> None:
    builder = TfliteBuilder([7, 6, 3], 4).conv(9, (3, 2), (2, 1), padding, activation)
    builder.max_pool((2, 3), (1, 2), padding, activation).fully_connected(5, activation)
    check(builder, "large", tmp_path / "net.tflite")


def test_results_are_spread(tmp_path: Path) -> None:
    """A network whose values were all clipped would prove nothing."""
    builder = TfliteBuilder([8, 8, 3], 5).conv(8, (3, 3), padding=SAME).conv(8, (3, 3))
    path = builder.fully_connected(200).save(tmp_path / "net.tflite")
    result = infer(path, NPUS["large"], builder.images(4), keep=True)
    for tensor in result.tensors.values():
        assert len(np.unique(tensor)) > 60


@pytest.mark.parametrize("kind", ["convolution", "fully connected"])
def test_enough_results_to_tell_the_roundings(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounding twice or once, as the other kind does, differs in some of so many results."""
    builder = TfliteBuilder([1, 1, 1], 9)
    if kind == "convolution":
        builder.conv(800, (1, 1))
    else:
        builder.fully_connected(800)
    path = tmp_path / "net.tflite"
    check(builder, "large", path)
    other = Rounding.TFLITE if kind == "fully connected" else Rounding.TFLITE_SINGLE
    for module in (tflite_operators, tflite_windows):
        monkeypatch.setattr(module, "Rounding", SimpleNamespace(TFLITE=other, TFLITE_SINGLE=other))
    with pytest.raises(AssertionError, match="y0"):
        check(builder, "large", path)
