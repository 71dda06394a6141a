# SPDX-License-Identifier: Apache-2.0
"""How a window moves over an image, and where results go: addresses, without data."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....hdl.npu.isa import Descriptor

__all__ = ["output_addresses", "vector_numbers", "window_addresses"]

Integers = NDArray[np.int64]

#: Addresses are computed modulo 2**32, so that the first ones may be negative.
_ADDRESS_MASK = 0xFFFFFFFF


def window_addresses(
    descriptor: Descriptor, rows: ArrayLike, offsets: ArrayLike
) -> tuple[Integers, NDArray[np.bool_]]:
    """Address of each tap of each window, and whether it lies in the image.

    A tap is `rows` image rows below and `offsets` bytes after its window's first byte. Both results
    have the shape (windows, taps), windows in the order in which they are visited.
    """
    d, row, offset = descriptor, np.asarray(rows, np.int64), np.asarray(offsets, np.int64)
    oy, ox = (axis.reshape(-1, 1) for axis in np.indices((d["out_height"], d["out_width"])))
    y = d["origin_y"] + oy * d["step_y"] + row
    x = d["origin_x"] + ox * d["step_x"] + offset
    address = d["start"] + oy * d["row_step"] + ox * d["step_x"] + row * d["row_stride"] + offset
    inside = (y >= 0) & (y < d["height"]) & (x >= 0) & (x < d["row_bytes"])
    return address & _ADDRESS_MASK, inside


def output_addresses(descriptor: Descriptor) -> Integers:
    """Address of each byte of each result, shape (pixels, channels)."""
    d = descriptor
    oy, ox = (axis.reshape(-1, 1) for axis in np.indices((d["out_height"], d["out_width"])))
    pixel = d["out_start"] + oy * d["out_row_stride"] + ox * d["out_pixel_stride"]
    return (pixel + np.arange(d["channels"])) & _ADDRESS_MASK


def vector_numbers(addresses: Integers) -> Integers:
    """For each element of an array of addresses the vector (first index) it belongs to."""
    shape = (-1, *(1,) * (addresses.ndim - 1))
    return np.broadcast_to(np.arange(len(addresses)).reshape(shape), addresses.shape)
