# SPDX-License-Identifier: Apache-2.0
"""A network's layers one at a time: on a device, on the golden model, and what judges them says.

The golden model goes through all layers in order, each from what those before it have made. A
device gets the same layers alone, from the same bytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler.ir import Graph
from ..compiler.layers import AddLayer, Image, Layer, Network
from ..compiler.single import LayerProgram
from ..hdl.npu.config import WORD_BYTES
from ..hdl.npu.packets import Memory
from .assemble import memory_parts
from .client import NpuClient
from .operators import deinterleave, dequantise, interleave
from .program import PARTS

__all__ = ["LayerRun", "judged", "kinds", "random_image", "run_alone", "run_all"]

#: Bytes of activations by name, in the memory's order.
Bytes = dict[str, NDArray[np.int8]]


@dataclass(frozen=True)
class LayerRun:
    """What a layer came to: the result's bytes, and cycles from its program's start to its end."""

    result: NDArray[np.int8]
    cycles: int


def run_alone(client: NpuClient, program: LayerProgram, values: Mapping[str, Any]) -> LayerRun:
    """Load a layer's program and its sources' bytes, run it and read the result."""
    parts = memory_parts(program.descriptors, program.weights, program.parameters)
    for name, data in parts.items():
        client.write(PARTS[name], 0, data + bytes(-len(data) % WORD_BYTES))
    for name in program.sources:
        data = values[name].tobytes()
        client.write(
            Memory.ACTIVATIONS, program.addresses[name], data + bytes(-len(data) % WORD_BYTES)
        )
    cycles = client.run()
    result = program.layer.result
    data = client.read(Memory.ACTIVATIONS, program.addresses[result.name], result.size)
    return LayerRun(np.frombuffer(data, np.int8), cycles)


def run_all(
    client: NpuClient, network: Network, programs: Iterable[LayerProgram],
    image: NDArray[np.int8],
) -> tuple[Bytes, list[LayerRun]]:
    """All layers in order; every activation's bytes, and what each layer came to."""
    values = {network.source.name: interleave(image[None], network.source.interleave)[0]}
    runs = []
    for program in programs:
        runs.append(run_alone(client, program, values))
        values[program.layer.result.name] = runs[-1].result
    return values, runs


def kinds(layers: Iterable[Layer]) -> Iterator[int]:
    """Of layers of one operator and one size of windows the one of least work, by its place."""
    least: dict[tuple[Any, ...], tuple[int, int]] = {}
    for place, layer in enumerate(layers):
        window = None if isinstance(layer, AddLayer) else layer.window
        size = window and (window.height, window.width, window.dilation_y, window.dilation_x)
        work = max(layer.macs, layer.result.size)
        key = (layer.kind, size)
        least[key] = min(least.get(key, (work, place)), (work, place))
    yield from sorted(place for _, place in least.values())


def judged(
    path: Path, network: Network, image: NDArray[Any], values: Bytes
) -> dict[str, tuple[int, int]]:
    """For each layer's result how many of its values differ from the reference kernels', of how
    many: onnxruntime's node by node, or LiteRT's of the whole network."""
    made = {
        layer.result.name: _logical(layer.result, values[layer.result.name])
        for layer in network.layers
    }
    if path.suffix.lower() == ".onnx":
        from .oracle import LayerOracle

        made[network.source.name] = _logical(network.source, values[network.source.name])
        found = LayerOracle(path).compare(image[None], made)
        return {name: found[name] for name in made if name in found}
    from .litert import tensors_of

    expected = tensors_of(path, image)
    return {
        name: (int(np.count_nonzero(expected[name].reshape(-1) != ours.reshape(-1))), ours.size)
        for name, ours in made.items()
    }


def random_image(graph: Graph, seed: int) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """Any bytes for the network's input, as the NPU takes them and as the user gives them."""
    image = np.random.default_rng(seed).integers(-128, 128, graph.source.shape).astype(np.int8)
    if not graph.float_input:
        return image, image
    quantisation = graph.source.quantisation
    return image, dequantise(image, quantisation.scale, quantisation.zero_point)


def _logical(image: Image, data: NDArray[np.int8]) -> NDArray[np.int8]:
    """A batch of one image in the network's order."""
    return deinterleave(data.reshape(1, -1), image.interleave, image.shape)
