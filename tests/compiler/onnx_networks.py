# SPDX-License-Identifier: Apache-2.0
"""ONNX networks with branches, additions and means; and any of them in QOperator form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.compiler.networks import NetworkBuilder

__all__ = ["Fork", "OnnxBuilder", "depthwise_network", "integer_form", "residual_network"]


@dataclass(frozen=True)
class Fork:
    """A value to come back to, or to add."""

    value: str
    shape: tuple[int, ...]
    scale: Any
    zero_point: int


class OnnxBuilder(NetworkBuilder):
    """More operators than the straight networks have."""

    def fork(self) -> Fork:
        """The current value."""
        return Fork(self.value, self.shape, self.scale, self.zero_point)

    def go_back(self, fork: Fork) -> "OnnxBuilder":
        """Continue from an earlier value."""
        self.value, self.shape = fork.value, fork.shape
        self.scale, self.zero_point = fork.scale, fork.zero_point
        return self

    def add(self, other: Fork, *, relu: bool = False) -> "OnnxBuilder":
        """The sum with an earlier value, which stands first or second."""
        inputs = [self.value, other.value][:: self.rng.choice([1, -1])]
        self.value = self.node("Add", inputs)
        self._spread(float(np.hypot(self.scale, other.scale)))
        return self._finish(relu=relu)

    def average_pool(
        self, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int] = (0, 0, 0, 0), *,
        same: bool = False, **attributes: Any,
    ) -> "OnnxBuilder":
        """AveragePool; scale and zero point stay if they are to be the `same`."""
        self.value = self.node(
            "AveragePool", [self.value], kernel_shape=list(kernel), strides=list(strides),
            pads=list(pads), **attributes,
        )
        self._slide(self.shape[0], kernel, strides, pads)
        if not same:
            self._spread(float(self.scale) / float(np.sqrt(np.prod(kernel))))
        return self._finish()

    def global_average_pool(self, kind: str = "GlobalAveragePool", **more: Any) -> "OnnxBuilder":
        """GlobalAveragePool, or ReduceMean with its attributes."""
        self.value = self.node(kind, [self.value], **more)
        pixels = self.shape[1] * self.shape[2]
        keep = more.get("keepdims", 1)
        self.shape = (self.shape[0], 1, 1) if keep else (self.shape[0],)
        self._spread(max(float(self.scale) / np.sqrt(pixels), 1.1 * float(self.scale) / pixels))
        return self._finish()

    def softmax(self, *, floating: bool = False, **more: Any) -> "OnnxBuilder":
        """Softmax; with `floating` its result is not quantised, and the network ends."""
        self.value = self.node("Softmax", [self.value], **more)
        if floating:
            return self
        self.scale, self.zero_point = np.float32(1 / 256), -128
        return self._finish()

    def pad(self, top: int, left: int, bottom: int, right: int) -> "OnnxBuilder":
        """Rows and columns of what stands for zero around."""
        amounts = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        name = self.constant(amounts, f"pads{len(self.constants)}")
        self.value = self.node("Pad", [self.value, name])
        channels, height, width = self.shape
        self.shape = (channels, height + top + bottom, width + left + right)
        return self._finish()

    def _finish(self, *, relu: bool = False) -> "OnnxBuilder":
        """As quantisers do: what a Relu has cut begins at the lowest value."""
        if relu:
            self.zero_point = -128
        super()._finish(relu=relu)
        return self

    def _spread(self, scale: float) -> None:
        """A scale about so large, as calibration makes it: no simple number."""
        self.scale = np.float32(scale * self.rng.uniform(0.9, 1.3))
        self.zero_point = int(self.rng.integers(-100, 61))


def residual_network(seed: int = 0, size: int = 8, channels: int = 6) -> OnnxBuilder:
    """Two residual blocks as in ResNet: one of its own size, one that halves the image."""
    builder = OnnxBuilder([3, size, size], seed)
    builder.conv(channels, (3, 3), pads=(1, 1, 1, 1), relu=True)
    fork = builder.fork()
    builder.conv(channels, (3, 3), pads=(1, 1, 1, 1), relu=True)
    builder.conv(channels, (3, 3), pads=(1, 1, 1, 1))
    builder.add(fork, relu=True)
    fork = builder.fork()
    builder.conv(2 * channels, (3, 3), (2, 2), (0, 0, 1, 1), relu=True)
    builder.conv(2 * channels, (3, 3), pads=(1, 1, 1, 1))
    long = builder.fork()
    builder.go_back(fork).conv(2 * channels, (1, 1), (2, 2))
    builder.add(long, relu=True).global_average_pool().flatten().gemm(10)
    return builder


def depthwise_network(seed: int = 0, size: int = 9, channels: int = 6) -> OnnxBuilder:
    """Pairs of depthwise and pointwise layers as in MobileNet, then a mean over odd windows."""
    builder = OnnxBuilder([2, size, size], seed)
    builder.conv(channels, (3, 3), (2, 2), (1, 1, 1, 1), relu=True)
    for stride, outputs in ((1, channels + 3), (2, 2 * channels)):
        builder.depthwise((3, 3), (stride, stride), (1, 1, 1, 1), relu=True)
        builder.conv(outputs, (1, 1), relu=True)
    builder.average_pool((3, 3), (1, 1), same=True).flatten().gemm(7)
    return builder


#: Operators that take int8 as they are in QOperator form.
_PLAIN = ("MaxPool", "Flatten", "Reshape", "Pad")
_OWN = {"Gemm": "QGemm", "Add": "QLinearAdd", "AveragePool": "QLinearAveragePool",
        "GlobalAveragePool": "QLinearGlobalAveragePool", "Softmax": "QLinearSoftmax"}


def integer_form(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network in QOperator form. No Relu of its own, ReduceMean or bias of a MatMul.

    A Relu before QuantizeLinear must be implied by the zero point, or it is left out.
    """
    producers = {node.output[0]: node for node in model.graph.node}
    made = []
    for quantise in model.graph.node:
        if quantise.op_type != "QuantizeLinear":
            continue
        node = producers.get(quantise.input[0])
        if node is None:
            made.append(quantise)
            continue
        node = producers[node.input[0]] if node.op_type == "Relu" else node
        inputs = [producers.get(name) for name in node.input]
        given = [list(each.input) for each in inputs if each is not None]
        result = list(quantise.input[1:])
        domain = ""
        if node.op_type in _PLAIN:
            kind, names = node.op_type, [given[0][0], *node.input[1:]]
            # Values themselves are padded: with the one that stands for zero.
            names += [given[0][2]] if kind == "Pad" else []
        elif node.op_type == "Conv":
            bias = [given[2][0]] if len(given) > 2 else []
            kind, names = "QLinearConv", [*given[0], *given[1], *result, *bias]
        elif node.op_type == "MatMul":
            kind, names = "QLinearMatMul", [*given[0], *given[1], *result]
        else:
            kind, domain = _OWN[node.op_type], "com.microsoft"
            names = [name for each in given[:2] for name in each]
            if node.op_type == "Gemm":
                names.append(given[2][0] if len(given) > 2 else "")
            names += result
        fresh = helper.make_node(kind, names, list(quantise.output), node.name, domain=domain)
        fresh.attribute.extend(node.attribute)
        if kind == "QLinearSoftmax":
            fresh.attribute.append(helper.make_attribute("opset", model.opset_import[0].version))
        made.append(fresh)
    graph, old = onnx.GraphProto(), model.graph
    graph.CopyFrom(old)
    del graph.node[:]
    graph.node.extend([*made, *(n for n in old.node if n.output[0] == old.output[0].name)])
    imports = [*model.opset_import, helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


