# SPDX-License-Identifier: Apache-2.0
"""Small networks in QDQ form, made node by node, with every number under the test's control."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cimple.hdl.npu.config import NpuConfig

__all__ = ["NetworkBuilder", "npu", "random_network", "save_float_network"]


def npu(**changes: Any) -> NpuConfig:
    """A small NPU; `rows`, `columns`, `banks`, `cell` are its macro's."""
    macro = {name: changes.pop(name) for name in ("rows", "columns", "banks", "cell", "pipeline")
             if name in changes}
    fields = {"macro": {"rows": 12, "columns": 4, **macro}, **changes}
    return NpuConfig.from_mapping(fields, source="test")


class NetworkBuilder:
    """Appends operators, each between DequantizeLinear and QuantizeLinear.

    Result scales are chosen so that results spread over int8; zero points are drawn.
    """

    def __init__(self, shape: Sequence[int], seed: int = 0, *, batch: Any = "N") -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])
        self.batch = batch
        self.shape: tuple[int, ...] = tuple(shape)
        self.scale, self.zero_point = np.float32(1 / 64), -11
        self.value = "x"
        self._quantise()

    def constant(self, array: Any, name: str) -> str:
        """Add an initializer; its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node; its output's name."""
        count = sum(node.op_type == kind for node in self.nodes)
        name = f"{kind.lower()}{count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [f"{name}_y"], name, **attributes))
        return f"{name}_y"

    def _pair(self, scale: Any, zero_point: Any, dtype: Any) -> list[str]:
        number = len(self.constants)
        return [
            self.constant(np.asarray(scale, np.float32), f"scale{number}"),
            self.constant(np.asarray(zero_point, dtype), f"zero{number}"),
        ]

    def _quantise(self) -> None:
        """QuantizeLinear and DequantizeLinear behind the value."""
        pair = self._pair(self.scale, self.zero_point, np.int8)
        self.tensor = self.node("QuantizeLinear", [self.value, *pair])
        self.value = self.node("DequantizeLinear", [self.tensor, *pair])

    def _dequantised(self, values: NDArray[Any], scales: Any, name: str, axis: int) -> str:
        zeros = np.zeros(np.shape(scales), values.dtype)
        inputs = [self.constant(values, name), *self._pair(scales, zeros, values.dtype)]
        return self.node("DequantizeLinear", inputs, axis=axis)

    def weights(self, shape: Sequence[int], axis: int, *, per_channel: bool = True) -> tuple[
        str, NDArray[np.float32]
    ]:
        """Random int8 weights with their scales; the name of their dequantised value."""
        values = self.rng.integers(-128, 128, shape).astype(np.int8)
        scales = self.rng.uniform(0.004, 0.02, shape[axis] if per_channel else ()).astype("f4")
        return self._dequantised(values, scales, f"w{len(self.constants)}", axis), scales

    def _matrix(
        self, kind: str, shape: Sequence[int], axis: int, depth: int, *, bias: bool = True,
        per_channel: bool = True, **attributes: Any,
    ) -> None:
        w, scales = self.weights(shape, axis, per_channel=per_channel)
        inputs, product = [self.value, w], self.scale * scales
        spread = float(np.mean(product)) * 74 * 74 * np.sqrt(depth)
        if bias:
            low = int(spread / np.mean(product))
            values = self.rng.integers(-low, low, shape[axis]).astype(np.int32)
            inputs.append(self._dequantised(values, product, f"b{len(self.constants)}", 0))
        if kind == "MatMul":
            self.value = self.node("MatMul", inputs[:2])
            if bias:
                self.value = self.node("Add", [self.value, inputs[2]])
        else:
            self.value = self.node(kind, inputs, **attributes)
        self.scale = np.float32(spread / 40)
        self.zero_point = int(self.rng.integers(-100, 61))

    def conv(
        self, channels: int, kernel: Sequence[int], strides: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0, 0, 0), *, relu: bool = False, bias: bool = True,
        per_channel: bool = True, dilations: Sequence[int] = (1, 1),
    ) -> "NetworkBuilder":
        """Conv, then Relu if wanted."""
        depth = self.shape[0] * kernel[0] * kernel[1]
        self._matrix(
            "Conv", [channels, self.shape[0], *kernel], 0, depth, bias=bias,
            per_channel=per_channel, strides=list(strides), pads=list(pads),
            dilations=list(dilations),
        )
        self._slide(channels, kernel, strides, pads, dilations)
        return self._finish(relu=relu)

    def depthwise(
        self, kernel: Sequence[int], strides: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0, 0, 0), *, relu: bool = False, bias: bool = True,
        per_channel: bool = True, dilations: Sequence[int] = (1, 1),
    ) -> "NetworkBuilder":
        """Conv with as many groups as channels, then Relu if wanted."""
        channels = self.shape[0]
        self._matrix(
            "Conv", [channels, 1, *kernel], 0, kernel[0] * kernel[1], bias=bias,
            per_channel=per_channel, strides=list(strides), pads=list(pads), group=channels,
            dilations=list(dilations),
        )
        self._slide(channels, kernel, strides, pads, dilations)
        return self._finish(relu=relu)

    def gemm(
        self, outputs: int, *, turned: bool = False, relu: bool = False, bias: bool = True,
        kind: str = "Gemm", per_channel: bool = True,
    ) -> "NetworkBuilder":
        """Gemm (or MatMul and Add), then Relu if wanted."""
        shape = [outputs, self.shape[0]] if turned else [self.shape[0], outputs]
        attributes = {"transB": 1} if turned else {}
        self._matrix(
            kind, shape, 0 if turned else 1, self.shape[0], bias=bias, per_channel=per_channel,
            **attributes,
        )
        self.shape = (outputs,)
        return self._finish(relu=relu)

    def max_pool(
        self, kernel: Sequence[int], strides: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0, 0, 0), *, relu: bool = False,
    ) -> "NetworkBuilder":
        """MaxPool; scale and zero point stay."""
        self.value = self.node(
            "MaxPool", [self.value], kernel_shape=list(kernel), strides=list(strides),
            pads=list(pads),
        )
        self._slide(self.shape[0], kernel, strides, pads)
        return self._finish(relu=relu)

    def relu(self) -> "NetworkBuilder":
        """A Relu of its own, between tensors of the same scale and zero point."""
        return self._finish(relu=True)

    def flatten(self) -> "NetworkBuilder":
        """Flatten to one axis after the batch."""
        self.value = self.node("Flatten", [self.value])
        self.shape = (int(np.prod(self.shape)),)
        return self._finish()

    def reshape(self, *shape: int) -> "NetworkBuilder":
        """Reshape each image."""
        target = self.constant(np.array([0, *shape], np.int64), f"shape{len(self.constants)}")
        self.value = self.node("Reshape", [self.value, target])
        self.shape = shape
        return self._finish()

    def _slide(
        self, channels: int, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int],
        dilations: Sequence[int] = (1, 1),
    ) -> None:
        height, width = (
            (self.shape[1 + axis] + pads[axis] + pads[axis + 2] - (kernel[axis] - 1)
             * dilations[axis] - 1) // strides[axis] + 1
            for axis in (0, 1)
        )
        self.shape = (channels, height, width)

    def _finish(self, *, relu: bool = False) -> "NetworkBuilder":
        if relu:
            self.value = self.node("Relu", [self.value])
        self._quantise()
        return self

    def model(self) -> onnx.ModelProto:
        """The model; its output is the last dequantised value."""
        output = helper.make_tensor_value_info(
            self.value, TensorProto.FLOAT, [self.batch, *self.shape]
        )
        graph = helper.make_graph(self.nodes, "net", [self.input], [output], self.constants)
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        )

    def save(self, path: Path) -> Path:
        """Write the model."""
        path.write_bytes(self.model().SerializeToString())
        return path

    def images(self, count: int) -> NDArray[np.float32]:
        """Random images that use all of int8, some of them beyond it."""
        size = [count, *(d.dim_value for d in self.input.type.tensor_type.shape.dim[1:])]
        return self.rng.uniform(-2.2, 2.2, size).astype(np.float32)


def random_network(seed: int) -> NetworkBuilder:
    """A network of convolutions, pools and fully connected layers, of shapes drawn at random."""
    rng = np.random.default_rng(seed)

    def pick(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    builder = NetworkBuilder([pick(1, 5), pick(3, 9), pick(3, 9)], seed)
    for _ in range(pick(1, 3)):
        _, height, width = builder.shape
        kernel = (pick(1, min(3, height)), pick(1, min(3, width)))
        pads = [pick(0, size - 1) for size in (*kernel, *kernel)]
        strides = (pick(1, 2), pick(1, 2))
        choice = rng.random()
        if choice < 0.25:
            builder.max_pool(kernel, strides, pads, relu=bool(rng.random() < 0.3))
        elif choice < 0.5:
            builder.depthwise(
                kernel, strides, pads, relu=bool(rng.random() < 0.5),
                bias=bool(rng.random() < 0.8), per_channel=bool(rng.random() < 0.7),
            )
        else:
            builder.conv(
                pick(1, 10), kernel, strides, pads, relu=bool(rng.random() < 0.5),
                bias=bool(rng.random() < 0.8), per_channel=bool(rng.random() < 0.7),
            )
        if rng.random() < 0.2:
            builder.relu()
    if rng.random() < 0.8:
        builder.flatten()
        for _ in range(pick(1, 2)):
            kind = "Gemm" if rng.random() < 0.6 else "MatMul"
            builder.gemm(
                pick(1, 12), turned=kind == "Gemm" and bool(rng.random() < 0.5),
                relu=bool(rng.random() < 0.5), bias=bool(rng.random() < 0.8), kind=kind,
            )
    return builder


def save_float_network(
    path: Path, nodes: Sequence[onnx.NodeProto], shapes: Mapping[str, tuple[int, ...]], *,
    spread: float, images: tuple[int, int, int, int],
) -> NDArray[np.float32]:
    """Save a network in float32 from `x` to five values `y`, with random parameters of these
    shapes; random images to calibrate with, of the shape `images`."""
    rng = np.random.default_rng(4)
    constants = [
        numpy_helper.from_array(rng.normal(0, spread, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    graph = helper.make_graph(
        list(nodes), "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *images[1:]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])], constants,
    )
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), str(path))
    return rng.normal(0, 1, images).astype(np.float32)
