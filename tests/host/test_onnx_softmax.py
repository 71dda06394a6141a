# SPDX-License-Identifier: Apache-2.0
"""ONNX's softmax: every byte as onnxruntime's kernel has it, and floats within the stated bound."""

import numpy as np
import pytest

from cimple.host.manifest import Dequantise, FloatSoftmax, QLinearSoftmax
from cimple.host.onnx_softmax import float_softmax, qlinear_softmax
from cimple.host.operators import apply_steps
from tests.oracles.ort import run_node

#: Scales and zero points of results: the two of quantisers first.
RESULTS = [(1 / 256, -128), (1 / 255, -128), (1 / 255, 0), (1 / 128, 0), (0.01, 5), (0.3, -7)]


def kernel(x: np.ndarray, scale: float, result: tuple[float, int]) -> np.ndarray:
    """QLinearSoftmax, as onnxruntime has it."""
    inputs = {
        "x": x, "scale": np.float32(scale), "zero": np.int8(3),
        "y_scale": np.float32(result[0]), "y_zero": np.int8(result[1]),
    }
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    return run_node("QLinearSoftmax", arrays, {"opset": 17}, domain="com.microsoft")


def differing(x: np.ndarray, scale: float, result: tuple[float, int]) -> int:
    found = qlinear_softmax(x, float(np.float32(scale)), float(np.float32(result[0])), result[1])
    return int(np.count_nonzero(found != kernel(x, scale, result)))


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("size", [2, 3, 10, 100, 511, 1000])
def test_every_byte_is_onnxruntime_s(size: int, result: tuple[float, int]) -> None:
    """Scales from 0.0001 to 100: all results alike, and one of them nearly 1."""
    rng = np.random.default_rng(size)
    for scale in np.geomspace(1e-4, 100, 7):
        spread = rng.choice([5, 30, 90], (100, 1))
        x = np.clip(rng.normal(0, spread, (100, size)), -128, 127).astype(np.int8)
        assert differing(x, scale, result) == 0


@pytest.mark.parametrize("result", RESULTS)
def test_all_differences_of_two_values(result: tuple[float, int]) -> None:
    """The table at every place. The logarithm in float64 is found by some of these scales."""
    x = np.stack([np.full(256, 127), np.arange(-128, 128)], -1).astype(np.int8)
    for scale in np.geomspace(1e-4, 2, 30):
        assert differing(x, scale, result) == 0


def test_images_go_along_their_last_axis() -> None:
    x = np.random.default_rng(1).integers(-128, 128, (2, 3, 4, 5)).astype(np.int8)
    assert differing(x, 0.05, RESULTS[0]) == 0


def test_by_hand() -> None:
    """Equal values; one far above the others, which would be 128 but for saturation."""
    x = np.array([[7, 7, 7, 7], [127, -128, -128, -128]], np.int8)
    assert qlinear_softmax(x, 0.5, 1 / 256, -128).tolist() == [[-64] * 4, [127] + [-128] * 3]


@pytest.mark.parametrize("x", [np.zeros((1, 3), np.float32), np.zeros((1, 0), np.int8)])
def test_what_it_does_not_take(x: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^softmax takes one or more int8 values"):
        qlinear_softmax(x, 1.0, 1 / 256, -128)


@pytest.mark.parametrize("size", [1, 2, 3, 10, 12, 100, 511, 1000])
def test_floats_are_within_the_bound(size: int) -> None:
    rng = np.random.default_rng(size)
    for scale in np.geomspace(1e-3, 30, 6):
        spread = rng.choice([1, 8, 40, 200], (80, 1))
        x = np.clip(rng.normal(0, spread, (80, size)), -128, 127).round().astype(np.float32)
        x *= np.float32(scale)
        found = float_softmax(x)
        expected = run_node("Softmax", {"x": x}, dtype=np.float32)
        error = np.abs(found.astype(np.float64) - expected)
        assert np.all(error <= np.maximum(found * 2.0**-17, 2.0**-120))


def test_floats_by_hand() -> None:
    """Of scores far from zero, in float64."""
    found = float_softmax(np.array([[1000.0, 1001.0]], np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [[np.float32(1 / (1 + np.e)), np.float32(np.e / (1 + np.e))]]


def test_they_are_steps_of_a_program_file() -> None:
    x = np.full((2, 4), 9, np.int8)
    step = QLinearSoftmax(scale=0.5, result_scale=1 / 256, result_zero_point=-128)
    assert apply_steps([step], x).tolist() == [[-64] * 4] * 2
    found = apply_steps([Dequantise(scale=0.5, zero_point=1), FloatSoftmax()], x)
    assert found.dtype == np.float32
    assert found.tolist() == [[0.25] * 4] * 2
