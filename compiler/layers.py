# SPDX-License-Identifier: Apache-2.0
"""The network as the NPU executes it: layers between images in row-major, channel-last order."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..hdl.npu.isa import Rounding
from .ir import HostOperator, Quantisation

__all__ = [
    "AddLayer", "Area", "AverageLayer", "ChannelParameters", "DepthwiseLayer", "Image", "Layer",
    "MatrixLayer", "Network", "PoolLayer", "Window", "WindowLayer",
]


@dataclass(frozen=True)
class Image:
    """A tensor in the activation memory: `height` rows of `width` pixels of `channels` bytes."""

    name: str
    height: int
    width: int
    channels: int
    quantisation: Quantisation
    #: The tensor's shape in the network, one image.
    shape: tuple[int, ...]
    #: Planes of the network's order that alternate in memory: memory holds the elements, seen as a
    #: matrix of `interleave` rows, column after column. 1: the network's own order.
    interleave: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.height * self.width * self.channels

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, and from a row to the next."""
        return self.width * self.channels


@dataclass(frozen=True)
class Window:
    """How a kernel moves over an image, in pixels; `dilation` is from a tap to the next."""

    height: int
    width: int
    stride_y: int = 1
    stride_x: int = 1
    pad_top: int = 0
    pad_left: int = 0
    dilation_y: int = 1
    dilation_x: int = 1

    @property
    def columns(self) -> int:
        """Pieces of a row of the window whose bytes are consecutive in the image."""
        return self.width if self.dilation_x > 1 else 1


@dataclass(frozen=True)
class Area:
    """A rectangle of a result, or of every so many rows of it."""

    y: int
    x: int
    height: int
    width: int
    rows_apart: int = 1


@dataclass(frozen=True)
class ChannelParameters:
    """What requantises a sum: ``round((sum + bias) * multiplier / 2**(31 + shift))``."""

    bias: int = 0
    multiplier: int = 0
    shift: int = 0


@dataclass(frozen=True)
class _Step:
    """What all layers have."""

    name: str
    kind: str
    source: Image
    result: Image

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"node '{self.name}' ({self.kind})"

    @property
    def sources(self) -> tuple[Image, ...]:
        """All images that it reads."""
        return (self.source,)

    @property
    def macs(self) -> int:
        """Multiplications of one image, those with padding included."""
        return 0


@dataclass(frozen=True)
class MatrixLayer(_Step):
    """Every window of the source times one matrix, then requantised.

    ``matrix[k, c]``: `k` counts a window's bytes row after row, pixel after pixel, channel after
    channel, and with a dilation along rows one column of the kernel after another; `c` counts the
    result's channels. A result is ``round((sum + bias[c]) *
    multiplier[c] / 2**(31 + shift[c])) + zero point``, clamped, where the sum takes the source's
    bytes as 0 to 255 (value + 128) and the bias makes up for that and for the zero point.
    """

    window: Window
    matrix: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]
    clamp: tuple[int, int]
    rounding: Rounding
    #: Groups of channels that have nothing to do with each other: the matrix is zero between them.
    groups: int = 1

    @property
    def macs(self) -> int:
        return self.result.height * self.result.width * self.matrix.size // self.groups

    @property
    def run_bytes(self) -> int:
        """Consecutive bytes of a window in one row of the image."""
        return self.window.width // self.window.columns * self.source.channels

    @property
    def column_bytes(self) -> int:
        """Bytes of a window that one pass can have: all, or those of a column of the kernel."""
        return self.window.height * self.run_bytes


@dataclass(frozen=True)
class DepthwiseLayer(_Step):
    """Every window of a channel times the kernel of that channel, then requantised.

    ``kernels[t, c]``: `t` counts a window's pixels row after row. The rest is as in `MatrixLayer`,
    but that the sum takes the source's bytes as they are, -128 to 127.
    """

    window: Window
    kernels: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]
    clamp: tuple[int, int]
    rounding: Rounding

    @property
    def macs(self) -> int:
        return self.result.height * self.result.width * self.kernels.size


@dataclass(frozen=True)
class PoolLayer(_Step):
    """Maximum over windows of each channel, clamped."""

    window: Window
    clamp: tuple[int, int]


@dataclass(frozen=True)
class AverageLayer(_Step):
    """Sum over windows of each channel, where padding counts as 0, then requantised.

    Each part of the result has its parameters, as it has its number of pixels to divide by.
    """

    window: Window
    parts: tuple[tuple[Area, ChannelParameters], ...]
    zero_point: int
    clamp: tuple[int, int]
    rounding: Rounding


@dataclass(frozen=True)
class AddLayer(_Step):
    """Both images brought to one scale, added, requantised, byte by byte.

    The source's bytes count ``byte * 2**19``. The parameters are those of the other image, which
    scale ``byte * 2**20``, and of the sum.
    """

    other: Image
    parameters: tuple[ChannelParameters, ChannelParameters]
    clamp: tuple[int, int]

    @property
    def sources(self) -> tuple[Image, ...]:
        return self.source, self.other


#: Layers whose windows' channels stay apart.
WindowLayer: TypeAlias = DepthwiseLayer | PoolLayer | AverageLayer
Layer: TypeAlias = MatrixLayer | WindowLayer | AddLayer


@dataclass(frozen=True)
class Network:
    """All layers in the order of execution. What is left for the host takes the result.

    `views` maps the name of an image that is only another view of an image to that image's name.
    """

    source: Image
    result: Image
    layers: tuple[Layer, ...]
    views: dict[str, str]
    host: tuple[HostOperator, ...] = ()

    def storage(self, image: Image) -> str:
        """Name of the image whose bytes `image` shows."""
        name = image.name
        while name in self.views:
            name = self.views[name]
        return name
