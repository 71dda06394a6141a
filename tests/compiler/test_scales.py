# SPDX-License-Identifier: Apache-2.0
"""Multipliers, shifts and folded biases, against their definitions in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimple.compiler.errors import ModelError
from cimple.compiler.scales import (
    check_sums,
    effective_scales,
    encode_scale,
    fold_bias,
)

NORMAL = st.floats(2.0**-32, 1.0, exclude_max=True, width=32)
MATRIX = st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32 - 1))


@given(NORMAL)
def test_multiplier_and_shift_are_the_scale_exactly(scale: float) -> None:
    multiplier, shift = encode_scale(np.float32(scale), "node")
    assert Fraction(multiplier, 1 << (31 + shift)) == Fraction(scale)
    assert 1 << 30 <= multiplier < 1 << 31
    assert multiplier % 128 == 0
    assert 0 <= shift <= 31


@given(st.floats(0, 2.0**-32, exclude_min=True, exclude_max=True, width=32))
def test_a_factor_that_makes_all_sums_zero_is_zero(scale: float) -> None:
    assert encode_scale(np.float32(scale), "node") == (0, 0)
    for extreme in (-(2**31), 2**31 - 1):
        assert np.rint(np.float32(extreme) * np.float32(scale)) == 0


@pytest.mark.parametrize("scale", [1.0, 1.5, 0.0, float("inf"), float("nan")])
def test_what_the_requantiser_cannot_express(scale: float) -> None:
    with pytest.raises(ModelError, match=r"^node: source scale x weight scale / result scale is "):
        encode_scale(np.float32(scale), "node")


def test_largest_and_smallest_factors() -> None:
    below_one = np.nextafter(np.float32(1), np.float32(0))
    assert encode_scale(below_one, "node") == ((2**24 - 1) << 7, 0)
    assert encode_scale(np.float32(2.0**-32), "node") == (1 << 30, 31)


def test_effective_scale_rounds_each_operation_to_float32() -> None:
    source, weights, result = 0.1, np.array([0.3, 0.7], np.float32), 0.9
    product = (np.float32(source) * weights).astype(np.float32)
    assert effective_scales(source, weights, result).dtype == np.float32
    assert effective_scales(source, weights, result).tolist() == (
        product / np.float32(result)
    ).tolist()
    exact = Fraction(float(np.float32(source))) * Fraction(float(weights[0]))
    assert float(exact / Fraction(float(np.float32(result)))) != float(
        effective_scales(source, weights, result)[0]
    )


@given(MATRIX, st.integers(-128, 127))
def test_folded_bias_makes_up_for_the_offset(shape: tuple[int, int, int], zero: int) -> None:
    depth, channels, seed = shape
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-128, 128, (depth, channels)).astype(np.int8)
    bias = rng.integers(-(2**31), 2**31, channels).astype(np.int32)
    x = rng.integers(-128, 128, depth)
    unsigned = (x + 128) @ matrix.astype(np.int64) + fold_bias(bias, matrix, zero)
    signed = (x - zero) @ matrix.astype(np.int64) + bias
    assert np.all((unsigned - signed) % (1 << 32) == 0)


def test_sums_that_just_fit_and_just_do_not() -> None:
    matrix = np.array([[1], [-1]], np.int8)
    # With zero point -128 the inputs are 0 to 255.
    check_sums(np.array([2**31 - 1 - 255], np.int32), matrix, -128, "node")
    with pytest.raises(ModelError) as caught:
        check_sums(np.array([2**31 - 255], np.int32), matrix, -128, "node")
    assert str(caught.value) == (
        "node: sums of output channel 0 reach from 2147483138 to 2147483648, beyond the 32 bits of "
        "the accumulator; split the layer or use a smaller bias"
    )
    with pytest.raises(ModelError, match="reach from -2147483649 to "):
        check_sums(np.array([-(2**31) + 254], np.int32), matrix, -128, "node")


@given(MATRIX, st.integers(-128, 127))
def test_bound_is_reached(shape: tuple[int, int, int], zero: int) -> None:
    """The bound is exact: the input that reaches it exists."""
    depth, _, seed = shape
    matrix = np.random.default_rng(seed).integers(-128, 128, (depth, 1)).astype(np.int8)
    best = np.where(matrix[:, 0] > 0, 127, -128) - zero
    highest = int(best @ matrix[:, 0].astype(np.int64))
    check_sums(np.array([2**31 - 1 - highest], np.int32), matrix, zero, "node")
    if highest > 0:
        with pytest.raises(ModelError):
            check_sums(np.array([2**31 - highest], np.int32), matrix, zero, "node")
