# SPDX-License-Identifier: Apache-2.0
"""Scales, zero points and quantised constants of nodes: three inputs one after another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .ir import Quantisation
from .onnx_file import OnnxNode

__all__ = ["Constant", "read_constant", "read_quantisation"]

_Constants = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Constant:
    """A constant with zero point 0: weights (int8) or a bias (int32).

    One scale, or one for each index of axis `axis`, which counts from 0; none for a bias whose
    scale follows from others.
    """

    name: str
    values: NDArray[Any]
    scales: NDArray[np.float32]
    axis: int

    def scales_along(self, axis: int, label: str) -> NDArray[np.float32]:
        """One scale for each index of `axis`. Raises ModelError if they lie along another."""
        if self.scales.size > 1 and self.axis != axis:
            raise ModelError(
                f"{label}: '{self.name}' must have its scales along axis {axis}, the output "
                f"channels, not axis {self.axis}"
            )
        return np.broadcast_to(self.scales, (self.values.shape[axis],))


def read_quantisation(node: OnnxNode, constants: _Constants, place: int) -> Quantisation:
    """Scale and zero point of an activation, inputs `place` and the next: per tensor, int8."""
    scales, zero_points = _parameters(node, constants, place)
    if scales.size != 1 or zero_points.size != 1:
        raise ModelError(
            f"{node.label}: activations must have one scale and one zero point for the whole "
            f"tensor, not {scales.size}"
        )
    if zero_points.dtype != np.int8:
        raise ModelError(
            f"{node.label}: activations must be int8, not {zero_points.dtype}; quantise with "
            "activation_type=QuantType.QInt8"
        )
    return Quantisation(float(scales[0]), int(zero_points[0]))


def read_constant(node: OnnxNode, constants: _Constants, place: int, axis: int) -> Constant:
    """The constant at `place`, before its scale and zero point: int8 or int32, zero points 0.

    `axis`: along which there may be a scale for each index; from the end if negative.
    """
    name = node.input(place)
    values = constants[name]
    scales, zero_points = _parameters(node, constants, place + 1)
    if values.dtype not in (np.int8, np.int32):
        raise ModelError(
            f"{node.label}: constant '{name}' must be int8 (weights) or int32 (bias), not "
            f"{values.dtype}; quantise with weight_type=QuantType.QInt8"
        )
    if np.any(zero_points != 0):
        bad = int(zero_points[np.flatnonzero(zero_points)[0]])
        raise ModelError(
            f"{node.label}: constant '{name}' must have zero point 0, not {bad}; quantise with "
            "the extra option WeightSymmetric=True"
        )
    rank = values.ndim
    axis += rank if axis < 0 else 0
    if scales.size > 1 and not (0 <= axis < rank and values.shape[axis] == scales.size):
        raise ModelError(
            f"{node.label}: constant '{name}' of shape {list(values.shape)} cannot have "
            f"{scales.size} scales along axis {axis}"
        )
    return Constant(name, values, scales, axis)


def _parameters(
    node: OnnxNode, constants: _Constants, place: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scales (float32) at `place` and zero points behind them, both as vectors."""
    if node.attributes.get("block_size", 0):
        raise ModelError(f"{node.label}: block_size must be 0; quantise by tensor or by channel")
    scales = constants.get(node.input(place))
    if scales is None or scales.dtype != np.float32:
        raise ModelError(f"{node.label}: its scale must be a float32 constant")
    if not (np.all(np.isfinite(scales)) and np.all(scales > 0)):
        raise ModelError(f"{node.label}: its scale must be above 0 and finite")
    if node.input(place + 1) == "":
        return np.atleast_1d(scales), np.atleast_1d(_default_zero(node, constants))
    zero_points = constants.get(node.input(place + 1))
    if zero_points is None:
        raise ModelError(f"{node.label}: its zero point must be a constant")
    return np.atleast_1d(scales), np.atleast_1d(zero_points)


def _default_zero(node: OnnxNode, constants: _Constants) -> NDArray[Any]:
    """The zero point where none is given: 0 of the quantised type, which is uint8 by default."""
    values = constants.get(node.input(0))
    if node.kind == "DequantizeLinear" and values is not None:
        return np.zeros((), values.dtype)
    if node.kind not in ("QuantizeLinear", "DequantizeLinear"):
        raise ModelError(f"{node.label}: all its zero points must be given, as int8 constants")
    return np.zeros((), np.int8 if node.attributes.get("output_dtype", 0) == 3 else np.uint8)
