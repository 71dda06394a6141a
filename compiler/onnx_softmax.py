# SPDX-License-Identifier: Apache-2.0
"""ONNX's softmax, which the host computes: Softmax in QDQ form, QLinearSoftmax, and on floats."""

import numpy as np

from .errors import ModelError
from .ir import FloatSoftmax, QLinearSoftmax, Tensor
from .onnx_file import OnnxGraph, OnnxNode
from .onnx_pending import Operands, Pending

__all__ = ["check_softmax", "float_softmax", "softmax"]

#: From this opset on softmax goes along one axis; before, along all from one axis on.
_ONE_AXIS = 13
#: onnxruntime's kernel has exponentials of up to the highest float32 / values / e**5, and
#: multiplies them by 1 / scale: by more than about values x e**5 would be no number.
_HEADROOM = 148


def softmax(node: OnnxNode, source: Tensor, _: Operands, graph: OnnxGraph) -> Pending:
    """Of int8 values, along the last axis. Raises ModelError for another axis."""
    integer = node.kind != "Softmax"
    opset = node.attributes.get("opset") if integer else graph.opset
    if opset is None:
        raise ModelError(
            f"{node.label}: must have the attribute opset, which says what axis means; quantise "
            "the network again with onnxruntime"
        )
    rank = len(source.shape) + 1
    axis = node.attributes.get("axis", -1 if opset >= _ONE_AXIS else 1)
    if axis not in (-1, rank - 1):
        raise ModelError(
            f"{node.label}: axis must be the last one, {rank - 1} or -1, not {axis} (the default "
            f"is -1 from opset 13 on and 1 before; this is opset {opset}); put a Flatten before "
            "it, or a Transpose into the layer before"
        )
    if not source.quantisation.scale * 255 < float(np.finfo(np.float32).max):
        raise ModelError(
            f"{node.label}: its input's scale must leave values finite, not be "
            f"{source.quantisation.scale:g}; quantise the network again"
        )
    return Pending(node, source, source.shape, QLinearSoftmax, {})


def float_softmax(pending: Pending, name: str) -> FloatSoftmax:
    """A softmax whose result is not quantised, but is the network's output."""
    result = Tensor(name, pending.shape, pending.source.quantisation)
    return FloatSoftmax(pending.node.name, pending.node.kind, pending.source, result)


def check_softmax(node: QLinearSoftmax) -> None:
    """Raises ModelError for a result's scale with which onnxruntime's kernel overflows."""
    values, scale = node.result.shape[-1], np.float32(node.result.quantisation.scale)
    with np.errstate(over="ignore"):
        steps = np.floor(np.float32(1) / scale)
    if steps > _HEADROOM * values:
        raise ModelError(
            f"{node.label}: over {values} values its result's scale must be at least "
            f"1/{_HEADROOM * values}, not {scale:g}, with which onnxruntime's kernel overflows; "
            "use 1/256, and leave out a softmax over one value, which is always 1"
        )
