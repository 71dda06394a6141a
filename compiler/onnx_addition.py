# SPDX-License-Identifier: Apache-2.0
"""ONNX's addition of two int8 images by the NPU's ADD, exact for all pairs of bytes or not at all.

onnxruntime's kernel (QLinearAdd, which it also runs for an Add in QDQ form) computes in float32;
with r the ratios of the sources' scales to the result's, and z all zero points taken together,

    y = clamp(round(fma(a, r_a, fma(b, r_b, z))))        rounded half to even

The NPU's ADD is linear up to its last rounding too, but in fixed point, which is finer. The two
differ for pairs whose sum is so close to a half that float32's roundings decide. These are few, so
ratios and offset are moved, by millionths of a step, until each of them is on its side. Where no
move puts all of them there, the last factor is made coarser and ratios are moved at random beside
it, so that its rounding falls anew. All 65,536 pairs are compared each time. No such numbers exist
where many sums are halves exactly, as for ratios of 1/2: halves go to even there.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..hdl.npu.isa import ADD_SHIFT
from .errors import ModelError
from .ir import Quantisation
from .layers import ChannelParameters
from .scales import quantise_multiplier

__all__ = ["AddParameters", "add_table", "addition_parameters", "fma", "fit_addition", "sum_table"]

_BYTES = np.arange(-128, 128)
#: Sums nearer to a half than this, in steps of the result, are looked at one by one. Float32's
#: roundings move no sum by a tenth of it.
_NEAR = 2.0**-13
#: How far from the half they should be moved.
_MARGIN = 2.0**-18
_TURNS = 2000
#: Where moving is not enough: how often, from how many sums near a half on no more, by how much
#: ratios are moved at random, in steps of the result for bytes of 128, and by how many bits the
#: last factor may be coarser.
_ATTEMPTS = 1000
_FEW = 40
_JITTER = 2.0**-17
_COARSER_BITS = 8
#: Scales that are tried for a cure, next to the result's own.
_NUDGES = 12


class AddParameters(NamedTuple):
    """Numbers of an ADD.

    `halved`: 0 or 1, which of the images is its first one, whose bytes count ``byte * 2**19``.
    `term` scales the other one's, `total` the sum.
    """

    halved: int
    term: ChannelParameters
    total: ChannelParameters


def addition_parameters(
    first: Quantisation, second: Quantisation, result: Quantisation, label: str
) -> AddParameters:
    """Parameters of the ADD that is exact for these scales.

    Raises ModelError where there are none, with a scale of the result for which there are.
    """
    found = fit_addition(first, second, result)
    if found is not None:
        return found
    for nudge in range(1, _NUDGES):
        scale = float(np.float32(result.scale * (1 + 2.0 ** (nudge - 20))))
        if fit_addition(first, second, Quantisation(scale, result.zero_point)) is not None:
            cure = f"quantise the result with scale {np.float32(scale)!s}, for which there are"
            break
    else:
        cure = "quantise the result with a scale nearer to those of the inputs"
    raise ModelError(
        f"{label}: for the scales {first.scale:g} and {second.scale:g} of its inputs and "
        f"{result.scale:g} of its result the NPU's ADD has no parameters that give onnxruntime's "
        f"sum for all pairs of bytes; {cure}"
    )


def fit_addition(
    first: Quantisation, second: Quantisation, result: Quantisation
) -> AddParameters | None:
    """Parameters with which `add_table` is `sum_table`, or None if none are found."""
    wanted = sum_table(first, second, result)
    ratios, offset = _ratios(first, second, result), _offset(first, second, result)
    if not all(np.isfinite(ratio) and 0 < ratio < 1 << ADD_SHIFT - 1 for ratio in ratios):
        return None
    near = _near_halves(np.array([*ratios, offset], np.float64), wanted)
    moved, random = _moved(near), np.random.default_rng(0)
    larger = int(ratios[1] > ratios[0])
    for attempt in range(_ATTEMPTS if len(near.slack) <= _FEW else 1):
        numbers = moved + random.normal(size=3) * [_JITTER / 128, _JITTER / 128, 0] * bool(attempt)
        # The image with the smaller scale can be the one that is halved if the other is no larger
        # than twice that.
        halved = (larger + attempt) % 2
        found = _encode(numbers, result.zero_point, halved, attempt // 2 % _COARSER_BITS)
        if found is None:
            continue
        # All pairs are looked at where those are right that are the first to be wrong.
        some = _sums(found, result.zero_point, near.first, near.second)
        if np.array_equal(some, wanted[near.first + 128, near.second + 128]) and np.array_equal(
            add_table(found, result.zero_point), wanted
        ):
            return found
    return None


def sum_table(
    first: Quantisation, second: Quantisation, result: Quantisation
) -> NDArray[np.int8]:
    """What onnxruntime's kernel gives: [a + 128, b + 128] for bytes a and b.

    As on processors with a fused multiply-add: x86-64 with AVX2 and FMA3, or AArch64.
    """
    ratios, offset = _ratios(first, second, result), _offset(first, second, result)
    values = _BYTES.astype(np.float32)
    inner = fma(values, ratios[1], offset)
    sums = fma(values[:, None], ratios[0], inner[None, :])
    return np.rint(np.clip(sums, -128, 127)).astype(np.int8)


def add_table(parameters: AddParameters, zero_point: int) -> NDArray[np.int8]:
    """What the NPU's ADD gives, [a + 128, b + 128] for bytes a and b; not clamped further."""
    return _sums(parameters, zero_point, _BYTES[:, None], _BYTES[None, :])


def _sums(
    parameters: AddParameters, zero_point: int, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int8]:
    """The NPU's sums of bytes."""
    images = (first, second)
    term = _scaled(images[1 - parameters.halved] << ADD_SHIFT, parameters.term)
    both = (images[parameters.halved] << ADD_SHIFT - 1) + term
    return np.clip(_scaled(both, parameters.total) + zero_point, -128, 127).astype(np.int8)


def fma(x: NDArray[np.float32], factor: np.float32, addend: NDArray[np.float32] | np.float32) -> (
    NDArray[np.float32]
):
    """``x * factor + addend``, rounded to float32 once.

    A product of two is exact in float64. Its sum with the third is made odd in its last bit where
    it is not exact, so that rounding it again is as good as rounding once.
    """
    product = np.asarray(x, np.float64) * np.float64(factor)
    total = product + addend
    back = total - product
    lost = (product - (total - back)) + (np.asarray(addend, np.float64) - back)
    even = total.view(np.int64) & 1 == 0
    beside = np.nextafter(total, np.where(lost > 0, np.inf, -np.inf))
    return np.where((lost != 0) & even, beside, total).astype(np.float32)


def _ratios(
    first: Quantisation, second: Quantisation, result: Quantisation
) -> tuple[np.float32, np.float32]:
    scale = np.float32(result.scale)
    with np.errstate(over="ignore"):
        return np.float32(first.scale) / scale, np.float32(second.scale) / scale


def _offset(first: Quantisation, second: Quantisation, result: Quantisation) -> np.float32:
    """The result's zero point less the sources', each times its ratio."""
    ratios = _ratios(first, second, result)
    inner = ratios[1] * np.float32(second.zero_point)
    both = fma(np.array([first.zero_point], np.float32), ratios[0], inner)[0]
    return np.float32(np.float32(result.zero_point) - both)


@dataclass(frozen=True)
class _Near:
    """Sums near a half, for certain ratios and an offset: which bytes, and how far from it.

    `slack` is how far a sum is on its side of the half; `rows` what an addition to the first ratio
    and the second, times 128, and to the offset adds to that.
    """

    nominal: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    slack: NDArray[np.float64]
    rows: NDArray[np.float64]


def _near_halves(nominal: NDArray[np.float64], wanted: NDArray[np.int8]) -> _Near:
    """The sums near the lower and near the upper end of what is rounded to their result."""
    a, b = np.meshgrid(_BYTES, _BYTES, indexing="ij")
    sums = nominal[0] * a + nominal[1] * b + nominal[2]
    parts = []
    for sign, bounds, open_end in ((1, wanted - 0.5, -128), (-1, wanted + 0.5, 127)):
        slack = sign * (sums - bounds)
        near = (wanted != open_end) & (slack < _NEAR)
        first, second = a[near], b[near]
        rows = sign * np.stack([first / 128, second / 128, np.ones(len(first))], axis=1)
        parts.append((first, second, slack[near], rows))
    return _Near(nominal, *(np.concatenate(each) for each in zip(*parts, strict=True)))


def _moved(near: _Near) -> NDArray[np.float64]:
    """Ratios and offset under which sums near a half are far beyond it, on the right side.

    The relaxation method for linear inequalities (Agmon; Motzkin and Schoenberg, 1954): from the
    nominal ones on, always across the inequality that is missed most. The best ones that it came
    by.
    """
    step, best, most = np.zeros(3), np.zeros(3), -np.inf
    for _ in range(_TURNS if near.slack.size else 0):
        slack = near.rows @ step + near.slack
        worst = int(slack.argmin())
        if slack[worst] > most:
            best, most = step.copy(), slack[worst]
        if most >= _MARGIN or np.abs(step).max() > _NEAR / 4:
            break
        row = near.rows[worst]
        step += 1.5 * (_MARGIN - slack[worst]) / (row @ row) * row
    return near.nominal + best * [1 / 128, 1 / 128, 1]


def _encode(
    numbers: NDArray[np.float64], zero_point: int, halved: int, coarser: int
) -> AddParameters | None:
    """Parameters for ratios and offset, with one image halved; None where there are none.

    The last multiplier has `coarser` bits less than it can have, and the sum is rounded by as many
    more at first.
    """
    total = _parameter(numbers[halved] / (1 << ADD_SHIFT - 1))
    if total is None or not total.multiplier:
        return None
    less = min(coarser, total.shift)
    multiplier = total.multiplier + (1 << less >> 1) >> less
    step = multiplier / 2.0 ** (31 + total.shift - less)
    term = _parameter(numbers[1 - halved] / (step * (1 << ADD_SHIFT)))
    if term is None:
        return None
    bias = round((numbers[2] - zero_point) / step)
    return AddParameters(halved, term, ChannelParameters(bias, multiplier, total.shift - less))


def _parameter(factor: float) -> ChannelParameters | None:
    multiplier, exponent = quantise_multiplier(float(factor))
    return None if exponent > 0 else ChannelParameters(0, multiplier, -exponent)


def _scaled(sums: NDArray[np.int64], parameters: ChannelParameters) -> NDArray[np.int64]:
    """Rounded twice, as the NPU's lanes do it: half up, then half away from zero."""
    high = ((sums + parameters.bias) * parameters.multiplier + (1 << 30)) >> 31
    mask = (1 << parameters.shift) - 1
    return (high >> parameters.shift) + ((high & mask) > (mask >> 1) + (high < 0))
