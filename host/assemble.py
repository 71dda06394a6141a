# SPDX-License-Identifier: Apache-2.0
"""From what the compiler made to a program file."""

import hashlib
from collections.abc import Iterable

from ..compiler import ir
from ..compiler.compile import Compiled
from ..compiler.layers import ChannelParameters, Image
from ..hdl.npu.config import WORD_BYTES
from ..hdl.npu.isa import Descriptor
from ..hdl.npu.packets import parameter_words
from ..hdl.version import version
from .manifest import (
    Deinterleave,
    Dequantise,
    FloatSoftmax,
    HostStep,
    Interleave,
    LayerEntry,
    Manifest,
    Part,
    Port,
    QLinearSoftmax,
    Quantise,
    Softmax,
    TensorPlace,
)
from .program import EXTERNAL, PARTS, ProgramFile

__all__ = ["assemble", "memory_parts"]


def assemble(compiled: Compiled) -> ProgramFile:
    """The program file of a compiled network."""
    parts = memory_parts(compiled.descriptors, compiled.weights, compiled.parameters)
    if compiled.external:
        parts[EXTERNAL[0]] = compiled.external
    return ProgramFile(_manifest(compiled, parts), compiled.config, parts)


def memory_parts(
    descriptors: Iterable[Descriptor], weights: bytes, parameters: Iterable[ChannelParameters]
) -> dict[str, bytes]:
    """What fills the memories, by the names of `PARTS`."""
    return {
        "program.bin": b"".join(_pack(each.encode()) for each in descriptors),
        "weights.bin": weights,
        "parameters.bin": b"".join(
            _pack(parameter_words(entry.bias, entry.multiplier, entry.shift))
            for entry in parameters
        ),
    }


def _pack(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(WORD_BYTES, "little") for word in words)


def _manifest(compiled: Compiled, parts: dict[str, bytes]) -> Manifest:
    source = _place(compiled.source, compiled.source_address)
    result = _place(compiled.result, compiled.result_address)
    return Manifest(
        compiler=version(),
        model_name=compiled.model_name,
        model_sha256=compiled.model_sha256,
        npu=compiled.config.to_mapping(),
        npu_digest=compiled.config.digest(),
        entry=0,
        input=_input(compiled, source),
        output=_output(compiled, result),
        layers=tuple(
            LayerEntry(
                name=layer.name, kind=layer.kind, stamp=layer.stamp,
                result=_place(layer.result, layer.address),
            )
            for layer in compiled.layers
        ),
        keep_all=compiled.keep_all,
        parts={
            name: Part(
                memory=EXTERNAL[1] if name == EXTERNAL[0] else PARTS[name].name, offset=0,
                size=len(data), sha256=hashlib.sha256(data).hexdigest(),
            )
            for name, data in parts.items()
        },
        report=compiled.report,
    )


def _place(image: Image, address: int) -> TensorPlace:
    return TensorPlace(
        name=image.name, shape=image.shape, address=address, planes=image.interleave,
        scale=image.quantisation.scale, zero_point=image.quantisation.zero_point,
    )


def _input(compiled: Compiled, tensor: TensorPlace) -> Port:
    steps: list[HostStep] = []
    if compiled.graph.float_input:
        steps.append(Quantise(scale=tensor.scale, zero_point=tensor.zero_point))
    steps.append(Interleave(planes=tensor.planes))
    dtype = "float32" if compiled.graph.float_input else "int8"
    return Port(
        name=compiled.graph.input_name, shape=tensor.shape, dtype=dtype, tensor=tensor,
        steps=tuple(steps),
    )


def _output(compiled: Compiled, tensor: TensorPlace) -> Port:
    steps: list[HostStep] = [Deinterleave(planes=tensor.planes, shape=tensor.shape)]
    for node in compiled.host:
        steps += _host_steps(node)
    result = compiled.graph.result
    if compiled.graph.float_output and FloatSoftmax() not in steps:
        steps.append(_dequantise(result.quantisation))
    dtype = "float32" if compiled.graph.float_output else "int8"
    return Port(
        name=compiled.graph.output_name, shape=result.shape, dtype=dtype, tensor=tensor,
        steps=tuple(steps),
    )


def _host_steps(node: ir.HostOperator) -> list[HostStep]:
    source, result = node.source.quantisation, node.result.quantisation
    match node:
        case ir.Softmax():
            return [Softmax(scale=source.scale, beta=node.beta)]
        case ir.QLinearSoftmax():
            return [
                QLinearSoftmax(
                    scale=source.scale, result_scale=result.scale,
                    result_zero_point=result.zero_point,
                )
            ]
        case ir.FloatSoftmax():
            return [_dequantise(source), FloatSoftmax()]


def _dequantise(quantisation: ir.Quantisation) -> Dequantise:
    return Dequantise(scale=quantisation.scale, zero_point=quantisation.zero_point)
