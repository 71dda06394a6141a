# SPDX-License-Identifier: Apache-2.0
"""Scales and biases as the requantiser takes them: multiplier, shift and folded bias.

ONNX: float32 arithmetic decides (ONNX operator QLinearConv; onnxruntime multiplies the source's
scale with the weights' and then divides by the result's, each rounded to float32). A float32 scale
below 1 is exactly ``multiplier * 2**-(31 + shift)``: its 24-bit mantissa is the upper part of a
31-bit multiplier.

TFLite: the same in double precision, then rounded to 31 bits (`QuantizeMultiplier` of its
kernels).
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..hdl.npu.isa import Rounding
from .errors import ModelError

__all__ = [
    "MAX_SHIFT", "beyond", "check_sums", "effective_scales", "encode_factor", "encode_scale",
    "encode_scales", "fold_bias", "quantise_multiplier",
]

#: The largest shift the requantiser has.
MAX_SHIFT = 31

#: Offset of the array's inputs: they are the bytes plus this, so unsigned.
INPUT_OFFSET = 128

_INT32 = np.iinfo(np.int32)
_PRODUCT = "source scale x weight scale / result scale"


def encode_scales(
    source: float, weights: NDArray[np.float32], result: float, rounding: Rounding, label: str
) -> NDArray[np.int64]:
    """Multiplier and shift of each channel, shape (channels, 2), as a runtime makes them.

    Raises ModelError for a factor of 1 or more, which the requantiser cannot express.
    """
    if rounding is Rounding.ONNX:
        pairs = [encode_scale(scale, label) for scale in effective_scales(source, weights, result)]
    else:
        factors = source * weights.astype(np.float64) / result
        pairs = [encode_factor(float(factor), label) for factor in factors]
    return np.array(pairs, np.int64)


def encode_factor(factor: float, label: str, what: str = _PRODUCT) -> tuple[int, int]:
    """Multiplier and shift of a double, as TFLite rounds it.

    Raises ModelError for a factor of 1 or more; `what` says how it is made of scales.
    """
    multiplier, exponent = quantise_multiplier(factor)
    if exponent > 0 or factor <= 0.0:
        raise beyond(factor, label, what)
    return multiplier, -exponent


def quantise_multiplier(factor: float) -> tuple[int, int]:
    """``multiplier * 2**(exponent - 31)`` closest to a double, with 31 bits; 0 below 2**-32."""
    mantissa, exponent = math.frexp(factor)
    multiplier = math.floor(mantissa * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, exponent = multiplier >> 1, exponent + 1
    return (multiplier, exponent) if -exponent <= MAX_SHIFT else (0, 0)


def beyond(factor: float, label: str, what: str = _PRODUCT) -> ModelError:
    """The error for a factor that the requantiser cannot express; `what` as in `encode_factor`."""
    weights = " or the weights with a smaller one" if what == _PRODUCT else ""
    return ModelError(
        f"{label}: {what} is {factor:g}, but the NPU's requantiser takes factors above 0 and below "
        f"1; quantise the result with a larger scale{weights}"
    )


def effective_scales(
    source: float, weights: NDArray[np.float32], result: float
) -> NDArray[np.float32]:
    """Factor from accumulator to result for each channel, as float32 arithmetic gives it."""
    with np.errstate(over="ignore", under="ignore"):
        return np.float32(source) * weights.astype(np.float32) / np.float32(result)


def encode_scale(scale: np.float32, label: str, what: str = _PRODUCT) -> tuple[int, int]:
    """Multiplier (0, or from 2**30 to below 2**31) and shift (0 to 31) of a float32 factor.

    A factor below 2**-32 makes every int32 less than a half, so that 0 is exact for it. Raises
    ModelError for a factor of 1 or more, which the requantiser cannot express; `what` says how it
    is made of scales.
    """
    value = float(scale)
    if not 0.0 < value < 1.0:
        raise beyond(value, label, what)
    mantissa, exponent = math.frexp(value)
    if -exponent > MAX_SHIFT:
        return 0, 0
    return int(mantissa * (1 << 24)) << 7, -exponent


def fold_bias(
    bias: NDArray[np.int32], matrix: NDArray[np.int8], zero_point: int, offset: int = INPUT_OFFSET
) -> NDArray[np.int32]:
    """Bias that makes up for inputs taken as ``value + offset`` instead of ``value - zero_point``.

    Modulo 2**32, as the hardware adds: the sum is right wherever the true sum fits into int32.
    """
    sums = matrix.astype(np.int64).sum(axis=0)
    folded = bias.astype(np.int64) - (offset + zero_point) * sums
    return (folded & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def check_sums(
    bias: NDArray[np.int32], matrix: NDArray[np.int8], zero_point: int, label: str
) -> None:
    """Raise ModelError if an input exists for which a sum with its bias leaves int32."""
    weights = matrix.astype(np.int64)
    low, high = -128 - zero_point, 127 - zero_point
    highest = bias + np.maximum(weights * low, weights * high).sum(axis=0)
    lowest = bias + np.minimum(weights * low, weights * high).sum(axis=0)
    for channel in range(len(bias)):
        if highest[channel] > _INT32.max or lowest[channel] < _INT32.min:
            raise ModelError(
                f"{label}: sums of output channel {channel} reach from {lowest[channel]} to "
                f"{highest[channel]}, beyond the 32 bits of the accumulator; split the layer or "
                "use a smaller bias"
            )
