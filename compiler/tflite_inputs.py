# SPDX-License-Identifier: Apache-2.0
"""What TFLite's operators are given: options, constants, and activations taken into them."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .ir import ALL, Clamp, Tensor, relu_clamp
from .tflite_file import TfliteNode, TfliteTensor

__all__ = [
    "Inputs", "bias", "channel_scales", "clamp", "integers", "option", "real_option",
    "values", "weights",
]

#: The inputs behind the first one, in order: constants, and what earlier nodes have made; None
#: where one is left out or is neither.
Inputs: TypeAlias = Sequence[Tensor | TfliteTensor | None]

#: Numbers of the schema: activations that an operator has taken into it.
_NONE, _RELU, _RELU_N1_TO_1, _RELU6 = range(4)


def option(node: TfliteNode, name: str) -> int:
    """An option of the node that is a whole number. Raises ModelError where it has none."""
    return int(real_option(node, name))


def real_option(node: TfliteNode, name: str) -> float:
    """An option of the node. Raises ModelError where it has none."""
    if name not in node.options:
        raise ModelError(f"{node.label}: its option {name} is missing; convert the model again")
    return node.options[name]


def clamp(node: TfliteNode, result: Tensor) -> Clamp:
    """What the activation that the operator has taken into it lets through."""
    activation = option(node, "FusedActivationFunction")
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
    with np.errstate(over="ignore"):
        steps = [np.float32(limit) / np.float32(quantisation.scale) for limit in limits]
    # Beyond 255 steps it is beyond int8, wherever the zero point is.
    low, high = (
        quantisation.zero_point + _round(np.clip(step, np.float32(-255), np.float32(255)))
        for step in steps
    )
    return max(low, ALL[0]), max(min(high, ALL[1]), ALL[0])


def _round(value: np.float32) -> int:
    """Half away from zero, as C's round."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), float(value)))


def _constant(inputs: Inputs, place: int, kind: str) -> TfliteTensor | None:
    """The constant of a type at a place, if it is there."""
    found = inputs[place] if place < len(inputs) else None
    return found if isinstance(found, TfliteTensor) and found.kind == kind else None


def weights(node: TfliteNode, inputs: Inputs, rank: int) -> TfliteTensor:
    """The weights, which stand behind the first input. Raises ModelError for what no layer takes.
    """
    found = _constant(inputs, 0, "INT8")
    if found is None:
        raise ModelError(
            f"{node.label}: its weights must be an int8 constant; convert with full integer "
            "quantisation"
        )
    if len(found.shape) != rank or min(found.shape) < 1:
        raise ModelError(f"{node.label}: weights must have {rank} axes, not {list(found.shape)}")
    if np.any(found.zero_points != 0):
        bad = int(found.zero_points[np.flatnonzero(found.zero_points)[0]])
        raise ModelError(f"{node.label}: weights must have zero point 0, not {bad}")
    return found


def values(tensor: TfliteTensor) -> NDArray[Any]:
    """A constant's elements."""
    assert tensor.values is not None
    return tensor.values


def channel_scales(node: TfliteNode, found: TfliteTensor, axis: int) -> NDArray[np.float32]:
    """One scale for each output channel, which are an axis of the weights."""
    scales, channels = found.scales, found.shape[axis]
    if scales.size not in (1, channels) or (scales.size > 1 and found.axis != axis):
        raise ModelError(
            f"{node.label}: weights must have one scale, or one for each of {channels} output "
            f"channels along axis {axis}, not {scales.size} along axis {found.axis}"
        )
    if not (np.all(np.isfinite(scales)) and np.all(scales > 0)):
        raise ModelError(f"{node.label}: scales of weights must be above 0 and finite")
    return np.broadcast_to(scales, (channels,))


def bias(node: TfliteNode, inputs: Inputs, channels: int) -> NDArray[np.int32]:
    """The bias, which stands behind the weights; zeros where there is none."""
    if len(node.inputs) < 3 or node.inputs[2] < 0:
        return np.zeros(channels, np.int32)
    found = _constant(inputs, 1, "INT32")
    if found is None or found.shape != (channels,):
        raise ModelError(f"{node.label}: its bias must be a constant of {channels} int32 values")
    return values(found)


def integers(inputs: Inputs, place: int) -> NDArray[np.int64] | None:
    """A constant of whole numbers: axes, or rows and columns of padding; None if it is none."""
    found = _constant(inputs, place, "INT32") or _constant(inputs, place, "INT64")
    return None if found is None else values(found).astype(np.int64)
