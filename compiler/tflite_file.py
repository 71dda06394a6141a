# SPDX-License-Identifier: Apache-2.0
"""TFLite files: reading and checking what all operators have in common."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .model_file import read_model

__all__ = ["TfliteGraph", "TfliteNode", "TfliteTensor", "read_tflite"]

#: Element types of tensors that a network may hold.
_TYPES: dict[str, type[np.generic]] = {
    "FLOAT32": np.float32, "INT8": np.int8, "INT32": np.int32, "INT64": np.int64,
}

#: The fields that are read of each kind of options.
_WINDOW = ("Padding", "StrideH", "StrideW", "FusedActivationFunction")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "Conv2DOptions": (*_WINDOW, "DilationHFactor", "DilationWFactor"),
    "DepthwiseConv2DOptions": (*_WINDOW, "DilationHFactor", "DilationWFactor"),
    "Pool2DOptions": (*_WINDOW, "FilterHeight", "FilterWidth"),
    "AddOptions": ("FusedActivationFunction",),
    "SoftmaxOptions": ("Beta",),
    "FullyConnectedOptions": ("FusedActivationFunction", "WeightsFormat"),
}

#: What the parser raises where offsets lead out of the file or to something else.
_DAMAGE = (
    struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError, KeyError,
    MemoryError,
)


@dataclass(frozen=True)
class TfliteTensor:
    """A tensor: shape with the batch first, element type by TFLite's name, and how it is quantised.

    No scale: it is not quantised. One, or one for each index of `axis`. `values`: of a constant.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int
    values: NDArray[Any] | None


@dataclass(frozen=True)
class TfliteNode:
    """One operator: TFLite's name for it, tensors by number, options by the schema's names."""

    number: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, float]

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"node '{self.number}' ({self.kind})"


@dataclass(frozen=True)
class TfliteGraph:
    """A network with one subgraph, one input and one output."""

    tensors: tuple[TfliteTensor, ...]
    nodes: tuple[TfliteNode, ...]
    source: int
    result: int


def read_tflite(path: Path) -> TfliteGraph:
    """Read a TFLite file.

    Raises ModelError where it cannot be read, is not TFLite, or has more than one subgraph, input
    or output.
    """
    try:
        import tflite
    except ImportError:
        raise ModelError(
            "reading TFLite files needs the extra 'tflite': pip install 'cimple[tflite]'"
        ) from None
    content = read_model(path, "a TFLite")
    if content[4:8] != b"TFL3":
        raise ModelError("not a TFLite model (its bytes 4 to 7 are not TFL3); convert it again")
    try:
        return _Reader(tflite, content).read()
    except _DAMAGE:
        raise ModelError("not a whole TFLite model; copy or convert it again") from None


class _Reader:
    def __init__(self, tflite: Any, content: bytes) -> None:
        self.tflite = tflite
        self.content = content
        self.model = tflite.Model.GetRootAsModel(content, 0)

    def read(self) -> TfliteGraph:
        count = self.model.SubgraphsLength()
        if count != 1:
            raise ModelError(f"a network must have one subgraph, not {count}")
        graph = self.model.Subgraphs(0)
        tensors = tuple(
            self._tensor(graph.Tensors(index)) for index in self._range(graph.TensorsLength())
        )
        nodes = tuple(
            self._node(index, graph.Operators(index))
            for index in self._range(graph.OperatorsLength())
        )
        for node in nodes:
            for index in (*node.inputs, *node.outputs):
                if not -1 <= index < len(tensors):
                    raise IndexError(index)
        source = _single("input", [graph.Inputs(n) for n in self._range(graph.InputsLength())])
        result = _single("output", [graph.Outputs(n) for n in self._range(graph.OutputsLength())])
        if not (0 <= source < len(tensors) and 0 <= result < len(tensors)):
            raise IndexError(source, result)
        return TfliteGraph(tensors, nodes, source, result)

    def _range(self, length: int) -> range:
        """Indices of a vector; what is in a file takes place in it."""
        if length > len(self.content):
            raise OverflowError(length)
        return range(length)

    def _tensor(self, tensor: Any) -> TfliteTensor:
        name = (tensor.Name() or b"").decode("utf-8", "backslashreplace")
        kind = self._name(self.tflite.TensorType, tensor.Type())
        shape = tuple(int(tensor.Shape(axis)) for axis in self._range(tensor.ShapeLength()))
        quantisation = tensor.Quantization()
        scales, zero_points, axis = np.zeros(0, np.float32), np.zeros(0, np.int64), 0
        if quantisation is not None and quantisation.ScaleLength():
            self._range(quantisation.ScaleLength())
            scales = np.array(quantisation.ScaleAsNumpy(), np.float32)
            zero_points = np.zeros(scales.size, np.int64)
            if quantisation.ZeroPointLength():
                self._range(quantisation.ZeroPointLength())
                found = np.array(quantisation.ZeroPointAsNumpy(), np.int64)
                zero_points = np.broadcast_to(found, scales.shape)
            axis = int(quantisation.QuantizedDimension())
        return TfliteTensor(
            name, shape, kind, scales, zero_points, axis, self._values(tensor, kind, shape)
        )

    def _values(self, tensor: Any, kind: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
        """Of a constant: its elements."""
        buffer = self.model.Buffers(tensor.Buffer())
        if kind not in _TYPES or buffer is None or not buffer.DataLength():
            return None
        self._range(buffer.DataLength())
        element = np.dtype(_TYPES[kind]).newbyteorder("<")
        return np.frombuffer(buffer.DataAsNumpy().tobytes(), element).reshape(shape)

    def _node(self, index: int, operator: Any) -> TfliteNode:
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        # Codes below 127 stand in the older field of one byte, by files of every age.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = self._name(self.tflite.BuiltinOperator, number)
        inputs = tuple(int(operator.Inputs(n)) for n in self._range(operator.InputsLength()))
        outputs = tuple(int(operator.Outputs(n)) for n in self._range(operator.OutputsLength()))
        return TfliteNode(index, kind, inputs, outputs, self._options(operator))

    def _options(self, operator: Any) -> dict[str, float]:
        table = operator.BuiltinOptions()
        kind = self._name(self.tflite.BuiltinOptions, operator.BuiltinOptionsType())
        if table is None or kind not in _OPTIONS:
            return {}
        options = getattr(self.tflite, kind)()
        options.Init(table.Bytes, table.Pos)
        return {name: getattr(options, name)() for name in _OPTIONS[kind]}

    @staticmethod
    def _name(members: Any, value: int) -> str:
        """The schema's name for a number."""
        names = {number: name for name, number in vars(members).items() if isinstance(number, int)}
        return names.get(value, f"number {value}")


def _single(what: str, numbers: list[int]) -> int:
    if len(numbers) != 1:
        raise ModelError(f"a network must have exactly one {what}, not {len(numbers)}")
    return numbers[0]
