# SPDX-License-Identifier: Apache-2.0
"""What a program file says of itself: the schema of its `manifest.json`."""

import json
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..compiler.report import Report

__all__ = [
    "FORMAT", "VERSION", "Deinterleave", "Dequantise", "FloatSoftmax", "HostStep", "Interleave",
    "LayerEntry", "Manifest", "Part", "Port", "QLinearSoftmax", "Quantise", "Softmax",
    "TensorPlace",
]

FORMAT: Literal["cimple-program"] = "cimple-program"
#: Another version is refused. Version 1 had the rows of a row group of weights packed together,
#: version 2 no softmax among the host's steps, version 3 only TFLite's.
VERSION: Literal[4] = 4

_Byte = Annotated[int, Field(ge=-128, le=127)]
_Count = Annotated[int, Field(ge=0, le=1 << 31)]
_Size = Annotated[int, Field(ge=1, le=1 << 31)]
_Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Shape = Annotated[tuple[_Size, ...], Field(max_length=8)]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Quantise(_Part):
    """float32 to int8, as ONNX's QuantizeLinear."""

    step: Literal["quantise"] = "quantise"
    scale: _Scale
    zero_point: _Byte


class Interleave(_Part):
    """Network's order to memory's: elements as a matrix of `planes` rows, column after column."""

    step: Literal["interleave"] = "interleave"
    planes: _Size


class Deinterleave(_Part):
    """Memory's order to the network's, the inverse of `Interleave`."""

    step: Literal["deinterleave"] = "deinterleave"
    planes: _Size
    shape: _Shape


class Dequantise(_Part):
    """int8 to float32, as ONNX's DequantizeLinear."""

    step: Literal["dequantise"] = "dequantise"
    scale: _Scale
    zero_point: _Byte


class Softmax(_Part):
    """int8 to int8 of scale 1/256 and zero point -128, along the last axis, as TFLite's SOFTMAX."""

    step: Literal["softmax"] = "softmax"
    #: Of its input.
    scale: _Scale
    beta: _Scale


class QLinearSoftmax(_Part):
    """int8 to int8 along the last axis, as onnxruntime's QLinearSoftmax."""

    step: Literal["qlinear_softmax"] = "qlinear_softmax"
    #: Of its input.
    scale: _Scale
    result_scale: _Scale
    result_zero_point: _Byte


class FloatSoftmax(_Part):
    """float32 to float32 along the last axis, as ONNX's Softmax."""

    step: Literal["float_softmax"] = "float_softmax"


HostStep = Annotated[
    Quantise | Interleave | Deinterleave | Softmax | QLinearSoftmax | FloatSoftmax | Dequantise,
    Field(discriminator="step"),
]


class TensorPlace(_Part):
    """An int8 tensor in the activation memory."""

    name: str
    #: One image, in the network's order.
    shape: _Shape
    address: _Count
    #: As in `Interleave`.
    planes: _Size
    scale: _Scale
    zero_point: _Byte

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype=np.int64))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.size % self.planes:
            raise ValueError(f"planes must divide the {self.size} elements, not {self.planes}")
        return self


class Port(_Part):
    """The network's input or output: what the user gives or gets, and how the host changes it."""

    name: str
    #: One image.
    shape: _Shape
    dtype: Literal["float32", "int8"]
    tensor: TensorPlace
    steps: tuple[HostStep, ...]


class LayerEntry(_Part):
    """A layer, in the order of execution."""

    name: str
    kind: str
    #: Number of the time stamp that it leaves at its end.
    stamp: Annotated[int, Field(ge=0, le=127)] | None
    result: TensorPlace


class Part(_Part):
    """A member of the file: where its bytes go, and their digest."""

    memory: Literal["ACTIVATIONS", "WEIGHTS", "PARAMETERS", "PROGRAM", "EXTERNAL"]
    offset: _Count
    size: _Count
    sha256: _Digest


class Manifest(_Part):
    """The whole of `manifest.json`."""

    format: Literal["cimple-program"] = FORMAT
    version: Literal[4] = VERSION
    #: Version of the compiler.
    compiler: str
    model_name: str
    model_sha256: _Digest
    #: All fields of the NPU's configuration, and its digest.
    npu: dict[str, Any]
    npu_digest: _Digest
    #: First descriptor.
    entry: _Count
    input: Port
    output: Port
    layers: tuple[LayerEntry, ...]
    #: Whether every layer's result is still there after a run.
    keep_all: bool
    parts: dict[str, Part]
    report: Report

    def to_json(self) -> str:
        """Canonical text: equal manifests give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1) + "\n"
