# SPDX-License-Identifier: Apache-2.0
"""ONNX to the graph, in QDQ form and in QOperator form, or both in one network.

QDQ form: int8 operators are DequantizeLinear, operator, QuantizeLinear. QOperator form: operators
that take int8 themselves, as QLinearConv. The nodes are walked in order; every name stands for a
value: an int8 tensor, the floats that DequantizeLinear made of it, an operator that still waits for
its QuantizeLinear, or a constant.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import ModelError
from .ir import Graph, Node, QLinearSoftmax, Quantisation, Tensor
from .onnx_file import OnnxGraph, OnnxNode, read_onnx
from .onnx_forms import INTEGER_OPERATORS, ON_INT8, IntegerOperator
from .onnx_operators import BUILDERS
from .onnx_pending import Operands, Pending
from .onnx_quantisation import Constant, read_constant, read_quantisation
from .onnx_softmax import float_softmax

__all__ = ["read_onnx_int8"]


@dataclass(frozen=True)
class _Input:
    """The network's input before it is known how it is quantised."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Dequantised:
    """What DequantizeLinear made of an int8 tensor."""

    tensor: Tensor


_Value = Tensor | _Input | _Dequantised | Constant | Pending


def read_onnx_int8(path: Path) -> Graph:
    """The graph in an ONNX file. Raises ModelError, which does not name the file."""
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
        self.values[self.onnx.input_name] = _Input(shape)
        for node in self.onnx.nodes:
            self.values[node.outputs[0]] = self._value(node)
        result = self.values[self.onnx.output_name]
        floating = isinstance(result, _Dequantised)
        tensor = result.tensor if isinstance(result, _Dequantised) else result
        if isinstance(result, Pending) and result.operator is QLinearSoftmax:
            self.nodes.append(float_softmax(result, self.onnx.output_name))
            floating, tensor = True, self.nodes[-1].result
        if not isinstance(tensor, Tensor) or self.source is None:
            raise ModelError(
                f"output '{self.onnx.output_name}' must come from QuantizeLinear, or from "
                "DequantizeLinear or Softmax behind it; quantise the last operator's result too"
            )
        return Graph(
            self.source, tensor, self.onnx.input_name, self.onnx.output_name,
            self.onnx.input_type == "FLOAT", floating, tuple(self.nodes),
        )

    def _value(self, node: OnnxNode) -> _Value:
        if node.kind == "DequantizeLinear":
            return self._dequantise(node)
        if node.kind == "QuantizeLinear":
            return self._quantise(node)
        if node.kind in INTEGER_OPERATORS:
            return self._integer(node, INTEGER_OPERATORS[node.kind])
        waiting = self._waiting(node)
        if waiting is not None:
            return waiting
        value = self.values.get(node.input(0))
        if isinstance(value, Tensor) and node.kind in ON_INT8:
            pending = BUILDERS[node.kind](node, value, Operands(on_int8=True), self.onnx)
            return self._finish(pending, node.outputs[0], value.quantisation)
        if not isinstance(value, _Dequantised):
            raise ModelError(
                f"{node.label}: its input '{node.input(0)}' must come from DequantizeLinear; "
                "quantise the network in QDQ form, every operator's input and result"
            )
        return BUILDERS[node.kind](node, value.tensor, self._operands(node), self.onnx)

    def _operands(self, node: OnnxNode) -> Operands:
        """Of an operator in QDQ form: what DequantizeLinear made of constants, or another image."""
        found = [self.values.get(node.input(place)) for place in (1, 2)]
        weights, bias = (value if isinstance(value, Constant) else None for value in found)
        other = found[0].tensor if isinstance(found[0], _Dequantised) else None
        return Operands(weights, bias, biased=bool(node.input(2)), other=other)

    def _integer(self, node: OnnxNode, form: IntegerOperator) -> Tensor:
        """The result of an operator that takes int8 itself."""
        source = self._int8(node, 0)
        weights = bias = other = None
        if form.weights is not None:
            self._need_constant(node, form.weights)
            turned = node.attributes.get("transB", 0) or form.kind == "Conv"
            weights = read_constant(
                node, self.onnx.constants, form.weights, axis=0 if turned else 1
            )
        biased = form.bias is not None and bool(node.input(form.bias))
        if form.bias is not None and biased:
            self._need_constant(node, form.bias)
            name = node.input(form.bias)
            bias = Constant(name, self.onnx.constants[name], np.zeros(0, np.float32), 0)
        if form.other is not None:
            other = self._int8(node, form.other)
        operands = Operands(weights, bias, biased=biased, other=other)
        pending = BUILDERS[form.kind](node, source, operands, self.onnx)
        quantisation = read_quantisation(node, self.onnx.constants, form.result)
        return self._finish(pending, node.outputs[0], quantisation)

    def _need_constant(self, node: OnnxNode, place: int) -> None:
        if node.input(place) not in self.onnx.constants:
            raise ModelError(
                f"{node.label}: its input '{node.input(place)}' must be a constant; the NPU "
                "multiplies activations with constant weights"
            )

    def _int8(self, node: OnnxNode, place: int) -> Tensor:
        """The int8 tensor at a place, whose scale and zero point come next."""
        quantisation = read_quantisation(node, self.onnx.constants, place + 1)
        name = node.input(place)
        value = self.values.get(name)
        if isinstance(value, _Input) and self.onnx.input_type == "INT8":
            value = self.source = Tensor(name, value.shape, quantisation)
            self.values[name] = value
        if not isinstance(value, Tensor):
            raise ModelError(
                f"{node.label}: its input '{name}' must come from QuantizeLinear or from an "
                "operator with an int8 result"
            )
        if value.quantisation != quantisation:
            raise ModelError(
                f"{node.label}: scale and zero point must be those with which '{value.name}' was "
                "quantised"
            )
        return value

    def _finish(self, pending: Pending, name: str, quantisation: Quantisation) -> Tensor:
        result = Tensor(name, pending.shape, quantisation)
        self.nodes.append(pending.finish(result))
        return result

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
            return read_constant(node, self.onnx.constants, 0, node.attributes.get("axis", 1))
        return _Dequantised(self._int8(node, 0))

    def _quantise(self, node: OnnxNode) -> Tensor:
        value = self.values.get(node.input(0))
        quantisation = read_quantisation(node, self.onnx.constants, 1)
        if isinstance(value, _Input):
            if self.source is not None:
                raise ModelError(f"{node.label}: the input must be quantised once only")
            self.source = Tensor(node.outputs[0], value.shape, quantisation)
            return self.source
        if isinstance(value, Pending):
            return self._finish(value, node.outputs[0], quantisation)
        if isinstance(value, _Dequantised) and value.tensor.quantisation == quantisation:
            return value.tensor
        raise ModelError(
            f"{node.label}: its input '{node.input(0)}' must be the network's input or the result "
            "of a supported operator"
        )
