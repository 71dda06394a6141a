# SPDX-License-Identifier: Apache-2.0
"""onnxruntime as the judge of each layer: its integer kernels, one node at a time.

An operator between DequantizeLinear and QuantizeLinear is turned into the integer operator that
onnxruntime would run in its place: Conv into QLinearConv, Gemm and MatMul into QGemm, MaxPool into
MaxPool on int8, Add, AveragePool, GlobalAveragePool and Softmax into QLinear*. Every other one runs
as it stands, with its neighbours; so does each integer operator. The network's file is read anew
here, without any of the compiler's code.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["LayerOracle", "run_network"]

_INT8 = NDArray[np.int8]
_TYPES = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8}


def run_network(path: Path, batch: NDArray[Any]) -> NDArray[Any]:
    """The network's output as onnxruntime computes it with its default optimisations."""
    options = onnxruntime.SessionOptions()
    if all(node.op_type != "QGemm" for node in onnx.load(str(path)).graph.node):
        # Without it, sums of 8-bit weights saturate at 16 bits on x86 processors that lack VNNI;
        # onnxruntime has no QGemm of int8 with it.
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: batch})[0])


@dataclass(frozen=True)
class _Stage:
    """From int8 tensors (or the float input) to the next."""

    kind: str
    sources: tuple[str, ...]
    result: str
    session: onnxruntime.InferenceSession
    #: Lowest result, where a Relu follows that QuantizeLinear does not imply.
    low: int = -128


class LayerOracle:
    """Each int8 tensor of a network in QDQ or QOperator form, computed from those before it.

    Parameters
    ----------
    path : Path
        The ONNX file. It must be one that the compiler takes.
    """

    def __init__(self, path: Path) -> None:
        model = onnx.load(str(path))
        self._graph = model.graph
        self._imports = [each for each in model.opset_import if each.domain in ("", "ai.onnx")]
        self._constants = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in self._graph.initializer
        }
        self._producers = {node.output[0]: node for node in self._graph.node}
        self._int8 = {
            value.name for value in self._graph.input
            if value.type.tensor_type.elem_type == TensorProto.INT8
        }
        self.stages = [stage for node in self._graph.node for stage in self._stages(node)]

    def compare(
        self, batch: NDArray[Any], tensors: Mapping[str, _INT8]
    ) -> dict[str, tuple[int, int]]:
        """For each tensor, how many of its values differ, of how many.

        Every stage starts from the given tensors, where there are any, not from the oracle's own:
        so a difference counts in the layer that makes it.
        """
        values: dict[str, NDArray[Any]] = {}
        found: dict[str, tuple[int, int]] = {}
        for stage in self.stages:
            given = {
                f"x{place}": values.get(name, batch) for place, name in enumerate(stage.sources)
            }
            result = np.asarray(stage.session.run(None, given)[0])
            result = np.maximum(result, np.int8(stage.low))
            if stage.result in tensors:
                ours = tensors[stage.result]
                found[stage.result] = (int(np.count_nonzero(ours != result)), result.size)
                result = ours
            values[stage.result] = result
        return found

    def _stages(self, node: Any) -> Iterator[_Stage]:
        """What a node ends, if its result is int8."""
        if node.op_type == "QuantizeLinear":
            if node.input[0] not in self._constants:
                self._int8.add(node.output[0])
                yield self._stage(node)
        elif node.op_type != "DequantizeLinear" and (
            node.op_type.startswith("Q") or node.input[0] in self._int8
        ):
            self._int8.add(node.output[0])
            sources = [name for name in node.input if name in self._int8]
            yield self._as_it_is(node, sources)

    def _as_it_is(self, node: Any, sources: list[str]) -> _Stage:
        """A node that takes int8 itself."""
        constants = [name for name in node.input if name in self._constants]
        inputs = [f"x{sources.index(n)}" if n in sources else n for n in node.input]
        made = _node(node.op_type, inputs, node.attribute, domain=node.domain)
        session = self._session([made], constants, len(sources))
        return _Stage(node.op_type, tuple(sources), node.output[0], session)

    def _stage(self, quantise: Any) -> _Stage:
        """What leads to the result of one QuantizeLinear."""
        low = -128
        node = self._producers.get(quantise.input[0])
        if node is None:
            inputs = [*quantise.input[1:]]
            made = helper.make_node("QuantizeLinear", ["x0", *inputs], ["y"])
            session = self._session([made], inputs, 1, "float32")
            return _Stage("QuantizeLinear", (quantise.input[0],), quantise.output[0], session)
        outer = self._producers.get(node.input[0])
        if node.op_type == "Relu" and outer is not None and outer.op_type != "DequantizeLinear":
            low = int(self._constants[quantise.input[2]])
            node, outer = outer, self._producers[outer.input[0]]
        assert outer is not None
        bias = None
        if node.op_type == "Add" and outer.op_type == "MatMul":
            bias, node = self._producers[node.input[1]], outer
        dequantised = [self._producers[node.input[0]]]
        if node.op_type == "Add":
            dequantised.append(self._producers[node.input[1]])
        session = self._integer(node, dequantised, quantise, bias)
        sources = tuple(each.input[0] for each in dequantised)
        return _Stage(node.op_type, sources, quantise.output[0], session, low)

    def _integer(
        self, node: Any, dequantised: list[Any], quantise: Any, bias: Any
    ) -> onnxruntime.InferenceSession:
        x, y = list(dequantised[0].input[1:]), list(quantise.input[1:])
        if node.op_type == "Conv":
            weights = list(self._producers[node.input[1]].input)
            b = [self._producers[node.input[2]].input[0]] if len(node.input) > 2 else []
            made = _node("QLinearConv", ["x0", *x, *weights, *y, *b], node.attribute)
            return self._session([made], [*x, *weights, *y, *b])
        if node.op_type in ("Gemm", "MatMul"):
            weights = list(self._producers[node.input[1]].input)
            source = bias or (self._producers[node.input[2]] if len(node.input) > 2 else None)
            b = [source.input[0]] if source is not None else []
            used = [item for item in node.attribute if item.name != "beta"]
            inputs = ["x0", *x, *weights, *(b or [""]), *y]
            made = _node("QGemm", inputs, used, domain="com.microsoft")
            return self._session([made], [*x, *weights, *b, *y])
        if node.op_type == "MaxPool":
            return self._session([_node("MaxPool", ["x0"], node.attribute)], [])
        if node.op_type in ("Add", "AveragePool", "GlobalAveragePool", "Softmax"):
            given = [
                name for place, each in enumerate(dequantised)
                for name in (f"x{place}", *each.input[1:])
            ]
            made = _node(
                f"QLinear{node.op_type}", [*given, *y], node.attribute, domain="com.microsoft"
            )
            if node.op_type == "Softmax":
                made.attribute.append(helper.make_attribute("opset", self._imports[0].version))
            held = [name for name in (*given, *y) if name in self._constants]
            return self._session([made], held, len(dequantised))
        return self._floats(node, x, y)

    def _floats(self, node: Any, x: list[str], y: list[str]) -> onnxruntime.InferenceSession:
        """An operator that has no integer form, on floats."""
        more = list(node.input[1:])
        chain = [
            helper.make_node("DequantizeLinear", ["x0", *x], ["dequantised"]),
            _node(node.op_type, ["dequantised", *more], node.attribute, output="made"),
            helper.make_node("QuantizeLinear", ["made", *y], ["y"]),
        ]
        return self._session(chain, [*x, *(name for name in more if name), *y])

    def _session(
        self, nodes: Sequence[Any], constants: Sequence[str], sources: int = 1, dtype: str = "int8"
    ) -> onnxruntime.InferenceSession:
        """A session of these nodes alone, from `x0` on to `y`, with nothing optimised away."""
        held = [numpy_helper.from_array(self._constants[n], n) for n in dict.fromkeys(constants)]
        graph = helper.make_graph(
            list(nodes), "stage",
            [
                helper.make_tensor_value_info(f"x{place}", _TYPES[dtype], None)
                for place in range(sources)
            ],
            [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
            held,
        )
        imports = [*self._imports, helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )


def _node(
    operator: str, inputs: Sequence[str], attributes: Sequence[Any], *, domain: str = "",
    output: str = "y",
) -> Any:
    """A node with another node's attributes, word for word."""
    made = helper.make_node(operator, list(inputs), [output], domain=domain)
    made.attribute.extend(attributes)
    return made
