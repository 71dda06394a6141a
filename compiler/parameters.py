# SPDX-License-Identifier: Apache-2.0
"""The parameter memory: bias, multiplier and shift of every channel of every layer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..hdl.npu.config import NpuConfig
from .errors import ModelError
from .layers import AddLayer, AverageLayer, ChannelParameters, DepthwiseLayer, Layer, MatrixLayer
from .tiling import Channels, Tiling, kernel_groups

__all__ = ["ParameterTable", "place_parameters"]

#: Parameters that all channels take alike, one after another in an operation.
_Uniform = tuple[ChannelParameters, ...]


@dataclass(frozen=True)
class ParameterTable:
    """All channels' parameters; each tile and each group begins at a multiple of the NPU's lanes.
    """

    entries: tuple[ChannelParameters, ...]
    tiles: Mapping[tuple[int, Channels], int]
    groups: Mapping[_Uniform, int]

    def first(self, layer: int, channels: Channels) -> int:
        """Where a tile's parameters begin."""
        return self.tiles[layer, channels]

    def uniform(self, *parameters: ChannelParameters) -> int:
        """Where groups of `lanes` equal entries begin, one for each of these parameters."""
        return self.groups[parameters]


def place_parameters(
    layers: Sequence[Layer], tilings: Mapping[int, Tiling], config: NpuConfig
) -> ParameterTable:
    """The parameters of all layers one after another. Raises ModelError if they do not fit."""
    entries: list[ChannelParameters] = []
    tiles: dict[tuple[int, Channels], int] = {}
    groups: dict[_Uniform, int] = {}

    def place(parameters: Iterable[ChannelParameters]) -> int:
        entries.extend([ChannelParameters()] * (-len(entries) % config.lanes))
        start = len(entries)
        entries.extend(parameters)
        return start

    for index, layer in enumerate(layers):
        match layer:
            case MatrixLayer():
                for channels in tilings[index].channels:
                    tiles[index, channels] = place(_channels(layer, channels))
            case DepthwiseLayer():
                for channels in kernel_groups(layer, config):
                    tiles[index, channels] = place(_channels(layer, channels))
            case AverageLayer() | AddLayer():
                for group in _uniform(layer):
                    if group not in groups:
                        groups[group] = place(p for p in group for _ in range(config.lanes))
    if len(entries) > config.channels:
        raise ModelError(
            f"the network needs the parameters of {len(entries)} channels, the parameter memory "
            f"has {config.channels}; raise channels of the NPU"
        )
    return ParameterTable(tuple(entries), tiles, groups)


def _channels(
    layer: MatrixLayer | DepthwiseLayer, channels: Channels
) -> Iterator[ChannelParameters]:
    for c in range(channels.first, channels.first + channels.count):
        yield ChannelParameters(
            int(layer.bias[c]), int(layer.multiplier[c]), int(layer.shift[c])
        )


def _uniform(layer: AverageLayer | AddLayer) -> list[_Uniform]:
    if isinstance(layer, AddLayer):
        return [layer.parameters]
    return [(parameters,) for _, parameters in layer.parts]
