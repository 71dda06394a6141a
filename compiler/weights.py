# SPDX-License-Identifier: Apache-2.0
"""The weight memory: every set of weights as the words that its bank is written with.

Row groups for the macros, taps for the kernels of depthwise layers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..hdl.npu.config import NpuConfig
from .errors import ModelError
from .layers import DepthwiseLayer, Layer, MatrixLayer
from .schedule import Load, TapSet, WeightSet
from .tiling import Channels, Pass, macro_parts, row_groups

__all__ = ["WeightImage", "place_weights", "set_bytes"]


@dataclass(frozen=True)
class WeightImage:
    """Bytes of the weight memory, and where each set lies.

    Where they do not fit, `is_external`: they are bytes of external memory, from address 0 on.
    """

    data: bytes
    is_external: bool
    places: Mapping[WeightSet | TapSet, tuple[int, int]]

    def place(self, weights: WeightSet | TapSet) -> tuple[int, int]:
        """How many row groups or taps a set has, and its address.

        The row groups are those of each macro of a window.
        """
        return self.places[weights]


def set_bytes(weights: WeightSet | TapSet, count: int, config: NpuConfig) -> int:
    """Bytes of a set of `count` taps, or row groups a macro."""
    if isinstance(weights, TapSet):
        return count * config.tap_bytes
    return count * config.group_bytes * len(macro_parts(weights.channels, config))


def place_weights(
    layers: Sequence[Layer], loads: Sequence[Load], config: NpuConfig
) -> WeightImage:
    """All sets, in the order of their first load.

    Raises ModelError if they do not fit and the NPU has no port to external memory.
    """
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
    is_external = address > config.weight_bytes
    if is_external and not config.external_port:
        raise ModelError(
            f"the network's weights need {address} bytes, the weight memory has "
            f"{config.weight_bytes}; raise weight_bytes of the NPU, give it an external_port, or "
            "use a smaller network"
        )
    return WeightImage(b"".join(parts), is_external, places)


def _macros(layer: MatrixLayer, weights: WeightSet, config: NpuConfig) -> bytes:
    """A row group of each macro of a window that has channels in turn, then the next of each."""
    parts = macro_parts(weights.channels, config)
    tables = [_row_groups(layer, weights.rows, part, config) for part in parts]
    return np.stack(tables, axis=1).tobytes()


def _row_groups(
    layer: MatrixLayer, rows: Pass, channels: Channels, config: NpuConfig
) -> NDArray[np.int8]:
    """Row groups of one macro, shape (groups, bytes): rows in whole words, filled up with zeros."""
    row_bytes = config.row_words * config.weight_port
    height = row_groups(rows, config) * config.macro.rows_per_group
    table = np.zeros((height, row_bytes), np.int8)
    table[: rows.depth, : channels.count] = layer.matrix[
        rows.first : rows.first + rows.depth, channels.first : channels.first + channels.count
    ]
    return table.reshape(-1, config.group_bytes)


def _kernels(layer: DepthwiseLayer, weights: TapSet, config: NpuConfig) -> bytes:
    """Taps of a group of channels, each in whole words, filled up with zeros."""
    channels = weights.channels
    table = np.zeros((layer.kernels.shape[0], config.tap_bytes), np.int8)
    part = slice(channels.first, channels.first + channels.count)
    table[:, : channels.count] = layer.kernels[:, part]
    return table.tobytes()
