# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators: what each takes, and the graph's node that it becomes."""

import math
from collections.abc import Callable

from ..hdl.npu.isa import Rounding
from .errors import ModelError
from .ir import (
    MOST_CLASSES,
    Add,
    FullyConnected,
    Mean,
    Node,
    Pad,
    Pads,
    Quantisation,
    Relu,
    Reshape,
    Softmax,
    Tensor,
)
from .tflite_file import TfliteNode, TfliteTensor
from .tflite_inputs import (
    Inputs,
    bias,
    channel_scales,
    clamp,
    integers,
    option,
    real_option,
    values,
    weights,
)
from .tflite_windows import average_pool, convolution, depthwise, image_shape, max_pool

__all__ = ["BUILDERS"]

#: How TFLite's softmax quantises its result.
_PROBABILITIES = Quantisation(1 / 256, -128)


def _fully_connected(
    node: TfliteNode, source: Tensor, result: Tensor, inputs: Inputs
) -> FullyConnected:
    matrix = weights(node, inputs, 2)
    rows, columns = matrix.shape
    if source.size != columns or result.size != rows:
        raise ModelError(
            f"{node.label}: weights are for {columns} inputs and {rows} outputs, there are "
            f"{source.size} and {result.size}"
        )
    if weights_format := option(node, "WeightsFormat"):
        raise ModelError(f"{node.label}: weights_format must be 0 (default), not {weights_format}")
    return FullyConnected(
        str(node.number), node.kind, source, result, values(matrix).T,
        channel_scales(node, matrix, 0), bias(node, inputs, rows), clamp(node, result),
        Rounding.TFLITE_SINGLE,
    )


def _add(node: TfliteNode, source: Tensor, result: Tensor, inputs: Inputs) -> Add:
    other = inputs[0] if inputs else None
    if not isinstance(other, Tensor):
        raise ModelError(
            f"{node.label}: both its inputs must be results of earlier nodes, not constants; add "
            "a constant as the bias of the layer before"
        )
    if not source.shape == other.shape == result.shape:
        raise ModelError(
            f"{node.label}: both inputs and its result must have one shape, not "
            f"{[1, *source.shape]}, {[1, *other.shape]} and {[1, *result.shape]}; the NPU repeats "
            "no values"
        )
    return Add(str(node.number), node.kind, source, result, other, clamp(node, result))


def _mean(node: TfliteNode, source: Tensor, result: Tensor, inputs: Inputs) -> Mean:
    _, _, channels = image_shape(node, source)
    axes = integers(inputs, 0)
    rank = len(source.shape) + 1
    found = None if axes is None else sorted({int(axis) % rank for axis in axes.reshape(-1)})
    if found != [1, 2]:
        raise ModelError(
            f"{node.label}: its axes must be the constants 1 and 2, rows and columns, not "
            f"{found}; use AVERAGE_POOL_2D for other windows"
        )
    if result.size != channels:
        raise ModelError(
            f"{node.label}: its result must have {channels} elements, not {result.size}"
        )
    return Mean(str(node.number), node.kind, source, result)


def _pad(node: TfliteNode, source: Tensor, result: Tensor, inputs: Inputs) -> Pad:
    height, width, channels = image_shape(node, source)
    amounts = integers(inputs, 0)
    if amounts is None or amounts.shape != (4, 2):
        raise ModelError(
            f"{node.label}: its padding must be a constant of 4 x 2 numbers, before and behind "
            "each axis"
        )
    (top, bottom), (left, right) = amounts[1:3].tolist()
    if amounts.min() < 0 or amounts[[0, 3]].any():
        raise ModelError(
            f"{node.label}: only rows and columns can be padded, by 0 or more, not "
            f"{amounts.tolist()}"
        )
    wanted = (height + top + bottom, width + left + right, channels)
    if result.shape != wanted:
        raise ModelError(
            f"{node.label}: its result must have the shape {[1, *wanted]}, not "
            f"{[1, *result.shape]}"
        )
    _check_pad_value(node, source, inputs)
    return Pad(str(node.number), node.kind, source, result, Pads(top, left))


def _check_pad_value(node: TfliteNode, source: Tensor, inputs: Inputs) -> None:
    """PADV2 names what it pads with; the NPU's windows have the value that stands for zero."""
    if node.kind == "PAD":
        return
    zero_point, found = source.quantisation.zero_point, inputs[1] if len(inputs) > 1 else None
    given = values(found).reshape(-1).tolist() if isinstance(found, TfliteTensor) else None
    if given != [zero_point]:
        raise ModelError(
            f"{node.label}: it must pad with {zero_point}, which stands for zero, not {given}; pad "
            "with 0 before the network is quantised"
        )


def _relu(node: TfliteNode, source: Tensor, result: Tensor, _: Inputs) -> Relu:
    return Relu(str(node.number), node.kind, source, result)


def _reshape(node: TfliteNode, source: Tensor, result: Tensor, _: Inputs) -> Reshape:
    if source.size != result.size:
        raise ModelError(
            f"{node.label}: an image of {source.size} elements cannot take the shape "
            f"{[1, *result.shape]}"
        )
    return Reshape(str(node.number), node.kind, source, result)


def _softmax(node: TfliteNode, source: Tensor, result: Tensor, _: Inputs) -> Softmax:
    beta = real_option(node, "Beta")
    if source.shape != result.shape or source.shape[-1] > MOST_CLASSES:
        raise ModelError(
            f"{node.label}: its input and result must have one shape of at most {MOST_CLASSES} "
            f"elements in the last axis, not {[1, *source.shape]} and {[1, *result.shape]}"
        )
    if result.quantisation != _PROBABILITIES:
        raise ModelError(
            f"{node.label}: its result must have scale 1/256 and zero point -128, not "
            f"{result.quantisation.scale:g} and {result.quantisation.zero_point}; convert the "
            "model again"
        )
    if not 2.0**-26 < source.quantisation.scale * beta < math.inf:
        raise ModelError(
            f"{node.label}: its input's scale x beta must be above 2**-26 and finite, not "
            f"{source.quantisation.scale * beta:g}; convert the model again"
        )
    return Softmax(str(node.number), node.kind, source, result, beta)


#: Builds each operator: from its node, source, result and the inputs behind the source.
BUILDERS: dict[str, Callable[[TfliteNode, Tensor, Tensor, Inputs], Node]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": average_pool,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": max_pool,
    "MEAN": _mean,
    "PAD": _pad,
    "PADV2": _pad,
    "RELU": _relu,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
}
