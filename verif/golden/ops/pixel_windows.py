# SPDX-License-Identifier: Apache-2.0
"""What operations on windows of pixels have in common: taps, results, and where both lie."""

from functools import cached_property

import numpy as np

from ....hdl.npu.config import NpuConfig
from ....hdl.npu.isa import Descriptor
from ..operation import Footprint, Operation
from .window import output_addresses, vector_numbers, window_addresses

__all__ = ["PixelWindows"]


class PixelWindows(Operation):
    """An operation whose taps are pixels and whose channels stay apart.

    A pixel is outside the image by its first byte's place. A window of one pixel may work in
    place; a bigger one may not read what it writes.
    """

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
        #: Index of each tap's byte in the activation memory, shape (windows, taps, channels).
        self.index = np.where(self._inside, self._taps, config.activation_bytes)
        #: Address of each result, shape (windows, channels).
        self.addresses = output_addresses(descriptor)
        self.require_in_memory(self.addresses)
        self._check_overlap()

    @cached_property
    def reads(self) -> Footprint:
        numbers = vector_numbers(self._taps)
        return Footprint.of_reads(self._taps[self._inside], numbers[self._inside])

    @cached_property
    def writes(self) -> Footprint:
        numbers = vector_numbers(self.addresses)
        return Footprint.of_writes(self.addresses.ravel(), numbers.ravel())

    def _check_overlap(self) -> None:
        """Refuse to read what is written, but for a pixel that becomes itself."""
        common, read, written = np.intersect1d(
            self.reads.addresses, self.writes.addresses, assume_unique=True, return_indices=True
        )
        if not common.size:
            return
        same_pixel = np.array_equal(self.reads.vectors[read], self.writes.vectors[written])
        in_place = self._taps.shape[1] == 1 and np.array_equal(self._taps[:, 0], self.addresses)
        if not (same_pixel and in_place):
            raise self.error(
                f"reads and writes address {common[0]:#x}; only a window of one pixel with "
                "equal strides can work in place"
            )
