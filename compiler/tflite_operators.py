# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators: what each takes, and the graph's node that it becomes."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..hdl.npu.isa import Rounding
from .errors import ModelError
from .ir import (
    ALL,
    Clamp,
    Convolution,
    FullyConnected,
    MaxPool,
    Node,
    Pads,
    Relu,
    Reshape,
    Tensor,
    relu_clamp,
)
from .padding import same_padding
from .tflite_file import TfliteNode, TfliteTensor

__all__ = ["BUILDERS"]

#: The inputs behind the first one, in order: None where one is left out or no constant.
Constants = Sequence[TfliteTensor | None]

#: Numbers of the schema: activations that an operator has taken into it, and ways to pad.
_NONE, _RELU, _RELU_N1_TO_1, _RELU6 = range(4)
_SAME, _VALID = range(2)

_IMAGE_RANK = 3


def _convolution(
    node: TfliteNode, source: Tensor, result: Tensor, constants: Constants
) -> Convolution:
    height, width, channels = _image(node, source)
    weights = _weights(node, constants, 4)
    values = _values(weights)
    out_channels, *kernel, in_channels = values.shape
    if in_channels != channels:
        raise ModelError(
            f"{node.label}: weights are for {in_channels} channels, the image has {channels}"
        )
    dilations = _option(node, "DilationHFactor"), _option(node, "DilationWFactor")
    if dilations != (1, 1):
        raise ModelError(
            f"{node.label}: dilations must be 1, not {list(dilations)}; the NPU has dense windows "
            "only"
        )
    strides, pads = _sliding(node, (height, width), (kernel[0], kernel[1]), result, out_channels)
    scales = _channel_scales(node, weights, out_channels)
    return Convolution(
        str(node.number), node.kind, source, result, values.transpose(0, 3, 1, 2), scales,
        _bias(node, constants, out_channels), strides, pads, _clamp(node, result), Rounding.TFLITE,
    )


def _fully_connected(
    node: TfliteNode, source: Tensor, result: Tensor, constants: Constants
) -> FullyConnected:
    weights = _weights(node, constants, 2)
    values = _values(weights)
    outputs, inputs = values.shape
    if source.size != inputs or result.size != outputs:
        raise ModelError(
            f"{node.label}: weights are for {inputs} inputs and {outputs} outputs, there are "
            f"{source.size} and {result.size}"
        )
    if weights_format := _option(node, "WeightsFormat"):
        raise ModelError(f"{node.label}: weights_format must be 0 (default), not {weights_format}")
    return FullyConnected(
        str(node.number), node.kind, source, result, values.T,
        _channel_scales(node, weights, outputs), _bias(node, constants, outputs),
        _clamp(node, result), Rounding.TFLITE_SINGLE,
    )


def _max_pool(node: TfliteNode, source: Tensor, result: Tensor, _: Constants) -> MaxPool:
    height, width, channels = _image(node, source)
    kernel = _option(node, "FilterHeight"), _option(node, "FilterWidth")
    strides, pads = _sliding(node, (height, width), kernel, result, channels)
    return MaxPool(
        str(node.number), node.kind, source, result, kernel, strides, pads, _clamp(node, result)
    )


def _relu(node: TfliteNode, source: Tensor, result: Tensor, _: Constants) -> Relu:
    return Relu(str(node.number), node.kind, source, result)


def _reshape(node: TfliteNode, source: Tensor, result: Tensor, _: Constants) -> Reshape:
    if source.size != result.size:
        raise ModelError(
            f"{node.label}: an image of {source.size} elements cannot take the shape "
            f"{[1, *result.shape]}"
        )
    return Reshape(str(node.number), node.kind, source, result)


def _option(node: TfliteNode, name: str) -> int:
    if name not in node.options:
        raise ModelError(f"{node.label}: its option {name} is missing; convert the model again")
    return node.options[name]


def _image(node: TfliteNode, source: Tensor) -> tuple[int, int, int]:
    if len(source.shape) != _IMAGE_RANK:
        raise ModelError(
            f"{node.label}: its input must be [1, rows, columns, channels], not of shape "
            f"{[1, *source.shape]}; the NPU has two-dimensional windows only"
        )
    return source.shape[0], source.shape[1], source.shape[2]


def _sliding(
    node: TfliteNode, image: tuple[int, int], kernel: tuple[int, int], result: Tensor, channels: int
) -> tuple[tuple[int, int], Pads]:
    """Strides and padding; what they make of an image must be the result's shape."""
    strides = _option(node, "StrideH"), _option(node, "StrideW")
    if min(*strides, *kernel) < 1:
        raise ModelError(f"{node.label}: kernel and strides must be at least 1")
    if _option(node, "Padding") == _SAME:
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


def _clamp(node: TfliteNode, result: Tensor) -> Clamp:
    """What the activation that the operator has taken into it lets through."""
    activation = _option(node, "FusedActivationFunction")
    quantisation = result.quantisation
    if activation == _NONE:
        return ALL
    if activation == _RELU:
        return relu_clamp(quantisation)
    limits = {_RELU6: (0.0, 6.0), _RELU_N1_TO_1: (-1.0, 1.0)}.get(activation)
    if limits is None:
        raise ModelError(
            f"{node.label}: its fused activation must be none, RELU, RELU6 or RELU_N1_TO_1, not "
            f"number {activation}"
        )
    low, high = (
        quantisation.zero_point + _round(np.float32(limit) / np.float32(quantisation.scale))
        for limit in limits
    )
    return max(low, ALL[0]), max(min(high, ALL[1]), ALL[0])


def _round(value: np.float32) -> int:
    """Half away from zero, as C's round."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), float(value)))


def _weights(node: TfliteNode, constants: Constants, rank: int) -> TfliteTensor:
    weights = constants[0] if constants else None
    if weights is None or weights.kind != "INT8":
        raise ModelError(
            f"{node.label}: its weights must be an int8 constant; convert with full integer "
            "quantisation"
        )
    if len(weights.shape) != rank or min(weights.shape) < 1:
        raise ModelError(f"{node.label}: weights must have {rank} axes, not {list(weights.shape)}")
    if np.any(weights.zero_points != 0):
        bad = int(weights.zero_points[np.flatnonzero(weights.zero_points)[0]])
        raise ModelError(f"{node.label}: weights must have zero point 0, not {bad}")
    return weights


def _values(tensor: TfliteTensor) -> NDArray[np.int8]:
    assert tensor.values is not None
    return tensor.values


def _channel_scales(node: TfliteNode, weights: TfliteTensor, channels: int) -> NDArray[np.float32]:
    """One scale for each output channel, which are the weights' first axis."""
    scales = weights.scales
    if scales.size not in (1, channels) or (scales.size > 1 and weights.axis != 0):
        raise ModelError(
            f"{node.label}: weights must have one scale, or one for each of {channels} output "
            f"channels along axis 0, not {scales.size} along axis {weights.axis}"
        )
    if not (np.all(np.isfinite(scales)) and np.all(scales > 0)):
        raise ModelError(f"{node.label}: scales of weights must be above 0 and finite")
    return np.broadcast_to(scales, (channels,))


def _bias(node: TfliteNode, constants: Constants, channels: int) -> NDArray[np.int32]:
    if len(node.inputs) < 3 or node.inputs[2] < 0:
        return np.zeros(channels, np.int32)
    bias = constants[1]
    if bias is None or bias.kind != "INT32" or bias.shape != (channels,):
        raise ModelError(f"{node.label}: its bias must be a constant of {channels} int32 values")
    assert bias.values is not None
    return bias.values


#: Builds each operator: from its node, source, result and the constants behind the source.
BUILDERS: dict[str, Callable[[TfliteNode, Tensor, Tensor, Constants], Node]] = {
    "CONV_2D": _convolution,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _max_pool,
    "RELU": _relu,
    "RESHAPE": _reshape,
}
