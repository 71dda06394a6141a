# SPDX-License-Identifier: Apache-2.0
"""MAX_POOL: the highest byte of each window, channel by channel."""

from functools import cached_property

import numpy as np

from ....hdl.npu.config import NpuConfig
from ....hdl.npu.isa import Descriptor, Opcode
from ..operation import Footprint, Operation, State
from .window import output_addresses, vector_numbers, window_addresses

__all__ = ["MaxPool"]


class MaxPool(Operation):
    """``out[v, c] = clip(max over taps of x[tap, c])``; taps outside the image do not count.

    A pixel is outside by its first byte's place; where all are, the maximum is -128. A window of
    one pixel makes it a copy, which may be in place; a bigger one may not read what it writes.
    """

    opcode = Opcode.MAX_POOL

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self.require_at_least_one(
            "out_width", "out_height", "kernel_width", "kernel_height", "channels"
        )
        self.require("clamp_low", -128, descriptor["clamp_high"], "up to clamp_high")
        shape = descriptor["kernel_height"], descriptor["kernel_width"]
        self.require_tractable(self.vectors * shape[0] * shape[1] * descriptor["channels"])
        rows, pixels = (axis.ravel() for axis in np.indices(shape))
        offsets = pixels * descriptor["pixel_bytes"]
        self.require_in_reach(rows, offsets)
        taps, inside = window_addresses(descriptor, rows, offsets)
        channels = np.arange(descriptor["channels"])
        self._taps = taps[:, :, np.newaxis] + channels & 0xFFFFFFFF
        self._inside = np.broadcast_to(inside[:, :, np.newaxis], self._taps.shape)
        self.require_in_memory(self._taps[self._inside])
        self._index = np.where(self._inside, self._taps, config.activation_bytes)
        self._addresses = output_addresses(descriptor)
        self.require_in_memory(self._addresses)
        self._check_overlap()

    @cached_property
    def reads(self) -> Footprint:
        numbers = vector_numbers(self._taps)
        return Footprint.of_reads(self._taps[self._inside], numbers[self._inside])

    @cached_property
    def writes(self) -> Footprint:
        numbers = vector_numbers(self._addresses)
        return Footprint.of_writes(self._addresses.ravel(), numbers.ravel())

    def execute(self, state: State) -> None:
        memories = state.memories
        self.require_known(memories, self._index)
        memories.activations[memories.outside] = 0x80
        highest = memories.activations.view(np.int8)[self._index].max(axis=1)
        results = np.clip(highest, self.descriptor["clamp_low"], self.descriptor["clamp_high"])
        memories.activations[self._addresses] = results.astype(np.int8).view(np.uint8)
        memories.unknown[self._addresses] = False

    def _check_overlap(self) -> None:
        """Refuse to read what is written, but for a pixel that becomes itself."""
        common, read, written = np.intersect1d(
            self.reads.addresses, self.writes.addresses, assume_unique=True, return_indices=True
        )
        if not common.size:
            return
        same_pixel = np.array_equal(self.reads.vectors[read], self.writes.vectors[written])
        in_place = self._taps.shape[1] == 1 and np.array_equal(self._taps[:, 0], self._addresses)
        if not (same_pixel and in_place):
            raise self.error(
                f"reads and writes address {common[0]:#x}; only a window of one pixel with "
                "equal strides can work in place"
            )
