# SPDX-License-Identifier: Apache-2.0
"""The whole way from a network's file to what an NPU is loaded with."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..hdl.npu.config import NpuConfig
from ..hdl.npu.isa import Descriptor
from ..verif.timing.npu import predict
from .emit import Program, emit
from .engines import engine_choices
from .errors import ModelError
from .ir import Graph, HostOperator
from .layers import ChannelParameters, Image, MatrixLayer, Network
from .legalise import legalise
from .memory import plan_activations
from .onnx_graph import read_onnx_int8
from .parameters import ParameterTable, place_parameters
from .report import MemoryUse, Report, build_report
from .schedule import Schedule, schedule
from .splits import choose_tiling
from .tflite_graph import read_tflite_int8
from .weights import WeightImage, place_weights

__all__ = ["Compiled", "CompiledLayer", "compile_graph", "compile_network", "read_network"]

#: What a progress display is told: the stage that begins.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class CompiledLayer:
    """A layer as users see it, and where its result lies after it has run."""

    name: str
    kind: str
    result: Image
    address: int
    #: Number of the time stamp it leaves at its end; None if there are too few.
    stamp: int | None


@dataclass(frozen=True)
class Compiled:
    """A network for one NPU: contents of its memories, and how to use them.

    The program begins at descriptor 0. `keep_all`: every layer's result is still there at the end.
    """

    config: NpuConfig
    graph: Graph
    source: Image
    source_address: int
    result: Image
    result_address: int
    descriptors: tuple[Descriptor, ...]
    weights: bytes
    #: Contents of external memory, from address 0 on; empty where the weight memory holds all.
    external: bytes
    parameters: tuple[ChannelParameters, ...]
    layers: tuple[CompiledLayer, ...]
    report: Report
    #: What is left for the host, in order, from `result` on.
    host: tuple[HostOperator, ...]
    keep_all: bool
    #: Name and SHA-256 of the file it came from.
    model_name: str
    model_sha256: str


#: Reads the graph in a file, by the end of the file's name.
_READERS: dict[str, Callable[[Path], Graph]] = {
    ".onnx": read_onnx_int8, ".tflite": read_tflite_int8,
}


def compile_network(
    path: Path, config: NpuConfig, *, keep_all: bool = False, all_planes: bool = False,
    progress: Progress = lambda stage: None,
) -> Compiled:
    """Compile an int8 network: ONNX in QDQ or QOperator form, or TFLite.

    Args:
        path: the file, by whose name it is known what it holds: `.onnx` or `.tflite`.
        config: the NPU to compile for.
        keep_all: give every layer's result its own memory, so that all can be read after a run.
        all_planes: let an NPU that can skip planes of zeros not do so: it then takes as long for
            any data.
        progress: told the name of each stage as it begins.

    Raises:
        ModelError: the file cannot be read, or the NPU cannot run the network.
    """
    try:
        progress("reading the network")
        graph = _reader(path)(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return compile_graph(
            graph, config, path.name, digest, keep_all=keep_all, all_planes=all_planes,
            progress=progress,
        )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def read_network(path: Path) -> Graph:
    """The graph in a file, ONNX or TFLite. Raises ModelError."""
    try:
        return _reader(path)(path)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _reader(path: Path) -> Callable[[Path], Graph]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelError(f"the name of a network must end in {' or '.join(_READERS)}")
    return reader


def compile_graph(
    graph: Graph, config: NpuConfig, model_name: str, model_sha256: str, *,
    keep_all: bool = False, all_planes: bool = False,
    progress: Progress = lambda stage: None,
) -> Compiled:
    """Compile a graph from any front end. Raises ModelError, which does not name the file."""
    progress("fitting layers to the engines")
    choices = tuple(engine_choices(legalise(graph), config))
    progress("placing data and writing descriptors")
    skips = config.macro.skip_zero_planes and not all_planes
    placed = _place_first(choices, config, keep_all=keep_all, skips=skips)
    network, plan, addresses, weights, parameters, program = placed
    memories = _memories(network, addresses, weights, parameters, program, config)
    progress("counting cycles")
    times = predict(config, program.descriptors)
    return Compiled(
        config, graph, network.source, addresses[network.source.name], network.result,
        addresses[network.result.name], program.descriptors,
        b"" if weights.is_external else weights.data, weights.data if weights.is_external else b"",
        parameters.entries,
        _layers(network, addresses, program),
        build_report(
            network, plan, weights, memories, times, program, config, skips_planes=skips
        ),
        network.host, keep_all, model_name, model_sha256,
    )


class _Placed(NamedTuple):
    """A network with its program and all that lies in memories."""

    network: Network
    plan: Schedule
    addresses: Mapping[str, int]
    weights: WeightImage
    parameters: ParameterTable
    program: Program


def _place_first(
    choices: Sequence[Network], config: NpuConfig, *, keep_all: bool, skips: bool
) -> _Placed:
    """The first of several forms of a network that the NPU's memories hold, or else the last.

    Raises ModelError where that does not fit either.
    """
    *more, last = choices
    for network in more:
        try:
            placed = _place(network, config, keep_all=keep_all, skips=skips)
        except ModelError:
            continue
        # Weights that are fetched for every image are worth more than the cycles of a layer.
        if not placed.weights.is_external:
            return placed
    return _place(last, config, keep_all=keep_all, skips=skips)


def _place(network: Network, config: NpuConfig, *, keep_all: bool, skips: bool) -> _Placed:
    """Raises ModelError where the NPU cannot run the network."""
    matrices = {
        index: choose_tiling(layer, config)
        for index, layer in enumerate(network.layers)
        if isinstance(layer, MatrixLayer)
    }
    plan = schedule(network.layers, matrices, config)
    addresses = plan_activations(network, config, keep_all=keep_all)
    weights = place_weights(network.layers, plan.loads, config)
    parameters = place_parameters(network.layers, matrices, config)
    program = emit(
        network, plan, addresses, weights, parameters, config, skip_zero_planes=skips
    )
    return _Placed(network, plan, addresses, weights, parameters, program)


def _layers(
    network: Network, addresses: Mapping[str, int], program: Program
) -> tuple[CompiledLayer, ...]:
    return tuple(
        CompiledLayer(
            layer.name, layer.kind, layer.result, addresses[layer.result.name],
            program.stamps.get(index),
        )
        for index, layer in enumerate(network.layers)
    )


def _memories(
    network: Network, addresses: Mapping[str, int], weights: WeightImage,
    parameters: ParameterTable, program: Program, config: NpuConfig,
) -> dict[str, MemoryUse]:
    images = (network.source, network.result, *(layer.result for layer in network.layers))
    image_bytes = max(addresses[image.name] + image.size for image in images)
    used = {
        "activations": (image_bytes, config.activation_bytes),
        "weights": (min(len(weights.data), config.weight_bytes), config.weight_bytes),
        "channels": (len(parameters.entries), config.channels),
        "descriptors": (len(program.descriptors), config.descriptors),
    }
    return {
        name: MemoryUse(used=taken, available=size) for name, (taken, size) in used.items()
    }
