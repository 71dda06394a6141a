# SPDX-License-Identifier: Apache-2.0
"""Softmax of int8 values in integers, to the bit as TFLite's reference kernel.

Fixed point throughout, after gemmlowp: a number with `i` integer bits is an int32 in units of
``2**(i - 31)``. Written Qi here. Products and shifts to the right round, halves up.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..compiler.ir import MOST_CLASSES

__all__ = ["softmax", "softmax_parameters"]

#: Integer bits of scaled differences, of sums of exponentials, and of quotients.
_DIFFERENCE_BITS, _SUM_BITS, _QUOTIENT_BITS = 5, 12, 2

_ONE = (1 << 31) - 1
_INT32 = np.iinfo(np.int32)

_Integers = NDArray[np.int64]


def softmax(batch: NDArray[np.int8], scale: float, beta: float) -> NDArray[np.int8]:
    """Along the last axis; results have scale 1/256 and zero point -128.

    Raises ValueError for what `softmax_parameters` refuses, and for anything but int8.
    """
    if batch.dtype != np.int8 or not 1 <= batch.shape[-1] <= MOST_CLASSES:
        raise ValueError(f"softmax takes 1 to {MOST_CLASSES} int8 values")
    multiplier, shift, lowest = softmax_parameters(scale, beta)
    values = batch.astype(np.int64)
    differences = values - values.max(axis=-1, keepdims=True)
    counted = differences >= lowest
    scaled = _multiply(np.where(counted, differences, 0) << shift, multiplier)
    exponentials = _exp(scaled)
    terms = np.where(counted, _divide(exponentials, _SUM_BITS), 0)
    reciprocals, bits = _reciprocal(terms.sum(axis=-1, keepdims=True))
    results = _divide(_multiply(reciprocals, exponentials), bits + 31 - 8)
    return np.where(counted, np.clip(results - 128, -128, 127), -128).astype(np.int8)


def softmax_parameters(scale: float, beta: float) -> tuple[int, int, int]:
    """What makes a difference of two values Q5: multiplier, left shift, and the lowest difference.

    A lower difference leaves the 5 bits; its exponential is taken as 0. Raises ValueError where
    ``scale * beta`` is too small to be scaled up.
    """
    factor = min(beta * scale * (1 << 31 - _DIFFERENCE_BITS), _ONE)
    if not factor > 1.0:
        raise ValueError("softmax needs scale x beta above 2**-26")
    mantissa, shift = math.frexp(factor)
    multiplier = math.floor(mantissa * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = multiplier >> 1, shift + 1
    largest = ((1 << _DIFFERENCE_BITS) - 1) << 31 - _DIFFERENCE_BITS
    return multiplier, shift, -(largest >> shift)


def _exp(values: _Integers) -> _Integers:
    """The exponentials of Q5 numbers of at most 0, as Q0.

    A quarter's fraction by a polynomial, the bits of the whole quarters by a product each.
    """
    quarter = 1 << 31 - _DIFFERENCE_BITS - 2
    fractions = (values & (quarter - 1)) - quarter
    results = _exp_of_fraction(fractions << _DIFFERENCE_BITS)
    quarters = (fractions - values) // quarter
    for bit in range(_DIFFERENCE_BITS + 2):
        factor = _constant(math.exp(-(2.0 ** (bit - 2))), 0)
        results = np.where(quarters >> bit & 1, _multiply(results, factor), results)
    return np.where(values == 0, _ONE, results)


def _exp_of_fraction(values: _Integers) -> _Integers:
    """The same of Q0 numbers from -1/4 to below 0: Taylor's polynomial of degree 4 at -1/8."""
    x = values + (1 << 28)
    x2 = _multiply(x, x)
    x3, x4 = _multiply(x2, x), _multiply(x2, x2)
    sixths = _multiply(_divide(x4, 2) + x3, _constant(1 / 3, 0))
    centre = _constant(math.exp(-1 / 8), 0)
    return centre + _multiply(x + _divide(sixths + x2, 1), centre)


def _reciprocal(sums: _Integers) -> tuple[_Integers, _Integers]:
    """1 / sum for Q12 sums of at least 1, as Q0 numbers to be shifted right by further bits."""
    headroom = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    # 1 + x with x from 0 to below 1; half of it is Q0.
    half = ((sums << headroom) - (1 << 31) + _ONE + 1) >> 1
    # Newton's method from the best line.
    quotient = _constant(48 / 17, _QUOTIENT_BITS) + _multiply(
        half, -_constant(32 / 17, _QUOTIENT_BITS)
    )
    for _ in range(3):
        rest = (1 << 31 - _QUOTIENT_BITS) - _multiply(half, quotient)
        quotient = quotient + _saturate(_multiply(quotient, rest) << _QUOTIENT_BITS)
    return _saturate(quotient << 1), _SUM_BITS - headroom


def _constant(value: float, integer_bits: int) -> int:
    """The closest fixed-point number."""
    return math.floor(value * (1 << 31 - integer_bits) + 0.5)


def _multiply(a: _Integers, b: _Integers | int) -> _Integers:
    """Product of two int32 numbers over 2**31, halves up."""
    return (a * b + (1 << 30)) >> 31


def _divide(values: _Integers, bits: _Integers | int) -> _Integers:
    """Quotient of numbers that are not negative by a power of two, halves up."""
    return (values + (np.int64(1) << bits >> 1)) >> bits


def _saturate(values: _Integers) -> _Integers:
    return np.clip(values, _INT32.min, _INT32.max)
