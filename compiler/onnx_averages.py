# SPDX-License-Identifier: Apache-2.0
"""ONNX's means of int8 values by the NPU's AVERAGE_POOL, exact for all inputs or not at all.

The NPU sums bytes and requantises the sum. onnxruntime's kernel of GlobalAveragePool does the same.
Its kernel of AveragePool, with windows smaller than the image, sums float32 values, one after
another, and ReduceMean sums them in an order of its own: each addition is rounded, so that two
windows of one sum can have different means where it is near a half. For each sum the lowest and the
highest mean are computed, from bounds on these roundings; if for all sums they become the same
byte, that is what the NPU must give, and each way to requantise is tried on all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..hdl.npu.isa import Rounding
from .errors import ModelError
from .ir import Quantisation
from .layers import ChannelParameters
from .scales import encode_scale, quantise_multiplier

__all__ = ["MeanParameters", "global_parameters", "mean_parameters", "pool_parameters"]

#: Parameters of each part of the result, and zero point and rounding of all of them.
MeanParameters = tuple[list[ChannelParameters], int, Rounding]

#: Half of a unit in a float32's last place, relative to it.
_UNIT = 2.0**-24
#: Pixels up to which all sums are looked at.
_MOST_PIXELS = 4096
_PRODUCT = "source scale / result scale / pixels"


@dataclass(frozen=True)
class _Case:
    """Windows with `pixels` in the image, whose sums are divided by `divisor`."""

    pixels: int
    divisor: int
    source: Quantisation
    result: Quantisation

    @property
    def sums(self) -> NDArray[np.int64]:
        """Of the values less the zero point, all that can be."""
        zero = self.source.zero_point
        return np.arange(self.pixels * (-128 - zero), self.pixels * (127 - zero) + 1)

    @property
    def factor(self) -> float:
        """From a sum to the result."""
        return self.source.scale / self.result.scale / self.divisor


def global_parameters(
    pixels: int, source: Quantisation, result: Quantisation, label: str
) -> ChannelParameters:
    """Of GlobalAveragePool: for ONNX's rounding, with the result's zero point.

    Raises ModelError for a factor of 1 or more.
    """
    scale = np.float32(source.scale) / (np.float32(result.scale) * np.float32(pixels))
    return ChannelParameters(
        -source.zero_point * pixels, *encode_scale(scale, label, _PRODUCT)
    )


def pool_parameters(
    pixels: Sequence[int], divisor: int | None, source: Quantisation, result: Quantisation,
    label: str,
) -> MeanParameters:
    """Of AveragePool, a part for each of `pixels`; divided by them, or all by `divisor`.

    Raises ModelError where the order of additions decides.
    """
    cases = [_Case(count, divisor or count, source, result) for count in pixels]
    return _choose(cases, _pooled, label)


def mean_parameters(
    pixels: int, source: Quantisation, result: Quantisation, label: str
) -> MeanParameters:
    """Of ReduceMean over a whole image. Raises ModelError where the order of additions decides."""
    return _choose([_Case(pixels, pixels, source, result)], _reduced, label)


def _choose(
    cases: Sequence[_Case], kernel: Callable[[_Case], NDArray[np.int64] | None], label: str
) -> MeanParameters:
    """The first way to requantise that gives what `kernel` does for all sums of all cases."""
    distinct = tuple(dict.fromkeys(cases))
    small = all(case.pixels <= _MOST_PIXELS for case in distinct)
    wanted = [kernel(case) for case in distinct] if small else []
    if small and all(means is not None for means in wanted):
        for rounding, folded in _WAYS:
            found = {
                case: _fit(case, means, rounding, folded=folded)
                for case, means in zip(distinct, wanted, strict=True)
            }
            chosen = [each for each in (found[case] for case in cases) if each is not None]
            if len(chosen) == len(cases):
                return chosen, 0 if folded else cases[0].result.zero_point, rounding
    source, result = cases[0].source, cases[0].result
    raise ModelError(
        f"{label}: with scale {source.scale:g} of its input, {result.scale:g} of its result and "
        f"{'/'.join(str(case.pixels) for case in distinct)} pixels a window, sums are so close to "
        "halves that the order of float32 additions decides, and the NPU adds integers; use "
        "GlobalAveragePool for a whole image, windows of an odd number of pixels, or a depthwise "
        "Conv of equal weights"
    )


#: Roundings to try; with the zero point folded into the bias it takes part in rounding to even.
_WAYS = (
    (Rounding.TFLITE_SINGLE, False), (Rounding.ONNX, False), (Rounding.ONNX, True),
)


def _fit(
    case: _Case, means: NDArray[np.int64] | None, rounding: Rounding, *, folded: bool
) -> ChannelParameters | None:
    """Parameters that give these results for all sums, if there are such."""
    found = _parameters(case, rounding, folded=folded)
    if found is None or means is None:
        return None
    zero = 0 if folded else case.result.zero_point
    return found if np.array_equal(_means(case, found, zero, rounding), means) else None


def _parameters(case: _Case, rounding: Rounding, *, folded: bool) -> ChannelParameters | None:
    """What requantises sums of bytes; None where a field cannot hold it."""
    bias = -case.source.zero_point * case.pixels
    if folded:
        if case.source.scale != case.result.scale:
            return None
        bias += case.result.zero_point * case.divisor
    if rounding is Rounding.ONNX:
        scale = np.float32(case.source.scale) / np.float32(case.result.scale)
        factor = float(np.float32(scale / np.float32(case.divisor)))
    else:
        factor = case.factor
    multiplier, exponent = quantise_multiplier(factor)
    if exponent > 0:
        # A mean of one pixel of the same scale: the nearest factor below 1.
        if factor != 1.0 or rounding is Rounding.ONNX:
            return None
        multiplier, exponent = (1 << 31) - 1, 0
    return ChannelParameters(bias, multiplier, -exponent)


def _means(
    case: _Case, parameters: ChannelParameters, zero: int, rounding: Rounding
) -> NDArray[np.int64]:
    """What the NPU makes of all sums."""
    total = case.sums + case.source.zero_point * case.pixels + parameters.bias
    if rounding is Rounding.ONNX:
        scale = np.float32(np.ldexp(float(parameters.multiplier), -31 - parameters.shift))
        scaled = np.rint(total.astype(np.float32) * scale).astype(np.int64)
    else:
        half = 1 << (parameters.shift + 30)
        scaled = (total * parameters.multiplier + half) >> (parameters.shift + 31)
    return np.clip(scaled + zero, -128, 127)


def _pooled(case: _Case) -> NDArray[np.int64] | None:
    """Results of onnxruntime's AveragePool for all sums; None if one is not sure."""
    # Where all partial sums have at most 24 bits, no addition rounds.
    exact = _mantissa(case.source.scale) * 255 * case.pixels <= 1 << 24
    spread = 0.0 if exact else case.pixels * _UNIT

    def finish(sums: NDArray[np.float64]) -> NDArray[np.int64]:
        means = sums.astype(np.float32) / np.float32(case.divisor)
        steps = means / np.float32(case.result.scale) + np.float32(case.result.zero_point)
        return np.clip(np.rint(steps), -128, 127).astype(np.int64)

    return _sure(case, spread, finish)


def _reduced(case: _Case) -> NDArray[np.int64] | None:
    """Results of ReduceMean and QuantizeLinear for all sums; None if one is not sure."""

    def finish(sums: NDArray[np.float64]) -> NDArray[np.int64]:
        steps = np.rint(sums / case.divisor / case.result.scale) + case.result.zero_point
        return np.clip(steps, -128, 127).astype(np.int64)

    # Two more roundings for the divisions by count and scale.
    return _sure(case, (case.pixels + 3) * _UNIT, finish)


def _sure(
    case: _Case, spread: float, finish: Callable[[NDArray[np.float64]], NDArray[np.int64]]
) -> NDArray[np.int64] | None:
    """The results of all sums, if the lowest and highest float32 sum become the same byte.

    `spread`: what roundings change at most, as a share of the sum of all absolute values.
    """
    sums = case.sums
    scale = np.float64(case.source.scale)
    most = _absolute(case, sums) * scale * (spread * (1 + 2.0**-8))
    low, high = finish(sums * scale - most), finish(sums * scale + most)
    return low if np.array_equal(low, high) else None


def _absolute(case: _Case, sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """The largest sum of absolute values that windows of each sum can have."""
    below, above = 128.0 + case.source.zero_point, 127.0 - case.source.zero_point
    if not below or not above:
        return np.abs(sums).astype(np.float64)
    positive = (case.pixels + sums / below) / (1 / above + 1 / below)
    return 2 * positive - sums


def _mantissa(scale: float) -> int:
    """The odd part of a float32's significand."""
    significand = int(np.frexp(scale)[0] * (1 << 24))
    return significand // (significand & -significand)
