# SPDX-License-Identifier: Apache-2.0
"""The weight memory: every set of weights as the words that its bank is written with.

Row groups for the macros, taps for the kernels of depthwise layers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..hdl.npu.config import NpuConfig
from .errors import ModelError
from .layers import DepthwiseLayer, Layer, MatrixLayer
from .schedule import Load, TapSet, WeightSet
from .tiling import Channels, Pass, macro_parts, row_groups

__all__ = ["WeightImage", "place_weights"]


@dataclass(frozen=True)
class WeightImage:
    """Bytes of the weight memory, and where each set lies."""

    data: bytes
    places: Mapping[WeightSet | TapSet, tuple[int, int]]

    def place(self, weights: WeightSet | TapSet) -> tuple[int, int]:
        """How many row groups or taps a set has, and its address.

        The row groups are those of each macro of a window; one macro's follow the other's.
        """
        return self.places[weights]


def place_weights(
    layers: Sequence[Layer], loads: Sequence[Load], config: NpuConfig
) -> WeightImage:
    """All sets, in the order of their first load. Raises ModelError if they do not fit."""
    parts: list[bytes] = []
    places: dict[WeightSet | TapSet, tuple[int, int]] = {}
    address = 0
    for load in loads:
        if load.weights in places:
            continue
        layer = layers[load.weights.layer]
        if isinstance(load.weights, TapSet):
            assert isinstance(layer, DepthwiseLayer)
            data, count = _kernels(layer, load.weights, config), layer.kernels.shape[0]
        else:
            assert isinstance(layer, MatrixLayer)
            data = _macros(layer, load.weights, config)
            count = row_groups(load.weights.rows, config)
        places[load.weights] = (count, address)
        address += len(data)
        parts.append(data)
    if address > config.weight_bytes:
        raise ModelError(
            f"the network's weights need {address} bytes, the weight memory has "
            f"{config.weight_bytes}; raise weight_bytes of the NPU, or use a smaller network"
        )
    return WeightImage(b"".join(parts), places)


def _macros(layer: MatrixLayer, weights: WeightSet, config: NpuConfig) -> bytes:
    """Row groups of each macro of a window that has channels; further windows take the same."""
    parts = macro_parts(weights.channels, config)
    return b"".join(_row_groups(layer, weights.rows, part, config) for part in parts)


def _row_groups(layer: MatrixLayer, rows: Pass, channels: Channels, config: NpuConfig) -> bytes:
    """Row groups of one macro, each row in whole words, filled up with zeros."""
    row_bytes = config.row_words * config.weight_port
    height = row_groups(rows, config) * config.macro.rows_per_group
    table = np.zeros((height, row_bytes), np.int8)
    table[: rows.depth, : channels.count] = layer.matrix[
        rows.first : rows.first + rows.depth, channels.first : channels.first + channels.count
    ]
    return table.tobytes()


def _kernels(layer: DepthwiseLayer, weights: TapSet, config: NpuConfig) -> bytes:
    """Taps of a group of channels, each in whole words, filled up with zeros."""
    channels = weights.channels
    table = np.zeros((layer.kernels.shape[0], config.tap_bytes), np.int8)
    part = slice(channels.first, channels.first + channels.count)
    table[:, : channels.count] = layer.kernels[:, part]
    return table.tobytes()
