# SPDX-License-Identifier: Apache-2.0
"""From accumulator to int8: the order of rounding, zero point and clipping, once for all.

    sum    = accumulator + bias                      wraps as int32
    scaled = round(sum * multiplier / 2**(31+shift)) by one of three rules
    result = clip(scaled + zero_point, low, high)

The rules are those of the two runtimes a network can come from; one of them has two. They differ by
one in some tenths of a percent of all values, so a network is exact only under its own.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...hdl.npu.isa import Rounding

__all__ = [
    "ONNX_FREE_BITS", "requantise", "round_onnx", "round_tflite", "round_tflite_single",
    "scale", "wrap_int32",
]

#: Low bits of a multiplier that are zero with ONNX rounding: 31 bits less a float32's 24.
ONNX_FREE_BITS = 7


def requantise(
    acc: ArrayLike,
    bias: ArrayLike,
    multiplier: ArrayLike,
    shift: ArrayLike,
    zero_point: int,
    low: int,
    high: int,
    rounding: Rounding,
) -> NDArray[np.int8]:
    """Results of accumulators, both int8 tensors and their parameters taken element by element.

    `acc` and `bias` are int32 values, `multiplier` 0 to 2**31 - 1 (a multiple of 128 with ONNX
    rounding), `shift` 0 to 31; the four are broadcast, parameters along the last axis as a rule.
    ``-128 <= low <= high <= 127`` bound the results; `zero_point` is an int8.
    """
    scaled = scale(acc, bias, multiplier, shift, rounding)
    return np.clip(scaled + zero_point, low, high).astype(np.int8)


def scale(
    acc: ArrayLike, bias: ArrayLike, multiplier: ArrayLike, shift: ArrayLike, rounding: Rounding
) -> NDArray[np.int64]:
    """The scaled sum of `requantise`, before zero point and clipping."""
    total = wrap_int32(np.asarray(acc, np.int64) + np.asarray(bias, np.int64))
    return _RULES[rounding](total, np.asarray(multiplier, np.int64), np.asarray(shift, np.int64))


def wrap_int32(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Reduce to 32 bits, two's complement."""
    return values.astype(np.int32).astype(np.int64)


def round_tflite(
    total: NDArray[np.int64], multiplier: NDArray[np.int64], shift: NDArray[np.int64]
) -> NDArray[np.int64]:
    """TFLite's reference rule: half up at bit 31, then half away from zero at bit `shift`.

    This is `MultiplyByQuantizedMultiplier` with right shifts only, built from gemmlowp's
    saturating rounding doubling high multiplication (which cannot saturate here, as a multiplier
    is never negative) and rounding division by a power of two (Jacob et al., CVPR 2018, section
    2.2 and appendix B).
    """
    high = (total * multiplier + (1 << 30)) >> 31
    mask = (np.int64(1) << shift) - 1
    threshold = (mask >> 1) + (high < 0)
    return (high >> shift) + ((high & mask) > threshold)


def round_tflite_single(
    total: NDArray[np.int64], multiplier: NDArray[np.int64], shift: NDArray[np.int64]
) -> NDArray[np.int64]:
    """TFLite's rule for fully connected layers: half up, once.

    Its reference kernel hands their sums on as 64-bit numbers, and `MultiplyByQuantizedMultiplier`
    rounds those once.
    """
    return (total * multiplier + (np.int64(1) << (shift + 30))) >> (shift + 31)


def round_onnx(
    total: NDArray[np.int64], multiplier: NDArray[np.int64], shift: NDArray[np.int64]
) -> NDArray[np.int64]:
    """ONNX's rule as runtimes carry it out: float32 throughout, every step half to even.

    The accumulator becomes a float32, is multiplied with a float32 scale, the product becomes a
    float32 again, and that becomes an integer (ONNX operators QLinearConv and QuantizeLinear).
    """
    if np.any(multiplier & ((1 << ONNX_FREE_BITS) - 1)):
        raise ValueError(f"multipliers must be multiples of {1 << ONNX_FREE_BITS} for ONNX")
    scale = np.ldexp(multiplier.astype(np.float64), -31 - shift).astype(np.float32)
    return np.rint(total.astype(np.float32) * scale).astype(np.int64)


_RULES = {
    Rounding.TFLITE: round_tflite,
    Rounding.ONNX: round_onnx,
    Rounding.TFLITE_SINGLE: round_tflite_single,
}
