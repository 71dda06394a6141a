# SPDX-License-Identifier: Apache-2.0
"""From the graph to layers: channel-last images, folded ReLU and bias, multipliers and shifts."""

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..hdl.npu.isa import Rounding
from .errors import ModelError
from .ir import (
    Add,
    AveragePool,
    Convolution,
    Depthwise,
    FloatSoftmax,
    FullyConnected,
    Graph,
    HostOperator,
    MaxPool,
    Mean,
    Node,
    Operator,
    Pad,
    Pads,
    QLinearSoftmax,
    Relu,
    Reshape,
    Softmax,
    Tensor,
    relu_clamp,
)
from .layers import Image, Layer, MatrixLayer, Network, PoolLayer, Window
from .onnx_softmax import check_softmax
from .scales import check_sums, encode_scales, fold_bias
from .vector_layers import add_layer, average_layer, depthwise_layer, mean_layer

__all__ = ["legalise"]


def legalise(graph: Graph) -> Network:
    """The layers that compute the graph. Raises ModelError where the NPU cannot."""
    return _Legaliser(graph).run()


class _Legaliser:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.images: dict[str, Image] = {}
        self.layers: list[Layer] = []
        self.views: dict[str, str] = {}
        #: Pads whose result is no image of its own: convolutions take them into their windows.
        self.pads: dict[str, Pad] = {}
        self.host: dict[str, HostOperator] = {}
        self.uses = Counter(source.name for node in graph.nodes for source in node.sources)
        self.uses[graph.result.name] += 1

    def run(self) -> Network:
        source = self._input_image()
        self.images[source.name] = source
        for node in self.graph.nodes:
            self._add_node(node)
        last = self.graph.result
        if last.name in self.host:
            last = self.host[last.name].source
        result = self._image_of(last, "the network's output")
        return Network(
            source, result, tuple(self.layers), self.views, tuple(self.host.values())
        )

    def _add_node(self, node: Node) -> None:
        match node:
            case Convolution():
                self._convolution(node)
            case Depthwise():
                self._depthwise(node)
            case FullyConnected():
                self._fully_connected(node)
            case MaxPool():
                self._max_pool(node)
            case AveragePool():
                self._average_pool(node)
            case Mean():
                self._mean(node)
            case Add():
                self._addition(node)
            case Pad():
                self._pad(node)
            case Relu():
                self._relu(node)
            case Reshape():
                self._reshape(node)
            case Softmax() | QLinearSoftmax() | FloatSoftmax():
                self._softmax(node)

    def _input_image(self) -> Image:
        """The input as its first operator wants it: the host lays it out, so a Reshape is free."""
        source = self.graph.source
        users = [node for node in self.graph.nodes if source in node.sources]
        if len(source.shape) != 3 and len(users) == 1 and isinstance(users[0], Reshape):
            shown = _image(users[0].result)
            return replace(shown, name=source.name, shape=source.shape)
        return _image(source)

    def _source(self, node: Operator) -> Image:
        return self._image_of(node.source, node.label)

    def _image_of(self, tensor: Tensor, user: str) -> Image:
        if tensor.name in self.pads:
            raise ModelError(
                f"{self.pads[tensor.name].label}: its result must go to convolutions, which take "
                f"the padding into their windows, not to {user}; pad before a convolution only"
            )
        return self.images[tensor.name]

    def _softmax(self, node: HostOperator) -> None:
        """Left to the host, which has the network's result only."""
        if isinstance(node, QLinearSoftmax):
            check_softmax(node)
        if node.result != self.graph.result or self.uses[node.result.name] > 1:
            raise ModelError(
                f"{node.label}: must be the network's last operator, as it runs on the host; leave "
                "out what comes behind it"
            )
        self._source(node)
        self.host[node.result.name] = node

    def _convolved(
        self, node: Convolution | Depthwise, height: int, width: int
    ) -> tuple[Image, Window]:
        """The image that a convolution reads, and its window with the padding of a Pad before it.
        """
        pad = self.pads.get(node.source.name)
        source = self._source(pad or node)
        more = pad.pads if pad else Pads()
        top, left = node.pads.top + more.top, node.pads.left + more.left
        # With one tap along an axis there is no next one.
        apart = [
            dilation if taps > 1 else 1
            for dilation, taps in zip(node.dilations, (height, width), strict=True)
        ]
        return source, Window(height, width, *node.strides, top, left, *apart)

    def _convolution(self, node: Convolution) -> None:
        out_channels, _, height, width = node.weights.shape
        source, window = self._convolved(node, height, width)
        # Column after column where their pixels are not neighbours.
        order = (2, 3, 1, 0) if window.columns == 1 else (3, 2, 1, 0)
        matrix = node.weights.transpose(order).reshape(-1, out_channels)
        self._matrix(node, source, window, matrix)

    def _depthwise(self, node: Depthwise) -> None:
        source, window = self._convolved(node, *node.weights.shape[:2])
        self.layers.append(depthwise_layer(node, source, self._make(node.result), window))

    def _fully_connected(self, node: FullyConnected) -> None:
        source = self._source(node)
        inputs, outputs = node.weights.shape
        planes = source.interleave
        matrix = node.weights.reshape(planes, -1, outputs).transpose(1, 0, 2)
        flat = replace(source, height=1, width=1, channels=inputs)
        self._matrix(node, flat, Window(1, 1), matrix.reshape(inputs, outputs))

    def _matrix(
        self, node: Convolution | FullyConnected, source: Image, window: Window,
        matrix: NDArray[np.int8],
    ) -> None:
        zero_point = source.quantisation.zero_point
        check_sums(node.bias, matrix, zero_point, node.label)
        encoded = encode_scales(
            source.quantisation.scale, node.weight_scales, node.result.quantisation.scale,
            node.rounding, node.label,
        )
        result = self._make(node.result)
        self.layers.append(
            MatrixLayer(
                node.name, node.kind, source, result, window, np.ascontiguousarray(matrix),
                fold_bias(node.bias, matrix, zero_point), encoded[:, 0], encoded[:, 1],
                node.clamp, node.rounding,
            )
        )

    def _max_pool(self, node: MaxPool) -> None:
        source, result = self._source(node), self._make(node.result)
        _need_same_scale(node)
        window = Window(*node.kernel, *node.strides, node.pads.top, node.pads.left)
        self.layers.append(PoolLayer(node.name, node.kind, source, result, window, node.clamp))

    def _average_pool(self, node: AveragePool) -> None:
        source, result = self._source(node), self._make(node.result)
        if node.rounding is not Rounding.ONNX:
            _need_same_scale(node)
        window = Window(*node.kernel, *node.strides, node.pads.top, node.pads.left)
        self.layers.append(average_layer(node, source, result, window))

    def _mean(self, node: Mean) -> None:
        self.layers.append(mean_layer(node, self._source(node), self._make(node.result)))

    def _addition(self, node: Add) -> None:
        source, other = (self._image_of(tensor, node.label) for tensor in node.sources)
        result = self._make(node.result)
        # Byte by byte, so the three must have one order in memory.
        if not source.interleave == other.interleave == result.interleave:
            raise ModelError(
                f"{node.label}: its inputs have their bytes in different orders in memory, as one "
                "of them comes from a reshape; add before reshaping"
            )
        self.layers.append(add_layer(node, source, other, result))

    def _pad(self, node: Pad) -> None:
        self._source(node)
        _need_same_scale(node)
        self.pads[node.result.name] = node

    def _relu(self, node: Relu) -> None:
        """Into the clamp of the layer before, or a layer of its own if others want its input."""
        source = self._source(node)
        _need_same_scale(node)
        result = replace(source, name=node.result.name, shape=node.result.shape)
        self.images[result.name] = result
        clamp = relu_clamp(result.quantisation)
        last = self.layers[-1] if self.layers else None
        if last and last.result.name == source.name and self.uses[source.name] == 1:
            folded = (max(last.clamp[0], clamp[0]), last.clamp[1])
            self.layers[-1] = replace(last, result=result, clamp=folded)
        else:
            self.layers.append(
                PoolLayer(node.name, node.kind, source, result, Window(1, 1), clamp)
            )

    def _reshape(self, node: Reshape) -> None:
        source = self._source(node)
        _need_same_scale(node)
        result = _image(node.result)
        if len(result.shape) != 3:
            result = replace(result, interleave=source.interleave)
        elif result.interleave != source.interleave:
            raise ModelError(
                f"{node.label}: the shape {list(node.result.shape)} needs the bytes in another "
                "order in memory; reshape the network's input, or to one axis before a Gemm or "
                "MatMul"
            )
        self.images[result.name] = result
        self.views[result.name] = source.name

    def _make(self, tensor: Tensor) -> Image:
        image = self.images[tensor.name] = _image(tensor)
        return image


def _image(tensor: Tensor) -> Image:
    """A tensor's place: an image with channels last, all else as one row of one pixel."""
    if len(tensor.shape) == 3 and tensor.channels_last:
        height, width, channels = tensor.shape
        interleave = 1
    elif len(tensor.shape) == 3:
        channels, height, width = tensor.shape
        interleave = 1 if height * width == 1 else channels
    else:
        channels, height, width, interleave = tensor.size, 1, 1, 1
    return Image(
        tensor.name, height, width, channels, tensor.quantisation, tensor.shape, interleave
    )


def _need_same_scale(node: Operator) -> None:
    if node.source.quantisation != node.result.quantisation:
        before, after = node.source.quantisation, node.result.quantisation
        match node:
            case Relu():
                cure = (
                    "quantise activations with the extra option ActivationSymmetric=False, so that "
                    "Relu joins the operator before it"
                )
            case AveragePool() | Pad():
                cure = "convert again with TensorFlow's converter, which keeps them equal"
            case _:
                cure = "quantise again with onnxruntime's quantize_static, which keeps them equal"
        raise ModelError(
            f"{node.label}: its input and result must have the same scale and zero point, not "
            f"{before.scale:g}, {before.zero_point} and {after.scale:g}, {after.zero_point}; {cure}"
        )
