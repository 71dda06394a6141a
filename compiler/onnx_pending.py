# SPDX-License-Identifier: Apache-2.0
"""An ONNX operator on int8 tensors before it is known how its result is quantised."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .ir import Node, Tensor, relu_clamp
from .onnx_file import OnnxNode
from .onnx_quantisation import Constant

__all__ = ["Operands", "Pending", "image_shape", "read_bias"]

#: Rows, columns and channels of an image: what the network's order calls [C, H, W].
_IMAGE_RANK = 3


@dataclass(frozen=True)
class Operands:
    """What stands beside an operator's first input; None where nothing is, or nothing quantised."""

    weights: Constant | None = None
    bias: Constant | None = None
    #: Whether there is a bias at all.
    biased: bool = False
    other: Tensor | None = None
    #: Whether the operator works on int8 values themselves, not on what they stand for.
    on_int8: bool = False


@dataclass(frozen=True)
class Pending:
    """An operator whose result is not quantised yet."""

    node: OnnxNode
    source: Tensor
    shape: tuple[int, ...]
    operator: type[Node]
    fields: Mapping[str, Any]

    @property
    def label(self) -> str:
        """How messages name it."""
        return self.node.label

    def absorb(self, node: OnnxNode, constants: list[Constant]) -> "Pending":
        """This operator with the next node taken into it: a Relu, or the Add of a bias.

        Raises ModelError where the next node is none that can be.
        """
        if node.kind == "Relu" and self.fields.get("relu") is False:
            return replace(self, fields={**self.fields, "relu": True})
        if node.kind == "Add" and self.node.kind == "MatMul" and len(constants) == 1 and not (
            self.fields["relu"] or self.fields["bias"].any()
        ):
            weight_scales = self.fields["weight_scales"]
            operands = Operands(bias=constants[0], biased=True)
            bias = read_bias(node, operands, self.source, weight_scales)
            return replace(self, fields={**self.fields, "bias": bias})
        raise ModelError(
            f"{node.label}: its input '{self.node.outputs[0]}' must be quantised first: between "
            "an operator and its QuantizeLinear only Relu, and the Add of an int32 bias to a "
            "MatMul, may come"
        )

    def finish(self, result: Tensor) -> Node:
        """The operator, now that it is known how its result is quantised."""
        fields = dict(self.fields)
        if fields.pop("relu", False):
            fields["clamp"] = relu_clamp(result.quantisation)
        return self.operator(self.node.name, self.node.kind, self.source, result, **fields)


def image_shape(node: OnnxNode, source: Tensor) -> tuple[int, ...]:
    """Channels, rows, columns. Raises ModelError for anything but an image."""
    if len(source.shape) != _IMAGE_RANK:
        raise ModelError(
            f"{node.label}: its input must be [batch, channels, rows, columns], not of shape "
            f"[batch, {', '.join(str(size) for size in source.shape)}]; the NPU has "
            "two-dimensional windows only"
        )
    return source.shape


def read_bias(
    node: OnnxNode, operands: Operands, source: Tensor, weight_scales: NDArray[np.float32]
) -> NDArray[np.int32]:
    """The bias in units of source scale times weight scale; zeros where there is none."""
    size, bias = weight_scales.size, operands.bias
    if bias is None:
        if operands.biased:
            raise ModelError(
                f"{node.label}: its bias must be an int32 constant behind DequantizeLinear; "
                "quantise with the extra option QuantizeBias=True"
            )
        return np.zeros(size, np.int32)
    if bias.values.dtype != np.int32 or bias.values.size not in (1, size):
        raise ModelError(
            f"{node.label}: bias '{bias.name}' must be {size} int32 values, not "
            f"{bias.values.size} of {bias.values.dtype}"
        )
    wanted = np.float32(source.quantisation.scale) * weight_scales
    # In the integer operators a bias has no scale of its own.
    scales = np.broadcast_to(bias.scales, (size,)) if bias.scales.size else wanted
    # Tools round the product in different ways; a wrong scale is off by far more.
    bad = np.flatnonzero(np.abs(scales - wanted) > 1e-5 * wanted)
    if bad.size:
        raise ModelError(
            f"{node.label}: scale of bias '{bias.name}' must be source scale x weight scale "
            f"({wanted[bad[0]]:g} for channel {bad[0]}), not {scales[bad[0]]:g}"
        )
    return np.broadcast_to(bias.values.reshape(-1), (size,))
