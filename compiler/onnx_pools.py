# SPDX-License-Identifier: Apache-2.0
"""ONNX's pools and means: what each takes, and its shape."""

from ..hdl.npu.isa import Rounding
from .errors import ModelError
from .ir import AveragePool, MaxPool, Mean, Tensor
from .onnx_file import OnnxGraph, OnnxNode
from .onnx_pending import Operands, Pending, image_shape
from .onnx_windows import Sliding, read_sliding

__all__ = ["average_pool", "global_average_pool", "max_pool", "reduce_mean"]


def max_pool(node: OnnxNode, source: Tensor, _: Operands, __: OnnxGraph) -> Pending:
    """MaxPool."""
    if len(node.outputs) > 1 and node.outputs[1]:
        raise ModelError(f"{node.label}: its second output, the indices, is not supported")
    channels, sliding = _sliding(node, source)
    fields = {
        "kernel": sliding.kernel, "strides": sliding.strides, "pads": sliding.pads, "relu": False,
    }
    return Pending(node, source, (channels, *sliding.out), MaxPool, fields)


def average_pool(
    node: OnnxNode, source: Tensor, operands: Operands, graph: OnnxGraph
) -> Pending:
    """AveragePool; of a whole image it is a global one, as to onnxruntime."""
    channels, sliding = _sliding(node, source)
    if (channels, *sliding.kernel) == source.shape and not sliding.padded:
        return global_average_pool(node, source, operands, graph)
    fields = {
        "kernel": sliding.kernel, "strides": sliding.strides, "pads": sliding.pads, "relu": False,
        "rounding": Rounding.ONNX,
        "counts_padding": bool(node.attributes.get("count_include_pad", 0)),
    }
    return Pending(node, source, (channels, *sliding.out), AveragePool, fields)


def global_average_pool(node: OnnxNode, source: Tensor, _: Operands, __: OnnxGraph) -> Pending:
    """GlobalAveragePool."""
    channels = image_shape(node, source)[0]
    _need_channels_first(node)
    fields = {"relu": False, "rounding": Rounding.ONNX}
    return Pending(node, source, (channels, 1, 1), Mean, fields)


def reduce_mean(node: OnnxNode, source: Tensor, _: Operands, graph: OnnxGraph) -> Pending:
    """ReduceMean over rows and columns."""
    channels = image_shape(node, source)[0]
    axes = node.attributes.get("axes", graph.constants.get(node.input(1)))
    rank = len(source.shape) + 1
    found = None if axes is None else sorted({int(axis) % rank for axis in axes})
    if found != [2, 3]:
        raise ModelError(
            f"{node.label}: its axes must be the constants 2 and 3, rows and columns, not {found}; "
            "use AveragePool for other windows"
        )
    shape = (channels, 1, 1) if node.attributes.get("keepdims", 1) else (channels,)
    fields = {"relu": False, "rounding": Rounding.ONNX, "floating": True}
    return Pending(node, source, shape, Mean, fields)


def _sliding(node: OnnxNode, source: Tensor) -> tuple[int, Sliding]:
    """Channels, and how a window moves over them."""
    channels, height, width = image_shape(node, source)
    _need_channels_first(node)
    kernel = list(node.attributes["kernel_shape"])
    if len(kernel) != 2:
        raise ModelError(f"{node.label}: kernel_shape must have 2 values, not {len(kernel)}")
    sliding = read_sliding(node, (height, width), (kernel[0], kernel[1]))
    if sliding.dilations != (1, 1):
        raise ModelError(
            f"{node.label}: dilations must be 1, not {list(sliding.dilations)}; only convolutions "
            "have dilated windows"
        )
    return channels, sliding


def _need_channels_first(node: OnnxNode) -> None:
    if node.attributes.get("channels_last", 0):
        raise ModelError(
            f"{node.label}: channels_last must be 0, not 1; write the network with channels first"
        )
