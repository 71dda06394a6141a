# SPDX-License-Identifier: Apache-2.0
"""Random layers of the vector engine alone: pools, depthwise convolutions, sums of images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hdl.npu.config import TAP_BANKS, NpuConfig
from ...hdl.npu.isa import Opcode
from .roundings import allowed_roundings
from .walks import Arena, Fields, Walks

__all__ = ["VectorLayer", "VectorLayers", "addition_parameters"]


@dataclass(frozen=True)
class VectorLayer:
    """A descriptor, and the one that loads its kernels first, if it has any."""

    opcode: Opcode
    fields: Fields
    load: Fields | None = None


class VectorLayers:
    """Draws them. Whether what is drawn is legal, others check.

    Parameters
    ----------
    config : NpuConfig
    random : numpy.random.Generator
    weights : Arena
        The bytes that may be used of the weight memory.
    channels : range
        The channels whose parameters may be used; the last are those of `addition_parameters`.
    any_multiplier : bool
        As in `allowed_roundings`.
    """

    def __init__(
        self, config: NpuConfig, random: np.random.Generator, *, weights: Arena, channels: range,
        any_multiplier: bool,
    ) -> None:
        self.config = config
        self._random = random
        self._weights = weights
        self._channels = channels
        self._roundings = allowed_roundings(any_multiplier)
        self._kinds: dict[Opcode, Callable[[Walks], VectorLayer]] = {
            Opcode.MAX_POOL: self._max_pool, Opcode.DEPTHWISE: self._depthwise,
            Opcode.AVERAGE_POOL: self._average_pool, Opcode.ADD: self._add,
        }

    def kind(self) -> Opcode:
        """Which kind of layer to draw."""
        kinds = (*self._kinds, Opcode.DEPTHWISE)
        return kinds[self._below(len(kinds))]

    def draw(self, kind: Opcode, walks: Walks) -> VectorLayer:
        """A layer of that kind over the bytes of `walks`."""
        return self._kinds[kind](walks)

    def _max_pool(self, walks: Walks) -> VectorLayer:
        return VectorLayer(Opcode.MAX_POOL, walks.pool() | self._clamp())

    def _average_pool(self, walks: Walks) -> VectorLayer:
        fields = walks.pool() | self._scaling(walks, self.config.requantisers)
        return VectorLayer(Opcode.AVERAGE_POOL, fields)

    def _depthwise(self, walks: Walks) -> VectorLayer:
        fields, lanes = walks.pool(), self.config.lanes
        if fields["channels"] > lanes:
            fields["channels"] = 1 + self._below(lanes)
        bank = self._below(TAP_BANKS)
        fields |= self._scaling(walks, fields["channels"])
        fields |= {"bank": bank, "padding": walks.zero_point()}
        taps = fields["kernel_height"] * fields["kernel_width"]
        if self._chance(0.2):
            taps = 1 + self._below(self.config.taps)
        room = len(self._weights) // self.config.tap_bytes
        if taps > room or self._chance(0.1):
            return VectorLayer(Opcode.DEPTHWISE, fields)
        size = taps * self.config.tap_bytes
        address = self._weights.place(size, self.config.weight_port, self._random)
        load = {"address": address, "taps": taps, "bank": bank}
        return VectorLayer(Opcode.DEPTHWISE, fields, load)

    def _add(self, walks: Walks) -> VectorLayer:
        width = self.config.requantisers
        count = 1 + self._below(3 * width if self._chance(0.3) else 40)
        start, other = walks.bytes(count), walks.bytes(count)
        places = (start, other, walks.bytes(count), walks.bytes(count))
        first = self._channels.stop - 2 * width
        if self._chance(0.3):
            first = self._first_channel(2 * width)
        fields = {
            "start": start, "other_start": start if self._chance(0.1) else other, "bytes": count,
            "out_start": places[self._below(len(places))], "zero_point": walks.zero_point(),
            "channel": first,
        }
        return VectorLayer(Opcode.ADD, fields | self._clamp())

    def _scaling(self, walks: Walks, channels: int) -> Fields:
        """How the results of so many channels are scaled and clipped."""
        return self._clamp() | {
            "channel": self._first_channel(channels),
            "rounding": self._roundings[self._below(len(self._roundings))],
            "zero_point": walks.zero_point(),
        }

    def _first_channel(self, channels: int) -> int:
        """The first of so many channels, a multiple of the requantisers."""
        width = self.config.requantisers
        most = max(0, len(self._channels) - channels) // width
        return self._channels.start + width * self._below(most + 1)

    def _clamp(self) -> Fields:
        low, high = sorted(int(v) for v in self._random.integers(-128, 128, 2))
        wide = self._chance(0.6)
        return {"clamp_low": -128 if wide else low, "clamp_high": 127 if wide else high}

    def _below(self, limit: int) -> int:
        return int(self._random.integers(limit))

    def _chance(self, probability: float) -> bool:
        return bool(self._random.random() < probability)


def addition_parameters(
    random: np.random.Generator, requantisers: int, *, any_multiplier: bool
) -> NDArray[np.uint32]:
    """Parameters with which additions stay within int8, shape (2 * requantisers, 4).

    Bytes of the second image, moved up by 20 bits, are divided by a little, sums by about as much
    as they were moved. Some of them have halves to round.
    """
    count = 2 * requantisers
    is_sum = np.arange(count) >= requantisers
    shift = random.integers(np.where(is_sum, 17, 0), np.where(is_sum, 22, 6))
    multiplier = random.integers(1 << 30, 1 << 31, count)
    multiplier = np.where(random.random(count) < 0.3, 1 << 30, multiplier)
    if not any_multiplier:
        multiplier &= ~127
    bias = np.where(is_sum, 0, random.integers(-128, 128, count) << 20)
    columns = (bias & 0xFFFFFFFF, multiplier, shift, np.zeros(count, np.int64))
    return np.stack(columns, axis=1).astype(np.uint32)
