# SPDX-License-Identifier: Apache-2.0
"""TFLite with int8 quantisation to the graph: its nodes, in the file's order, which is executed.

Everything is int8, input and output too.
"""

from collections import Counter
from pathlib import Path

from .errors import ModelError
from .ir import Graph, Node, Quantisation, Tensor
from .tflite_file import TfliteGraph, TfliteNode, TfliteTensor, read_tflite
from .tflite_operators import BUILDERS

__all__ = ["read_tflite_int8"]


def read_tflite_int8(path: Path) -> Graph:
    """The graph in a TFLite file. Raises ModelError, which does not name the file."""
    return _Reader(read_tflite(path)).read()


class _Reader:
    def __init__(self, file: TfliteGraph) -> None:
        self.file = file
        self.tensors: dict[int, Tensor] = {}
        self.nodes: list[Node] = []
        self.names = Counter(tensor.name for tensor in file.tensors)

    def read(self) -> Graph:
        source, result = self.file.source, self.file.result
        self.tensors[source] = self._tensor(source, "the network's input")
        for node in self.file.nodes:
            self._add(node)
        if result not in self.tensors:
            raise ModelError(f"output '{self.file.tensors[result].name}' is not made by any node")
        first, last = self.tensors[source], self.tensors[result]
        return Graph(
            first, last, first.name, last.name, float_input=False, float_output=False,
            nodes=tuple(self.nodes),
        )

    def _add(self, node: TfliteNode) -> None:
        if node.kind not in BUILDERS:
            raise ModelError(
                f"{node.label}: operator {node.kind} is not supported; supported are "
                + ", ".join(BUILDERS)
            )
        if not node.inputs or len(node.outputs) != 1:
            raise ModelError(f"{node.label}: must have inputs and one output")
        source = self.tensors.get(node.inputs[0])
        if source is None:
            raise ModelError(f"{node.label}: its first input must be the result of an earlier node")
        result = self._tensor(node.outputs[0], node.label)
        if node.outputs[0] in self.tensors:
            raise ModelError(
                f"{node.label}: its result '{result.name}' is there before; convert the model again"
            )
        inputs = [self._input(index) for index in node.inputs[1:]]
        self.nodes.append(BUILDERS[node.kind](node, source, result, inputs))
        self.tensors[node.outputs[0]] = result

    def _input(self, index: int) -> Tensor | TfliteTensor | None:
        """What stands behind the first input: an earlier node's result, or a constant."""
        if index in self.tensors:
            return self.tensors[index]
        tensor = self.file.tensors[index] if index >= 0 else None
        return tensor if tensor is not None and tensor.values is not None else None

    def _tensor(self, index: int, label: str) -> Tensor:
        """An activation: int8, one scale, a batch of one image."""
        tensor = self.file.tensors[index]
        if tensor.kind != "INT8":
            raise ModelError(
                f"{label}: tensor '{tensor.name}' must be int8, not {tensor.kind.lower()}; convert "
                "with full integer quantisation, input and output int8 too"
            )
        if tensor.scales.size != 1 or not 0 < float(tensor.scales[0]) < float("inf"):
            raise ModelError(
                f"{label}: tensor '{tensor.name}' must have one scale above 0, not "
                f"{tensor.scales.tolist()}"
            )
        zero_point = int(tensor.zero_points[0])
        if not -128 <= zero_point <= 127:
            raise ModelError(
                f"{label}: tensor '{tensor.name}' must have a zero point between -128 and 127, not "
                f"{zero_point}"
            )
        if len(tensor.shape) < 2 or tensor.shape[0] != 1 or min(tensor.shape) < 1:
            raise ModelError(
                f"{label}: tensor '{tensor.name}' must have a batch of 1 and fixed sizes after it, "
                f"not {list(tensor.shape)}; convert with fixed sizes"
            )
        quantisation = Quantisation(float(tensor.scales[0]), zero_point)
        return Tensor(self._name(index), tensor.shape[1:], quantisation, channels_last=True)

    def _name(self, index: int) -> str:
        """The tensor's name; with its number where others have the same, as the format allows."""
        name = self.file.tensors[index].name
        return name if self.names[name] == 1 else f"{name}#{index}"
