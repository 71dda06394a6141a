# SPDX-License-Identifier: Apache-2.0
"""ONNX files: reading, checking, and the part of the graph that makes the output."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .model_file import read_model
from .onnx_forms import INTEGER_OPERATORS

__all__ = ["OnnxGraph", "OnnxNode", "read_onnx"]

#: The operators a network may have; Constant only gives constants.
SUPPORTED = (
    "QuantizeLinear", "DequantizeLinear", "Conv", "Gemm", "MatMul", "Add", "Relu", "MaxPool",
    "AveragePool", "GlobalAveragePool", "ReduceMean", "Pad", "Flatten", "Reshape", "Softmax",
    *INTEGER_OPERATORS, "Constant",
)

#: Names of ONNX's own domain.
_ONNX = ("", "ai.onnx")


@dataclass(frozen=True)
class OnnxNode:
    """One node: operator, name, inputs (empty text where one is left out), outputs, attributes."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"node '{self.name}' ({self.kind})"

    def input(self, index: int) -> str:
        """Name of an input, empty if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclass(frozen=True)
class OnnxGraph:
    """The nodes between one input and one output, in order, and the constants."""

    input_name: str
    #: Sizes of the input, the batch first; None where it is not fixed.
    input_shape: tuple[int | None, ...]
    #: ONNX's name for the input's element type: `FLOAT`, `INT8`.
    input_type: str
    output_name: str
    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, NDArray[Any]]
    #: Version of ONNX's own operators.
    opset: int


def read_onnx(path: Path) -> OnnxGraph:
    """Read and check an ONNX file.

    Raises ModelError where it cannot be read, is not ONNX, holds an operator that is not
    supported, or has not exactly one input and one output.
    """
    model = _parse(path)
    graph = model.graph
    constants = _initialisers(graph, path)
    nodes = [_node(node) for node in graph.node]
    constants.update(_constant_nodes(nodes))
    output = _single("output", [value.name for value in graph.output])
    needed = _needed(nodes, output)
    _refuse_unsupported(needed, graph)
    _check(model)
    inputs = [value for value in graph.input if value.name not in constants]
    _single("input", [value.name for value in inputs])
    shape, kind = _tensor_type(inputs[0])
    return OnnxGraph(
        inputs[0].name, shape, kind, output,
        tuple(node for node in needed if node.kind != "Constant"), constants,
        max((each.version for each in model.opset_import if each.domain in _ONNX), default=0),
    )


def _parse(path: Path) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise ModelError(
            "reading ONNX files needs the extra 'onnx': pip install 'cimple[onnx]'"
        ) from None
    content = read_model(path, "an ONNX")
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError):
        model = None
    if model is None or not model.HasField("graph") or not model.opset_import:
        raise ModelError("not an ONNX model, or cut short; export or copy it again")
    return model


def _initialisers(graph: Any, path: Path) -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper

    constants = {}
    for tensor in graph.initializer:
        try:
            constants[tensor.name] = numpy_helper.to_array(tensor, str(path.parent))
        except (ValueError, TypeError, OSError, KeyError):
            raise ModelError(
                f"constant '{tensor.name}' cannot be read; the file, or one with external data "
                "beside it, is cut short or missing"
            ) from None
    return constants


def _node(node: Any) -> OnnxNode:
    from onnx import helper

    kind = node.op_type if node.domain in _ONNX else f"{node.domain}.{node.op_type}"
    outputs = tuple(node.output)
    for text in (kind, node.name, *node.input, *outputs):
        # What is not UTF-8 comes as bytes.
        if not isinstance(text, str) or not text.isprintable():
            raise ModelError(f"not a valid ONNX model: {text!a} is no name")
    attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    name = node.name or (outputs[0] if outputs else "")
    return OnnxNode(kind, name, tuple(node.input), outputs, attributes)


def _constant_nodes(nodes: list[OnnxNode]) -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper

    constants: dict[str, NDArray[Any]] = {}
    for node in nodes:
        if node.kind == "Constant" and node.outputs:
            for name, value in node.attributes.items():
                if name == "value":
                    constants[node.outputs[0]] = numpy_helper.to_array(value)
                elif name in ("value_int", "value_ints"):
                    constants[node.outputs[0]] = np.array(value, np.int64)
                elif name in ("value_float", "value_floats"):
                    constants[node.outputs[0]] = np.array(value, np.float32)
    return constants


def _single(what: str, names: list[str]) -> str:
    if len(names) != 1:
        listed = ", ".join(f"'{name}'" for name in names) or "none"
        raise ModelError(f"a network must have exactly one {what}, not {len(names)} ({listed})")
    return names[0]


def _needed(nodes: list[OnnxNode], output: str) -> list[OnnxNode]:
    """The nodes that the output depends on, in the file's order."""
    producers = {name: node for node in nodes for name in node.outputs}
    seen: set[str] = set()
    pending = [output]
    while pending:
        node = producers.get(pending.pop())
        if node is not None and node.outputs[0] not in seen:
            seen.add(node.outputs[0])
            pending += node.inputs
    return [node for node in nodes if node.outputs and node.outputs[0] in seen]


def _refuse_unsupported(nodes: list[OnnxNode], graph: Any) -> None:
    if not nodes:
        raise ModelError(f"output '{graph.output[0].name}' is not made by any node")
    for node in nodes:
        if node.kind not in SUPPORTED:
            raise ModelError(
                f"{node.label}: operator {node.kind} is not supported; supported are "
                + ", ".join(SUPPORTED)
            )


def _check(model: Any) -> None:
    """Let ONNX's own checker look at the file: what follows relies on the operators' arities."""
    from onnx import checker

    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ModelError(f"not a valid ONNX model: {first}") from None


def _tensor_type(value: Any) -> tuple[tuple[int | None, ...], str]:
    from onnx import TensorProto

    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        raise ModelError(f"input '{value.name}' has no shape; export the model with one")
    sizes = [
        dimension.dim_value if dimension.HasField("dim_value") else None
        for dimension in tensor.shape.dim
    ]
    if len(sizes) < 2 or any(size is None or size < 1 for size in sizes[1:]):
        shown = ", ".join(_shown(dimension) for dimension in tensor.shape.dim)
        raise ModelError(
            f"input '{value.name}' must have a batch axis and fixed sizes after it, not "
            f"[{shown}]; export the model with fixed sizes"
        )
    names = {number: name for name, number in TensorProto.DataType.items()}
    return tuple(sizes), names.get(tensor.elem_type, "UNDEFINED")


def _shown(dimension: Any) -> str:
    return dimension.dim_param or (
        str(dimension.dim_value) if dimension.HasField("dim_value") else "?"
    )
