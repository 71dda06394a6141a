# SPDX-License-Identifier: Apache-2.0
"""The weight memory: every set of weights as the row groups that the macro is written with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..hdl.npu.config import NpuConfig
from .errors import ModelError
from .layers import Layer, MatrixLayer
from .schedule import Load, WeightSet

__all__ = ["WeightImage", "place_weights"]


@dataclass(frozen=True)
class WeightImage:
    """Bytes of the weight memory, and where each set lies."""

    data: bytes
    places: Mapping[WeightSet, tuple[int, int]]

    def place(self, weights: WeightSet) -> tuple[int, int]:
        """Row groups and address of a set."""
        return self.places[weights]


def place_weights(
    layers: Sequence[Layer], loads: Sequence[Load], config: NpuConfig
) -> WeightImage:
    """All sets, in the order of their first load. Raises ModelError if they do not fit."""
    parts: list[bytes] = []
    places: dict[WeightSet, tuple[int, int]] = {}
    address = 0
    for load in loads:
        if load.weights in places:
            continue
        layer = layers[load.weights.layer]
        assert isinstance(layer, MatrixLayer)
        data = _row_groups(layer, load.weights, config)
        places[load.weights] = (len(data) // config.group_bytes, address)
        address += len(data)
        parts.append(data)
    if address > config.weight_bytes:
        raise ModelError(
            f"the network's weights need {address} bytes, the weight memory has "
            f"{config.weight_bytes}; raise weight_bytes of the NPU, or use a smaller network"
        )
    return WeightImage(b"".join(parts), places)


def _row_groups(layer: MatrixLayer, weights: WeightSet, config: NpuConfig) -> bytes:
    """Row groups that hold the set's rows, each in whole words, filled up with zeros."""
    macro, rows, channels = config.macro, weights.rows, weights.channels
    groups = -(-rows.depth // macro.rows_per_group)
    row_bytes = config.row_words * config.weight_port
    table = np.zeros((groups * macro.rows_per_group, row_bytes), np.int8)
    table[: rows.depth, : channels.count] = layer.matrix[
        rows.first : rows.first + rows.depth, channels.first : channels.first + channels.count
    ]
    return table.tobytes()
