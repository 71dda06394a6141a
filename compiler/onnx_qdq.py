# SPDX-License-Identifier: Apache-2.0
"""ONNX in QDQ form to the graph: int8 operators from DequantizeLinear, operator, QuantizeLinear.

The nodes are walked in order; every name stands for a value: an int8 tensor, the floats that
DequantizeLinear made of it, an operator that still waits for its QuantizeLinear, or a constant.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError
from .ir import Graph, Node, Tensor
from .onnx_file import OnnxGraph, OnnxNode, read_onnx
from .onnx_operators import BUILDERS, Parameters, Pending
from .onnx_quantisation import Constant, read_constant, read_quantisation

__all__ = ["read_qdq"]


@dataclass(frozen=True)
class _Float:
    """The network's input before its QuantizeLinear."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Dequantised:
    """What DequantizeLinear made of an int8 tensor."""

    tensor: Tensor


_Value = Tensor | _Float | _Dequantised | Constant | Pending


def read_qdq(path: Path) -> Graph:
    """The graph in an ONNX file in QDQ form. Raises ModelError, which does not name the file."""
    return _Reader(read_onnx(path)).read()


class _Reader:
    def __init__(self, onnx: OnnxGraph) -> None:
        self.onnx = onnx
        self.values: dict[str, _Value] = {}
        self.nodes: list[Node] = []
        self.source: Tensor | None = None
        self.uses = Counter(name for node in onnx.nodes for name in set(node.inputs))
        self.uses[onnx.output_name] += 1

    def read(self) -> Graph:
        shape = tuple(size for size in self.onnx.input_shape[1:] if size is not None)
        if self.onnx.input_type not in ("FLOAT", "INT8"):
            raise ModelError(
                f"input '{self.onnx.input_name}' must be float32 or int8, not "
                f"{self.onnx.input_type.lower()}"
            )
        self.values[self.onnx.input_name] = _Float(shape)
        for node in self.onnx.nodes:
            self.values[node.outputs[0]] = self._value(node)
        result = self.values[self.onnx.output_name]
        tensor = result.tensor if isinstance(result, _Dequantised) else result
        if not isinstance(tensor, Tensor) or self.source is None:
            raise ModelError(
                f"output '{self.onnx.output_name}' must come from QuantizeLinear, or from "
                "DequantizeLinear behind it; quantise the last operator's result too"
            )
        return Graph(
            self.source, tensor, self.onnx.input_name, self.onnx.output_name,
            self.onnx.input_type == "FLOAT", isinstance(result, _Dequantised), tuple(self.nodes),
        )

    def _value(self, node: OnnxNode) -> _Value:
        if node.kind == "DequantizeLinear":
            return self._dequantise(node)
        if node.kind == "QuantizeLinear":
            return self._quantise(node)
        waiting = self._waiting(node)
        if waiting is not None:
            return waiting
        value = self.values.get(node.input(0))
        if not isinstance(value, _Dequantised):
            raise ModelError(
                f"{node.label}: its input '{node.input(0)}' must come from DequantizeLinear; "
                "quantise the network in QDQ form, every operator's input and result"
            )
        if node.kind == "Add":
            raise ModelError(
                f"{node.label}: Add is supported only for the int32 bias of a MatMul, before its "
                "QuantizeLinear; export the layer as Gemm"
            )
        return BUILDERS[node.kind](node, value.tensor, self._parameters(node), self.onnx)

    def _parameters(self, node: OnnxNode) -> Parameters:
        """The quantised constants among the inputs behind the first one."""
        found = (self.values.get(name) for name in node.inputs[1:])
        return [value if isinstance(value, Constant) else None for value in found]

    def _waiting(self, node: OnnxNode) -> Pending | None:
        """The operator before, with this node taken into it, if that can be."""
        values = [self.values.get(name) for name in node.inputs]
        for name, value in zip(node.inputs, values, strict=True):
            if isinstance(value, Pending):
                if self.uses[name] > 1:
                    raise ModelError(
                        f"{value.label}: its result '{name}' is used {self.uses[name]} times "
                        "before QuantizeLinear; quantise it"
                    )
                others = [other for other in values if isinstance(other, Constant)]
                return value.absorb(node, others)
        return None

    def _dequantise(self, node: OnnxNode) -> _Value:
        if node.input(0) in self.onnx.constants:
            return read_constant(node, self.onnx.constants)
        value = self.values.get(node.input(0))
        quantisation = read_quantisation(node, self.onnx.constants)
        if isinstance(value, _Float) and self.onnx.input_type == "INT8":
            value = self.source = Tensor(node.input(0), value.shape, quantisation)
            self.values[node.input(0)] = value
        if not isinstance(value, Tensor):
            raise ModelError(f"{node.label}: its input must come from QuantizeLinear")
        if value.quantisation != quantisation:
            raise ModelError(
                f"{node.label}: scale and zero point must be those with which '{value.name}' was "
                "quantised"
            )
        return _Dequantised(value)

    def _quantise(self, node: OnnxNode) -> Tensor:
        value = self.values.get(node.input(0))
        quantisation = read_quantisation(node, self.onnx.constants)
        if isinstance(value, _Float):
            if self.source is not None:
                raise ModelError(f"{node.label}: the input must be quantised once only")
            self.source = Tensor(node.outputs[0], value.shape, quantisation)
            return self.source
        if isinstance(value, Pending):
            result = Tensor(node.outputs[0], value.shape, quantisation)
            self.nodes.append(value.finish(result))
            return result
        if isinstance(value, _Dequantised) and value.tensor.quantisation == quantisation:
            return value.tensor
        raise ModelError(
            f"{node.label}: its input '{node.input(0)}' must be the network's input or the result "
            "of a supported operator"
        )
