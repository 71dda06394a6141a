# SPDX-License-Identifier: Apache-2.0
"""The operators between DequantizeLinear and QuantizeLinear: what each takes, and its shape."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .ir import (
    Convolution,
    Depthwise,
    FullyConnected,
    MaxPool,
    Node,
    Relu,
    Reshape,
    Tensor,
    relu_clamp,
)
from .onnx_file import OnnxGraph, OnnxNode
from .onnx_quantisation import Constant
from .onnx_windows import read_sliding

__all__ = ["BUILDERS", "Parameters", "Pending"]

#: The inputs behind the first one, in order: None where one is left out or no constant.
Parameters = list[Constant | None]

#: Rows, columns and channels of an image: what the network's order calls [C, H, W].
_IMAGE_RANK = 3


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
            bias = _bias(node, constants[0], self.source, weight_scales)
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


def _convolution(node: OnnxNode, source: Tensor, parameters: Parameters, _: OnnxGraph) -> Pending:
    channels, *image = _image(node, source)
    weights = _weights(node, parameters)
    if weights.values.ndim != 4:
        raise ModelError(f"{node.label}: weights must have 4 axes, not {weights.values.ndim}")
    out_channels, in_channels, *kernel = weights.values.shape
    group = node.attributes.get("group", 1)
    depthwise = group == channels == out_channels and channels > 1
    if group != 1 and not depthwise:
        raise ModelError(
            f"{node.label}: group must be 1, or the number of input and of output channels, which "
            f"are {channels} and {out_channels}, not {group}; split a grouped convolution"
        )
    if in_channels * group != channels:
        raise ModelError(
            f"{node.label}: weights are for {in_channels * group} channels, the image has "
            f"{channels}"
        )
    sliding = read_sliding(node, (image[0], image[1]), (kernel[0], kernel[1]))
    scales = weights.scales_along(0, node.label)
    return Pending(
        node, source, (out_channels, *sliding.out), Depthwise if depthwise else Convolution,
        {
            # A depthwise kernel has one input channel; the graph has the others last.
            "weights": weights.values[:, 0].transpose(1, 2, 0) if depthwise else weights.values,
            "weight_scales": scales,
            "bias": _bias(node, parameters[1] if len(parameters) > 1 else None, source, scales),
            "strides": sliding.strides,
            "pads": sliding.pads,
            "relu": False,
        },
    )


def _fully_connected(
    node: OnnxNode, source: Tensor, parameters: Parameters, _: OnnxGraph
) -> Pending:
    if len(source.shape) != 1:
        raise ModelError(
            f"{node.label}: its input must have one axis after the batch, not shape "
            f"{list(source.shape)}; put a Flatten before it"
        )
    weights = _weights(node, parameters)
    for name, wanted in (("alpha", 1.0), ("beta", 1.0), ("transA", 0)):
        if (value := node.attributes.get(name, wanted)) != wanted:
            raise ModelError(f"{node.label}: {name} must be {wanted:g}, not {value:g}")
    turned = bool(node.attributes.get("transB", 0))
    if weights.values.ndim != 2:
        raise ModelError(f"{node.label}: weights must have 2 axes, not {weights.values.ndim}")
    scales = weights.scales_along(0 if turned else 1, node.label)
    matrix = weights.values.T if turned else weights.values
    if matrix.shape[0] != source.shape[0]:
        raise ModelError(
            f"{node.label}: weights are for {matrix.shape[0]} inputs, there are {source.shape[0]}"
        )
    bias = _bias(node, parameters[1] if len(parameters) > 1 else None, source, scales)
    fields = {"weights": matrix, "weight_scales": scales, "bias": bias, "relu": False}
    return Pending(node, source, (matrix.shape[1],), FullyConnected, fields)


def _max_pool(node: OnnxNode, source: Tensor, _: Parameters, __: OnnxGraph) -> Pending:
    channels, *image = _image(node, source)
    if len(node.outputs) > 1 and node.outputs[1]:
        raise ModelError(f"{node.label}: its second output, the indices, is not supported")
    kernel = list(node.attributes["kernel_shape"])
    if len(kernel) != 2:
        raise ModelError(f"{node.label}: kernel_shape must have 2 values, not {len(kernel)}")
    sliding = read_sliding(node, (image[0], image[1]), (kernel[0], kernel[1]))
    fields = {
        "kernel": sliding.kernel, "strides": sliding.strides, "pads": sliding.pads, "relu": False,
    }
    return Pending(node, source, (channels, *sliding.out), MaxPool, fields)


def _relu(node: OnnxNode, source: Tensor, _: Parameters, __: OnnxGraph) -> Pending:
    return Pending(node, source, source.shape, Relu, {})


def _flatten(node: OnnxNode, source: Tensor, _: Parameters, __: OnnxGraph) -> Pending:
    axis = node.attributes.get("axis", 1)
    if axis not in (1, -len(source.shape)):
        raise ModelError(f"{node.label}: axis must be 1, which keeps the batch, not {axis}")
    return Pending(node, source, (source.size,), Reshape, {})


def _reshape(node: OnnxNode, source: Tensor, _: Parameters, graph: OnnxGraph) -> Pending:
    target = graph.constants.get(node.input(1))
    if target is None:
        raise ModelError(f"{node.label}: its shape must be a constant")
    wanted = [int(size) for size in target]
    batch = graph.input_shape[0]
    if not wanted or wanted[0] not in (0, -1, batch):
        raise ModelError(
            f"{node.label}: shape must keep the batch axis: start with 0 or -1, not {wanted}"
        )
    keep = not node.attributes.get("allowzero", 0)
    sizes = [
        source.shape[index] if size == 0 and keep and index < len(source.shape) else size
        for index, size in enumerate(wanted[1:])
    ]
    if sizes.count(-1) == 1 and wanted[0] != -1:
        rest = -int(np.prod(sizes, dtype=np.int64))
        sizes[sizes.index(-1)] = source.size // rest if rest else 0
    if min(sizes, default=1) < 1 or int(np.prod(sizes, dtype=np.int64)) != source.size:
        raise ModelError(
            f"{node.label}: an image of {source.size} elements cannot take the shape {wanted}"
        )
    return Pending(node, source, tuple(sizes), Reshape, {})


def _image(node: OnnxNode, source: Tensor) -> tuple[int, ...]:
    if len(source.shape) != _IMAGE_RANK:
        raise ModelError(
            f"{node.label}: its input must be [batch, channels, rows, columns], not of shape "
            f"[batch, {', '.join(str(size) for size in source.shape)}]; the NPU has "
            "two-dimensional windows only"
        )
    return source.shape


def _weights(node: OnnxNode, parameters: Parameters) -> Constant:
    weights = parameters[0] if parameters else None
    if weights is None or weights.values.dtype != np.int8 or not weights.values.size:
        raise ModelError(
            f"{node.label}: its weights must be an int8 constant behind DequantizeLinear; "
            "quantise them too"
        )
    return weights


def _bias(
    node: OnnxNode, bias: Constant | None, source: Tensor, weight_scales: NDArray[np.float32]
) -> NDArray[np.int32]:
    """The bias in units of source scale times weight scale; zeros where there is none."""
    size = weight_scales.size
    if bias is None:
        if len(node.inputs) > 2 and node.inputs[2]:
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
    scales = np.broadcast_to(bias.scales, (size,))
    # Tools round the product in different ways; a wrong scale is off by far more.
    bad = np.flatnonzero(np.abs(scales - wanted) > 1e-5 * wanted)
    if bad.size:
        raise ModelError(
            f"{node.label}: scale of bias '{bias.name}' must be source scale x weight scale "
            f"({wanted[bad[0]]:g} for channel {bad[0]}), not {scales[bad[0]]:g}"
        )
    return np.broadcast_to(bias.values.reshape(-1), (size,))


#: Builds each operator whose input comes from DequantizeLinear.
BUILDERS: dict[str, Callable[[OnnxNode, Tensor, Parameters, OnnxGraph], Pending]] = {
    "Conv": _convolution,
    "Gemm": _fully_connected,
    "MatMul": _fully_connected,
    "MaxPool": _max_pool,
    "Relu": _relu,
    "Flatten": _flatten,
    "Reshape": _reshape,
}
