# SPDX-License-Identifier: Apache-2.0
"""How a matrix layer is cut: output channels to columns, window bytes to rows, results to areas.

A tile of channels fills the columns of the macros that have a window: of all, or with a split of a
half, a quarter and so on, while the others have the next windows. Windows of more bytes than a
macro has rows take several passes, whose sums meet in the partial-sum memory; the results are then
made area by area, each small enough for it. So do windows whose columns are dilated, a pass or more
for each column of the kernel.

Dilated rows take no passes. Every `dilation` rows of an image are an image of their own, in which
the kernel is dense; an area has the rows of the result that look at the same of these images.
"""

import math
from dataclasses import dataclass, replace

from ..hdl.npu.config import NpuConfig
from .layers import Area, DepthwiseLayer, MatrixLayer, WindowLayer

__all__ = [
    "Channels", "Pass", "Tiling", "kernel_groups", "macro_parts", "row_groups", "row_phases",
    "tile",
]


@dataclass(frozen=True)
class Channels:
    """Output channels that are computed at once."""

    first: int
    count: int


@dataclass(frozen=True)
class Pass:
    """Bytes of a window, which are rows of the layer's matrix, that are summed at once."""

    first: int
    depth: int


@dataclass(frozen=True)
class Tiling:
    """The cuts of one layer; every combination of the three is computed."""

    channels: tuple[Channels, ...]
    passes: tuple[Pass, ...]
    areas: tuple[Area, ...]
    #: Binary logarithm of the windows that are computed at once.
    split: int = 0


def tile(layer: MatrixLayer, config: NpuConfig, split: int = 0) -> Tiling:
    """Cut a layer for an NPU that computes ``2**split`` of its windows at once."""
    depth, outputs = layer.matrix.shape
    rows, columns = config.macro.rows, config.columns >> split
    column = layer.column_bytes
    passes = tuple(
        Pass(first + k, min(rows, column - k))
        for first in range(0, depth, column)
        for k in range(0, column, rows)
    )
    if len(passes) == 1:
        return Tiling(_channels(outputs, columns), passes, row_phases(layer), split)
    # So that the partial sums hold one result at least.
    columns = min(columns, config.partial_sum_words * config.requantisers)
    channels = _channels(outputs, columns)
    beats = -(-channels[0].count // config.requantisers)
    return Tiling(channels, passes, _areas(layer, config.partial_sum_words // beats), split)


def macro_parts(channels: Channels, config: NpuConfig) -> tuple[Channels, ...]:
    """A tile's channels in the macros of a window, one after another; those behind have none."""
    parts = _channels(channels.count, config.macro.columns)
    return tuple(Channels(channels.first + part.first, part.count) for part in parts)


def row_groups(rows: Pass, config: NpuConfig) -> int:
    """Row groups of a macro that a pass takes."""
    return -(-rows.depth // config.macro.rows_per_group)


def kernel_groups(layer: DepthwiseLayer, config: NpuConfig) -> tuple[Channels, ...]:
    """The channels whose kernels are loaded at once: one for each of the NPU's lanes."""
    return _channels(layer.source.channels, config.lanes)


def row_phases(layer: MatrixLayer | WindowLayer) -> tuple[Area, ...]:
    """All rows of the result; apart where windows look at different ones of dilated rows."""
    window, result = layer.window, layer.result
    apart = window.dilation_y // math.gcd(window.dilation_y, window.stride_y)
    return tuple(
        Area(y, 0, -(-(result.height - y) // apart), result.width, apart)
        for y in range(min(apart, result.height))
    )


def _channels(outputs: int, columns: int) -> tuple[Channels, ...]:
    return tuple(Channels(c, min(columns, outputs - c)) for c in range(0, outputs, columns))


def _areas(layer: MatrixLayer, pixels: int) -> tuple[Area, ...]:
    """Rectangles of at most `pixels` results: whole rows where one fits, pieces of rows if not."""
    width = layer.result.width
    tall, wide = max(1, pixels // width), min(width, pixels)
    return tuple(
        replace(
            phase, y=phase.y + row * phase.rows_apart, x=x, height=min(tall, phase.height - row),
            width=min(wide, width - x),
        )
        for phase in row_phases(layer)
        for row in range(0, phase.height, tall)
        for x in range(0, width, wide)
    )
