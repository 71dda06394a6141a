# SPDX-License-Identifier: Apache-2.0
"""What the host does to a network's input and output: quantise, change order, softmax, dequantise.

Batches throughout: axis 0 counts images.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .manifest import (
    Deinterleave,
    Dequantise,
    FloatSoftmax,
    HostStep,
    Interleave,
    QLinearSoftmax,
    Quantise,
    Softmax,
)
from .onnx_softmax import float_softmax, qlinear_softmax
from .softmax import softmax

__all__ = ["apply_steps", "deinterleave", "dequantise", "interleave", "quantise"]


def apply_steps(steps: Iterable[HostStep], batch: NDArray[Any]) -> NDArray[Any]:
    """All steps in order."""
    for step in steps:
        match step:
            case Quantise():
                batch = quantise(batch, step.scale, step.zero_point)
            case Interleave():
                batch = interleave(batch, step.planes)
            case Deinterleave():
                batch = deinterleave(batch, step.planes, step.shape)
            case Softmax():
                batch = softmax(batch, step.scale, step.beta)
            case QLinearSoftmax():
                batch = qlinear_softmax(
                    batch, step.scale, step.result_scale, step.result_zero_point
                )
            case FloatSoftmax():
                batch = float_softmax(batch)
            case Dequantise():
                batch = dequantise(batch, step.scale, step.zero_point)
    return batch


def quantise(batch: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.int8]:
    """int8 of float32 values, as ONNX's QuantizeLinear and onnxruntime compute it.

    Division in float32, to the nearest integer, half to even, then saturation.
    """
    with np.errstate(over="ignore"):
        steps = np.rint(batch.astype(np.float32) / np.float32(scale))
    return (np.clip(steps, -128 - zero_point, 127 - zero_point) + zero_point).astype(np.int8)


def dequantise(batch: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """float32 values of int8, as ONNX's DequantizeLinear."""
    return (batch.astype(np.int32) - zero_point).astype(np.float32) * np.float32(scale)


def interleave(batch: NDArray[Any], planes: int) -> NDArray[Any]:
    """Each image as the bytes in memory: its elements as `planes` rows, column after column."""
    images = batch.shape[0]
    return batch.reshape(images, planes, -1).transpose(0, 2, 1).reshape(images, -1)


def deinterleave(batch: NDArray[Any], planes: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """The inverse of `interleave`, each image in its shape."""
    images = batch.shape[0]
    return batch.reshape(images, -1, planes).transpose(0, 2, 1).reshape(images, *shape)
