# SPDX-License-Identifier: Apache-2.0
"""Layers that the vector engine computes alone, from the graph's nodes: parameters and parts.

Depthwise convolutions, average pools, means and additions; which images they work on is the
caller's to say (`legalise`).
"""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from ..hdl.npu.isa import ADD_SHIFT, Rounding
from .ir import Add, AveragePool, Depthwise, Mean
from .layers import AddLayer, Area, AverageLayer, ChannelParameters, DepthwiseLayer, Image, Window
from .onnx_addition import AddParameters, addition_parameters
from .onnx_averages import global_parameters, mean_parameters, pool_parameters
from .scales import (
    beyond,
    check_sums,
    encode_factor,
    encode_scales,
    fold_bias,
    quantise_multiplier,
)

__all__ = ["add_layer", "average_layer", "average_parameters", "depthwise_layer", "mean_layer"]


def depthwise_layer(
    node: Depthwise, source: Image, result: Image, window: Window
) -> DepthwiseLayer:
    """A depthwise convolution. Raises ModelError for scales and sums that the NPU cannot have."""
    kernels = np.ascontiguousarray(node.weights.reshape(-1, node.weights.shape[2]))
    zero_point = source.quantisation.zero_point
    check_sums(node.bias, kernels, zero_point, node.label)
    encoded = encode_scales(
        source.quantisation.scale, node.weight_scales, result.quantisation.scale, node.rounding,
        node.label,
    )
    return DepthwiseLayer(
        node.name, node.kind, source, result, window, kernels,
        fold_bias(node.bias, kernels, zero_point, offset=0), encoded[:, 0], encoded[:, 1],
        node.clamp, node.rounding,
    )


def average_layer(node: AveragePool, source: Image, result: Image, window: Window) -> AverageLayer:
    """An average pool: a part of the result for each number of pixels that a window may have.

    Source and result have one scale in TFLite, so that the sum of bytes need only be divided.
    Raises ModelError where ONNX's float32 sums cannot be had (`onnx_averages`).
    """
    areas = list(_areas(source, result, window))
    if node.rounding is Rounding.ONNX:
        counts = [pixels for _, pixels in areas]
        divisor = window.height * window.width if node.counts_padding else None
        parameters, zero_point, rounding = pool_parameters(
            counts, divisor, source.quantisation, result.quantisation, node.label
        )
    else:
        parameters = [average_parameters(pixels) for _, pixels in areas]
        zero_point, rounding = 0, node.rounding
    parts = tuple((area, each) for (area, _), each in zip(areas, parameters, strict=True))
    return AverageLayer(
        node.name, node.kind, source, result, window, parts, zero_point, node.clamp, rounding
    )


def _areas(source: Image, result: Image, window: Window) -> Iterator[tuple[Area, int]]:
    """Parts of the result whose windows have as many pixels in the image, and how many."""
    rows = _runs(source.height, window.height, window.stride_y, window.pad_top, result.height)
    columns = list(
        _runs(source.width, window.width, window.stride_x, window.pad_left, result.width)
    )
    for y, height, row_pixels in rows:
        for x, width, column_pixels in columns:
            yield Area(y, x, height, width), row_pixels * column_pixels


def _runs(
    size: int, window: int, stride: int, pad: int, results: int
) -> Iterator[tuple[int, int, int]]:
    """Results along an axis whose windows have as many pixels in the image: first, count, pixels.
    """
    starts = (number * stride - pad for number in range(results))
    inside = [min(size, start + window) - max(0, start) for start in starts]
    first = 0
    for pixels, run in groupby(inside):
        count = len(list(run))
        yield first, count, pixels
        first += count


def average_parameters(count: int) -> ChannelParameters:
    """What divides a sum of `count` int8 values, to the nearest integer, halves away from zero.

    For a rounding that is half up: ``floor(sum * f + 1/2)`` with f = multiplier / 2**(31 + shift).

    Why it is exact, for 2 <= count < 2**22: f = 1/count + e with 0 < e <= 2**-(31 + shift), so
    ``sum * f + 1/2 = (2 * sum + count) / (2 * count) + sum * e``. As |sum| <= 128 * count and
    2**shift >= count / 2, |sum * e| <= 2**-23 < 1 / (2 * count): less than the distance of the
    first term, a multiple of 1 / (2 * count), to any integer that it is not itself. Where it is
    one, sum / count is a half, and the sign of sum * e takes it away from zero. For a count of 1
    f = 1 - 2**-31, and sum / 2**31 is far below the half that is added.
    """
    if count == 1:
        return ChannelParameters(0, (1 << 31) - 1, 0)
    shift = (count - 1).bit_length() - 1
    return ChannelParameters(0, (1 << 31 + shift) // count + 1, shift)


def mean_layer(node: Mean, source: Image, result: Image) -> AverageLayer:
    """A mean over the whole image: one window. Raises ModelError for scales that cannot be had."""
    count = source.height * source.width
    rounding, zero_point = node.rounding, result.quantisation.zero_point
    if node.floating:
        (parameters,), zero_point, rounding = mean_parameters(
            count, source.quantisation, result.quantisation, node.label
        )
    elif rounding is Rounding.ONNX:
        parameters = global_parameters(
            count, source.quantisation, result.quantisation, node.label
        )
    else:
        parameters = _mean_parameters(count, source, result, node.label)
    return AverageLayer(
        node.name, node.kind, source, result, Window(source.height, source.width),
        ((Area(0, 0, 1, 1), parameters),), zero_point, node.clamp, rounding,
    )


def _mean_parameters(count: int, source: Image, result: Image, label: str) -> ChannelParameters:
    """TFLite divides the multiplier, not the sum, and rounds it down.

    Raises ModelError where even then the sum would have to be scaled up.
    """
    factor = source.quantisation.scale / result.quantisation.scale
    multiplier, exponent = quantise_multiplier(factor)
    bits = min(count.bit_length() - 1, 31 + exponent)
    multiplier, shift = (multiplier << bits) // count, bits - exponent
    if shift < 0:
        multiplier, shift = multiplier << -shift, 0
    if multiplier >= 1 << 31:
        raise beyond(factor / count, label, "source scale / result scale / pixels")
    return ChannelParameters(-source.quantisation.zero_point * count, multiplier, shift)


def add_layer(node: Add, source: Image, other: Image, result: Image) -> AddLayer:
    """An addition, byte by byte. Raises ModelError for scales for which the NPU has none."""
    if node.rounding is Rounding.ONNX:
        found = addition_parameters(
            source.quantisation, other.quantisation, result.quantisation, node.label
        )
    else:
        found = _add_parameters(source, other, result, node.label)
    if found.halved:
        source, other = other, source
    return AddLayer(
        node.name, node.kind, source, result, other, (found.term, found.total), node.clamp
    )


def _add_parameters(source: Image, other: Image, result: Image, label: str) -> AddParameters:
    """TFLite's addition: both images to a scale of twice the larger one, from there to the result.

    So the image with the larger scale is halved, without an error, and its zero point left to the
    sum. Raises ModelError for a result scale so small that the sum would have to be scaled up.
    """
    images = (source.quantisation, other.quantisation)
    halved = int(other.quantisation.scale > source.quantisation.scale)
    larger, smaller = images[halved], images[1 - halved]
    common = 2.0 * larger.scale
    term = ChannelParameters(
        -(smaller.zero_point << ADD_SHIFT), *encode_factor(smaller.scale / common, label)
    )
    last = encode_factor(
        common / ((1 << ADD_SHIFT) * result.quantisation.scale), label,
        "2 x the larger source scale / result scale / 2**20",
    )
    bias = -(larger.zero_point << ADD_SHIFT - 1)
    return AddParameters(halved, term, ChannelParameters(bias, *last))
