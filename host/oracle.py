# SPDX-License-Identifier: Apache-2.0
"""onnxruntime as the judge of each layer: its integer kernels, one node at a time.

An operator between DequantizeLinear and QuantizeLinear is turned into the integer operator that
onnxruntime would run in its place: Conv into QLinearConv, Gemm and MatMul into QGemm, MaxPool into
MaxPool on int8. Every other one runs as it stands, with its neighbours. The network's file is read
anew here, without any of the compiler's code.
"""

from collections.abc import Mapping, Sequence
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
    # Without it, sums of 8-bit weights saturate at 16 bits on x86 processors that lack VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: batch})[0])


@dataclass(frozen=True)
class _Stage:
    """From one int8 tensor (or the float input) to the next."""

    kind: str
    source: str
    result: str
    session: onnxruntime.InferenceSession
    #: Lowest result, where a Relu follows that QuantizeLinear does not imply.
    low: int


class LayerOracle:
    """Each int8 tensor of a network in QDQ form, computed from the one before it.

    Parameters
    ----------
    path : Path
        The ONNX file. It must be one that the compiler takes.
    """

    def __init__(self, path: Path) -> None:
        self._graph = onnx.load(str(path)).graph
        self._constants = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in self._graph.initializer
        }
        self._producers = {node.output[0]: node for node in self._graph.node}
        self.stages = [
            self._stage(node) for node in self._graph.node
            if node.op_type == "QuantizeLinear" and node.input[0] not in self._constants
        ]

    def compare(
        self, batch: NDArray[Any], tensors: Mapping[str, _INT8]
    ) -> dict[str, tuple[int, int]]:
        """For each tensor, how many of its values differ, of how many.

        Every stage starts from the given tensor, where there is one, not from the oracle's own: so
        a difference counts in the layer that makes it.
        """
        values: dict[str, NDArray[Any]] = {}
        found: dict[str, tuple[int, int]] = {}
        for stage in self.stages:
            given = values.get(stage.source, batch)
            result = np.asarray(stage.session.run(None, {"x": given})[0])
            result = np.maximum(result, np.int8(stage.low))
            if stage.result in tensors:
                ours = tensors[stage.result]
                found[stage.result] = (int(np.count_nonzero(ours != result)), result.size)
                result = ours
            values[stage.result] = result
        return found

    def _stage(self, quantise: Any) -> _Stage:
        """What leads to the result of one QuantizeLinear."""
        low = -128
        node = self._producers.get(quantise.input[0])
        if node is None:
            inputs = [*quantise.input[1:]]
            made = helper.make_node("QuantizeLinear", ["x", *inputs], ["y"])
            session = self._session([made], inputs, "float32")
            return _Stage("QuantizeLinear", quantise.input[0], quantise.output[0], session, low)
        outer = self._producers.get(node.input[0])
        if node.op_type == "Relu" and outer is not None and outer.op_type != "DequantizeLinear":
            low = int(self._constants[quantise.input[2]])
            node = outer
        dequantise = self._producers[node.input[0]]
        bias = None
        if node.op_type == "Add":
            bias, node = self._producers[node.input[1]], dequantise
            dequantise = self._producers[node.input[0]]
        session = self._integer(node, dequantise, quantise, bias)
        return _Stage(node.op_type, dequantise.input[0], quantise.output[0], session, low)

    def _integer(
        self, node: Any, dequantise: Any, quantise: Any, bias: Any
    ) -> onnxruntime.InferenceSession:
        x, y = list(dequantise.input[1:]), list(quantise.input[1:])
        if node.op_type == "Conv":
            weights = list(self._producers[node.input[1]].input)
            b = [self._producers[node.input[2]].input[0]] if len(node.input) > 2 else []
            made = _node("QLinearConv", ["x", *x, *weights, *y, *b], node.attribute)
            return self._session([made], [*x, *weights, *y, *b], "int8")
        if node.op_type in ("Gemm", "MatMul"):
            weights = list(self._producers[node.input[1]].input)
            source = bias or (self._producers[node.input[2]] if len(node.input) > 2 else None)
            b = [source.input[0]] if source is not None else []
            used = [item for item in node.attribute if item.name != "beta"]
            inputs = ["x", *x, *weights, *(b or [""]), *y]
            made = _node("QGemm", inputs, used, domain="com.microsoft")
            return self._session([made], [*x, *weights, *b, *y], "int8")
        if node.op_type == "MaxPool":
            return self._session([_node("MaxPool", ["x"], node.attribute)], [], "int8")
        more = list(node.input[1:])
        chain = [
            helper.make_node("DequantizeLinear", ["x", *x], ["dequantised"]),
            _node(node.op_type, ["dequantised", *more], node.attribute, output="made"),
            helper.make_node("QuantizeLinear", ["made", *y], ["y"]),
        ]
        return self._session(chain, [*x, *more, *y], "int8")

    def _session(
        self, nodes: Sequence[Any], constants: Sequence[str], dtype: str
    ) -> onnxruntime.InferenceSession:
        """A session of these nodes alone, from `x` to `y`, with nothing optimised away."""
        held = [numpy_helper.from_array(self._constants[n], n) for n in dict.fromkeys(constants)]
        graph = helper.make_graph(
            list(nodes), "stage",
            [helper.make_tensor_value_info("x", _TYPES[dtype], None)],
            [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
            held,
        )
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
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
