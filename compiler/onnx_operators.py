# SPDX-License-Identifier: Apache-2.0
"""ONNX's operators on int8 tensors: what each takes, and its shape."""

from collections.abc import Callable

import numpy as np

from ..hdl.npu.isa import Rounding
from .errors import ModelError
from .ir import Add, Convolution, Depthwise, FullyConnected, Pad, Pads, Relu, Reshape, Tensor
from .onnx_file import OnnxGraph, OnnxNode
from .onnx_pending import Operands, Pending, image_shape, read_bias
from .onnx_pools import average_pool, global_average_pool, max_pool, reduce_mean
from .onnx_quantisation import Constant
from .onnx_softmax import softmax
from .onnx_windows import read_sliding

__all__ = ["BUILDERS"]

def _convolution(node: OnnxNode, source: Tensor, operands: Operands, _: OnnxGraph) -> Pending:
    channels, *image = image_shape(node, source)
    weights = _weights(node, operands)
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
            "bias": read_bias(node, operands, source, scales),
            "strides": sliding.strides,
            "pads": sliding.pads,
            "dilations": sliding.dilations,
            "relu": False,
        },
    )


def _fully_connected(
    node: OnnxNode, source: Tensor, operands: Operands, _: OnnxGraph
) -> Pending:
    if len(source.shape) != 1:
        raise ModelError(
            f"{node.label}: its input must have one axis after the batch, not shape "
            f"{list(source.shape)}; put a Flatten before it"
        )
    weights = _weights(node, operands)
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
    bias = read_bias(node, operands, source, scales)
    fields = {"weights": matrix, "weight_scales": scales, "bias": bias, "relu": False}
    return Pending(node, source, (matrix.shape[1],), FullyConnected, fields)


def _add(node: OnnxNode, source: Tensor, operands: Operands, _: OnnxGraph) -> Pending:
    other = operands.other
    if other is None:
        raise ModelError(
            f"{node.label}: both its inputs must be int8 results of earlier nodes, not constants, "
            "except the int32 bias of a MatMul before its QuantizeLinear; add a constant as the "
            "bias of the layer before"
        )
    if source.shape != other.shape:
        raise ModelError(
            f"{node.label}: both inputs must have one shape, not {list(source.shape)} and "
            f"{list(other.shape)} behind the batch; the NPU repeats no values"
        )
    fields = {"other": other, "relu": False, "rounding": Rounding.ONNX}
    return Pending(node, source, source.shape, Add, fields)


def _pad(node: OnnxNode, source: Tensor, operands: Operands, graph: OnnxGraph) -> Pending:
    channels, height, width = image_shape(node, source)
    if (mode := node.attributes.get("mode", b"constant")) != b"constant":
        raise ModelError(f"{node.label}: mode must be constant, not {mode.decode()}")
    pads = graph.constants.get(node.input(1))
    if node.input(3) or pads is None or pads.size != 8:
        raise ModelError(
            f"{node.label}: its padding must be a constant of 8 numbers, before and then behind "
            "each axis"
        )
    amounts = [int(value) for value in pads]
    top, left, bottom, right = *amounts[2:4], *amounts[6:8]
    if min(amounts) < 0 or any(amounts[index] for index in (0, 1, 4, 5)):
        raise ModelError(
            f"{node.label}: only rows and columns can be padded, by 0 or more, not {amounts}"
        )
    zero = source.quantisation.zero_point if operands.on_int8 else 0
    value = graph.constants.get(node.input(2)) if node.input(2) else np.zeros(1)
    given = None if value is None else value.reshape(-1).tolist()
    if given != [zero]:
        raise ModelError(
            f"{node.label}: it must pad with the constant {zero}, which stands for zero, not "
            f"{given}; pad with 0 before the network is quantised"
        )
    shape = (channels, height + top + bottom, width + left + right)
    return Pending(node, source, shape, Pad, {"pads": Pads(top, left)})


def _relu(node: OnnxNode, source: Tensor, _: Operands, __: OnnxGraph) -> Pending:
    return Pending(node, source, source.shape, Relu, {})


def _flatten(node: OnnxNode, source: Tensor, _: Operands, __: OnnxGraph) -> Pending:
    axis = node.attributes.get("axis", 1)
    if axis not in (1, -len(source.shape)):
        raise ModelError(f"{node.label}: axis must be 1, which keeps the batch, not {axis}")
    return Pending(node, source, (source.size,), Reshape, {})


def _reshape(node: OnnxNode, source: Tensor, _: Operands, graph: OnnxGraph) -> Pending:
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


def _weights(node: OnnxNode, operands: Operands) -> Constant:
    weights = operands.weights
    if weights is None or weights.values.dtype != np.int8 or not weights.values.size:
        raise ModelError(
            f"{node.label}: its weights must be an int8 constant behind DequantizeLinear; "
            "quantise them too"
        )
    return weights


#: Builds each operator; those in QOperator form by the operator whose integer form they are.
BUILDERS: dict[str, Callable[[OnnxNode, Tensor, Operands, OnnxGraph], Pending]] = {
    "Conv": _convolution,
    "Gemm": _fully_connected,
    "MatMul": _fully_connected,
    "Add": _add,
    "Relu": _relu,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "ReduceMean": reduce_mean,
    "Pad": _pad,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Softmax": softmax,
}
