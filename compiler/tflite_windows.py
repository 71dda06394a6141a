# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators on windows of an image: convolutions and pools."""

from collections.abc import Sequence

from ..hdl.npu.isa import Rounding
from .errors import ModelError
from .ir import AveragePool, Clamp, Convolution, Depthwise, MaxPool, Pads, Tensor
from .padding import same_padding, span
from .tflite_file import TfliteNode
from .tflite_inputs import Inputs, bias, channel_scales, clamp, option, values, weights

__all__ = ["average_pool", "convolution", "depthwise", "image_shape", "max_pool"]

#: Numbers of the schema: ways to pad.
_SAME, _VALID = range(2)

_IMAGE_RANK = 3


def convolution(node: TfliteNode, source: Tensor, result: Tensor, inputs: Inputs) -> Convolution:
    """CONV_2D."""
    height, width, channels = image_shape(node, source)
    kernels = weights(node, inputs, 4)
    out_channels, *kernel, in_channels = kernels.shape
    if in_channels != channels:
        raise ModelError(
            f"{node.label}: weights are for {in_channels} channels, the image has {channels}"
        )
    dilations = _dilations(node)
    covered = span(kernel, dilations)
    strides, pads = _sliding(node, (height, width), covered, result, out_channels)
    return Convolution(
        str(node.number), node.kind, source, result, values(kernels).transpose(0, 3, 1, 2),
        channel_scales(node, kernels, 0), bias(node, inputs, out_channels), strides, pads,
        clamp(node, result), Rounding.TFLITE, dilations,
    )


def depthwise(
    node: TfliteNode, source: Tensor, result: Tensor, inputs: Inputs
) -> Depthwise | Convolution:
    """DEPTHWISE_CONV_2D; of an image with one channel it is a convolution."""
    height, width, channels = image_shape(node, source)
    kernels = weights(node, inputs, 4)
    first, *kernel, out_channels = kernels.shape
    if first != 1 or out_channels % channels:
        raise ModelError(
            f"{node.label}: weights must have the shape [1, rows, columns, channels] for an image "
            f"of {channels} channels, not {list(kernels.shape)}"
        )
    multiplier = out_channels // channels
    if multiplier > 1 and channels > 1:
        raise ModelError(
            f"{node.label}: depth multiplier must be 1 for an image of {channels} channels, not "
            f"{multiplier}; use a CONV_2D, or {multiplier} layers with multiplier 1"
        )
    dilations = _dilations(node)
    covered = span(kernel, dilations)
    strides, pads = _sliding(node, (height, width), covered, result, out_channels)
    scales, biases = channel_scales(node, kernels, 3), bias(node, inputs, out_channels)
    if channels == 1:
        return Convolution(
            str(node.number), node.kind, source, result, values(kernels).transpose(3, 0, 1, 2),
            scales, biases, strides, pads, clamp(node, result), Rounding.TFLITE, dilations,
        )
    return Depthwise(
        str(node.number), node.kind, source, result, values(kernels)[0], scales, biases, strides,
        pads, clamp(node, result), Rounding.TFLITE, dilations,
    )


def max_pool(node: TfliteNode, source: Tensor, result: Tensor, _: Inputs) -> MaxPool:
    """MAX_POOL_2D."""
    return MaxPool(str(node.number), node.kind, source, result, *_pool(node, source, result))


def average_pool(node: TfliteNode, source: Tensor, result: Tensor, _: Inputs) -> AveragePool:
    """AVERAGE_POOL_2D."""
    return AveragePool(str(node.number), node.kind, source, result, *_pool(node, source, result))


def _pool(
    node: TfliteNode, source: Tensor, result: Tensor
) -> tuple[tuple[int, int], tuple[int, int], Pads, Clamp]:
    """Kernel, strides, padding and clamp."""
    height, width, channels = image_shape(node, source)
    kernel = option(node, "FilterHeight"), option(node, "FilterWidth")
    return kernel, *_sliding(node, (height, width), kernel, result, channels), clamp(node, result)


def image_shape(node: TfliteNode, source: Tensor) -> tuple[int, int, int]:
    """Rows, columns and channels. Raises ModelError for anything but an image."""
    if len(source.shape) != _IMAGE_RANK:
        raise ModelError(
            f"{node.label}: its input must be [1, rows, columns, channels], not of shape "
            f"{[1, *source.shape]}; the NPU has two-dimensional windows only"
        )
    return source.shape[0], source.shape[1], source.shape[2]


def _dilations(node: TfliteNode) -> tuple[int, int]:
    """Of rows and columns."""
    dilations = option(node, "DilationHFactor"), option(node, "DilationWFactor")
    if min(dilations) < 1:
        raise ModelError(f"{node.label}: dilations must be at least 1, not {list(dilations)}")
    return dilations


def _sliding(
    node: TfliteNode, image: tuple[int, int], kernel: Sequence[int], result: Tensor, channels: int
) -> tuple[tuple[int, int], Pads]:
    """Strides and padding; what they make of an image must be the result's shape.

    `kernel`: with the pixels between dilated taps.
    """
    strides = option(node, "StrideH"), option(node, "StrideW")
    if min(*strides, *kernel) < 1:
        raise ModelError(f"{node.label}: kernel and strides must be at least 1")
    if option(node, "Padding") == _SAME:
        out = [-(-size // stride) for size, stride in zip(image, strides, strict=True)]
        total = same_padding(image, kernel, strides)
        pads = Pads(total[0] // 2, total[1] // 2)
    else:
        out = [
            (size - window) // stride + 1
            for size, window, stride in zip(image, kernel, strides, strict=True)
        ]
        pads = Pads()
    if result.shape != (*out, channels):
        raise ModelError(
            f"{node.label}: its result must have the shape {[1, *out, channels]}, not "
            f"{[1, *result.shape]}"
        )
    return strides, pads
