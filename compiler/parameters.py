# SPDX-License-Identifier: Apache-2.0
"""The parameter memory: bias, multiplier and shift of every channel of every layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..hdl.npu.config import NpuConfig
from .errors import ModelError
from .layers import Layer, MatrixLayer
from .tiling import Channels, Tiling

__all__ = ["ChannelParameters", "ParameterTable", "place_parameters"]


@dataclass(frozen=True)
class ChannelParameters:
    """What requantises a channel; see `layers.MatrixLayer`."""

    bias: int = 0
    multiplier: int = 0
    shift: int = 0


@dataclass(frozen=True)
class ParameterTable:
    """All channels' parameters; each tile begins at a multiple of the NPU's lanes."""

    entries: tuple[ChannelParameters, ...]
    starts: Mapping[tuple[int, Channels], int]

    def first(self, layer: int, channels: Channels) -> int:
        """Where a tile's parameters begin."""
        return self.starts[layer, channels]


def place_parameters(
    layers: Sequence[Layer], tilings: Mapping[int, Tiling], config: NpuConfig
) -> ParameterTable:
    """The parameters of all tiles one after another. Raises ModelError if they do not fit."""
    entries: list[ChannelParameters] = []
    starts: dict[tuple[int, Channels], int] = {}
    for index, tiling in tilings.items():
        layer = layers[index]
        assert isinstance(layer, MatrixLayer)
        for channels in tiling.channels:
            entries += [ChannelParameters()] * (-len(entries) % config.lanes)
            starts[index, channels] = len(entries)
            part = range(channels.first, channels.first + channels.count)
            entries += [
                ChannelParameters(
                    int(layer.bias[c]), int(layer.multiplier[c]), int(layer.shift[c])
                )
                for c in part
            ]
    if len(entries) > config.channels:
        raise ModelError(
            f"the network needs the parameters of {len(entries)} channels, the parameter memory "
            f"has {config.channels}; raise channels of the NPU"
        )
    return ParameterTable(tuple(entries), starts)
