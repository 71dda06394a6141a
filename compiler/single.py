# SPDX-License-Identifier: Apache-2.0
"""A network's layers as programs of their own, each between images that the host writes and reads.

What a layer needs of its network is its own: weights, parameters, the order of bytes in its images.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..hdl.npu.config import WORD_BYTES, NpuConfig
from ..hdl.npu.isa import Descriptor
from .emit import emit
from .errors import ModelError
from .layers import ChannelParameters, Layer, MatrixLayer, Network
from .parameters import place_parameters
from .schedule import schedule
from .splits import choose_tiling
from .weights import place_weights

__all__ = ["LayerProgram", "layer_program", "layer_programs"]


@dataclass(frozen=True)
class LayerProgram:
    """One layer: contents of the memories, and where each of its images lies.

    `sources` are the names of the bytes that it reads, of which others may be views.
    """

    layer: Layer
    sources: tuple[str, ...]
    addresses: dict[str, int]
    descriptors: tuple[Descriptor, ...]
    weights: bytes
    parameters: tuple[ChannelParameters, ...]


def layer_programs(network: Network, config: NpuConfig) -> Iterator[LayerProgram]:
    """All layers in order. Raises ModelError where one does not fit the NPU by itself."""
    for layer in network.layers:
        yield layer_program(layer, network, config)


def layer_program(layer: Layer, network: Network, config: NpuConfig) -> LayerProgram:
    """One layer of a network. Raises ModelError where it does not fit the NPU by itself."""
    sources = tuple(dict.fromkeys(network.storage(image) for image in layer.sources))
    addresses = _places(layer, network, config)
    single = Network(layer.source, layer.result, (layer,), network.views)
    tilings = {0: choose_tiling(layer, config)} if isinstance(layer, MatrixLayer) else {}
    plan = schedule([layer], tilings, config)
    weights = place_weights([layer], plan.loads, config)
    if weights.is_external:
        raise ModelError(
            f"{layer.label}: its weights need {len(weights.data)} bytes, the weight memory has "
            f"{config.weight_bytes}, and a layer by itself fetches none from external memory; "
            "raise weight_bytes of the NPU"
        )
    parameters = place_parameters([layer], tilings, config)
    program = emit(single, plan, addresses, weights, parameters, config)
    return LayerProgram(
        layer, sources, addresses, program.descriptors, weights.data, parameters.entries
    )


def _places(layer: Layer, network: Network, config: NpuConfig) -> dict[str, int]:
    """Sources and result one after another, in whole words; views where their bytes are."""
    addresses: dict[str, int] = {}
    end = 0
    for image in (*layer.sources, layer.result):
        stored = network.storage(image)
        if stored not in addresses:
            addresses[stored] = end
            end += -(-image.size // WORD_BYTES) * WORD_BYTES
        addresses[image.name] = addresses[stored]
    if end > config.activation_bytes:
        raise ModelError(
            f"{layer.label}: its images need {end} bytes, the activation memory has "
            f"{config.activation_bytes}; raise activation_bytes of the NPU"
        )
    return addresses
