# SPDX-License-Identifier: Apache-2.0
"""TFLite files from plain records of tensors and operators.

They are made with the schema's builders alone, and none of the compiler's code.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
import tflite

__all__ = ["tflite_bytes"]

#: Of a tensor: name, shape, kind, values, scales, zeros, and axis, that of the scales. Of an
#: operator: kind, inputs, output, options.
Records: TypeAlias = Sequence[dict[str, Any]]

#: The version of each operator that has int8 and what is used of it here.
_VERSIONS = {
    "ADD": 2, "AVERAGE_POOL_2D": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4,
    "MAX_POOL_2D": 2, "MEAN": 2, "PAD": 2, "PADV2": 2, "SOFTMAX": 2,
}


def tflite_bytes(tensors: Records, operators: Records, result: int) -> bytes:
    """The file of a network whose input is tensor 0."""
    return _Writer(operators).content(tensors, operators, result)


class _Writer:
    def __init__(self, operators: Records) -> None:
        self.out = flatbuffers.Builder(4096)
        self.kinds = sorted({operator["kind"] for operator in operators})

    def content(self, tensors: Records, operators: Records, result: int) -> bytes:
        buffers = [self._table("Buffer", {})]
        written = []
        for tensor in tensors:
            written.append(self._tensor(tensor, len(buffers)))
            data = tensor["values"]
            fields = {} if data is None else {"Data": self.out.CreateNumpyVector(
                np.frombuffer(data.tobytes(), np.uint8))}
            buffers.append(self._table("Buffer", fields))
        nodes = [self._operator(operator) for operator in operators]
        subgraph = self._table("SubGraph", {
            "Tensors": self._offsets(written), "Operators": self._offsets(nodes),
            "Inputs": self._numbers([0]), "Outputs": self._numbers([result]),
        })
        codes = [
            self._table("OperatorCode", {"DeprecatedBuiltinCode": number, "BuiltinCode": number,
                                         "Version": _VERSIONS.get(kind, 1)})
            for kind in self.kinds for number in [getattr(tflite.BuiltinOperator, kind)]
        ]
        model = self._table("Model", {
            "Version": 3, "OperatorCodes": self._offsets(codes),
            "Subgraphs": self._offsets([subgraph]), "Buffers": self._offsets(buffers),
        })
        self.out.Finish(model, b"TFL3")
        return bytes(self.out.Output())

    def _tensor(self, tensor: dict[str, Any], buffer: int) -> int:
        fields = {
            "Shape": self._numbers(tensor["shape"]), "Buffer": buffer,
            "Type": getattr(tflite.TensorType, tensor["kind"]),
            "Name": self.out.CreateString(tensor["name"]),
        }
        if tensor["scales"] is not None:
            fields["Quantization"] = self._table("QuantizationParameters", {
                "Scale": self.out.CreateNumpyVector(tensor["scales"].astype(np.float32)),
                "ZeroPoint": self.out.CreateNumpyVector(tensor["zeros"].astype(np.int64)),
                "QuantizedDimension": tensor.get("axis", 0),
            })
        return self._table("Tensor", fields)

    def _operator(self, operator: dict[str, Any]) -> int:
        name, values = operator["options"]
        values = {
            field: self._numbers(value) if isinstance(value, np.ndarray) else value
            for field, value in values.items()
        }
        return self._table("Operator", {
            "OpcodeIndex": self.kinds.index(operator["kind"]),
            "Inputs": self._numbers(operator["inputs"]),
            "Outputs": self._numbers([operator["output"]]),
            "BuiltinOptionsType": getattr(tflite.BuiltinOptions, name),
            "BuiltinOptions": self._table(name, values),
        })

    def _table(self, kind: str, fields: dict[str, Any]) -> int:
        """A table of the schema; vectors and tables in it are made before."""
        getattr(tflite, f"{kind}Start")(self.out)
        for name, value in fields.items():
            getattr(tflite, f"{kind}Add{name}")(self.out, value)
        return getattr(tflite, f"{kind}End")(self.out)

    def _numbers(self, values: Any) -> int:
        return self.out.CreateNumpyVector(np.array(values, np.int32))

    def _offsets(self, offsets: list[int]) -> int:
        self.out.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.out.PrependUOffsetTRelative(offset)
        return self.out.EndVector()
