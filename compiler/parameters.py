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
    """All channels' parameters; each tile and each group begins at a multiple of `requantisers`.
    """

    entries: tuple[ChannelParameters, ...]
    tiles: Mapping[tuple[int, Channels], int]
    groups: Mapping[_Uniform, int]

    def first(self, layer: int, channels: Channels) -> int:
        """Where a tile's parameters begin."""
        return self.tiles[layer, channels]

    def uniform(self, *parameters: ChannelParameters) -> int:
        """Where groups of `requantisers` equal entries begin, one for each of these parameters."""
        return self.groups[parameters]


def place_parameters(
    layers: Sequence[Layer], tilings: Mapping[int, Tiling], config: NpuConfig
) -> ParameterTable:
    """The parameters of all layers one after another. Raises ModelError if they do not fit."""
    placer = _Placer(tilings, config)
    for index, layer in enumerate(layers):
        placer.add(index, layer)
    if len(placer.entries) > config.channels:
        raise ModelError(
            f"the network needs the parameters of {len(placer.entries)} channels, the parameter "
            f"memory has {config.channels}; raise channels of the NPU"
        )
    return ParameterTable(tuple(placer.entries), placer.tiles, placer.groups)


class _Placer:
    def __init__(self, tilings: Mapping[int, Tiling], config: NpuConfig) -> None:
        self.tilings, self.config = tilings, config
        self.entries: list[ChannelParameters] = []
        self.tiles: dict[tuple[int, Channels], int] = {}
        self.groups: dict[_Uniform, int] = {}

    def add(self, index: int, layer: Layer) -> None:
        match layer:
            case MatrixLayer():
                for channels in self.tilings[index].channels:
                    self.tiles[index, channels] = self._place(_channels(layer, channels))
            case DepthwiseLayer():
                for channels in kernel_groups(layer, self.config):
                    self.tiles[index, channels] = self._place(_channels(layer, channels))
            case AverageLayer():
                for _, parameters in layer.parts:
                    self._uniform((parameters,))
            case AddLayer():
                self._uniform(layer.parameters)

    def _place(self, parameters: Iterable[ChannelParameters]) -> int:
        """From the next multiple of `requantisers` on."""
        self.entries += [ChannelParameters()] * (-len(self.entries) % self.config.requantisers)
        start = len(self.entries)
        self.entries += parameters
        return start

    def _uniform(self, group: _Uniform) -> None:
        """Once, whoever needs it."""
        if group not in self.groups:
            width = self.config.requantisers
            self.groups[group] = self._place(p for p in group for _ in range(width))


def _channels(
    layer: MatrixLayer | DepthwiseLayer, channels: Channels
) -> Iterator[ChannelParameters]:
    for c in range(channels.first, channels.first + channels.count):
        yield ChannelParameters(
            int(layer.bias[c]), int(layer.multiplier[c]), int(layer.shift[c])
        )
