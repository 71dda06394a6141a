# SPDX-License-Identifier: Apache-2.0
"""Host steps, against onnxruntime's operators."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimple.host.manifest import Deinterleave, Dequantise, Interleave, Quantise
from cimple.host.operators import apply_steps, deinterleave, dequantise, interleave, quantise
from tests.oracles.ort import run_node

SCALES = [1 / 64, 0.1, 0.003921568859368563, 1e-30, 7e20]


def judge(kind: str, x: np.ndarray, scale: float, zero_point: int, dtype: Any) -> np.ndarray:
    parameters = {"scale": np.array(scale, np.float32), "zero": np.array(zero_point, np.int8)}
    return run_node(kind, {"x": x, **parameters}, dtype=dtype)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("zero_point", [-128, -11, 0, 127])
def test_quantise_is_onnxruntimes(scale: float, zero_point: int) -> None:
    rng = np.random.default_rng(1)
    with np.errstate(over="ignore"):
        ties = (np.arange(-300, 300) + 0.5).astype(np.float32) * np.float32(scale)
        spread = rng.normal(0, 100, 5000).astype(np.float32) * np.float32(scale)
    extreme = np.array([0, -0.0, np.inf, -np.inf, 3e38, -3e38, 1e-45], np.float32)
    x = np.concatenate([ties, spread, extreme])
    expected = judge("QuantizeLinear", x, scale, zero_point, np.int8)
    np.testing.assert_array_equal(quantise(x, scale, zero_point), expected)


def test_quantise_divides_and_does_not_multiply() -> None:
    """0.5 / (1/255) is below 127.5 in float32, 0.5 x 255 is not."""
    scale = float(np.float32(1 / 255))
    assert quantise(np.array([0.5], np.float32), scale, -128).tolist() == [-1]


@pytest.mark.parametrize("scale", SCALES)
def test_dequantise_is_onnxruntimes(scale: float) -> None:
    x = np.arange(-128, 128).astype(np.int8)
    for zero_point in (-128, 14, 127):
        expected = judge("DequantizeLinear", x, scale, zero_point, np.float32)
        np.testing.assert_array_equal(dequantise(x, scale, zero_point), expected)


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6))
def test_interleaved_is_channels_last(images: int, channels: int, pixels: int) -> None:
    batch = np.arange(images * channels * pixels).reshape(images, channels, pixels)
    inside = interleave(batch, channels)
    np.testing.assert_array_equal(
        inside.reshape(images, pixels, channels), np.moveaxis(batch, 1, -1)
    )
    np.testing.assert_array_equal(deinterleave(inside, channels, (channels, pixels)), batch)


def test_steps_in_order() -> None:
    batch = np.array([[[[0.5, -0.5]], [[1.0, 2.0]]]], np.float32)
    inside = apply_steps([Quantise(scale=0.5, zero_point=1), Interleave(planes=2)], batch)
    assert inside.tolist() == [[2, 3, 0, 5]]
    back = [Deinterleave(planes=2, shape=(2, 1, 2)), Dequantise(scale=0.5, zero_point=1)]
    np.testing.assert_array_equal(apply_steps(back, inside), batch)
