# SPDX-License-Identifier: Apache-2.0
"""How a matrix layer is cut: output channels to columns, window bytes to rows, results to areas.

A tile of channels fills the columns of the macros that have a window: of all, or with a split of a
half, a quarter and so on, while the others have the next windows. Windows of more bytes than a
macro has rows take several passes, whose sums meet in the partial-sum memory; the results are then
made area by area, each small enough for it.
"""

from dataclasses import dataclass

from ..hdl.npu.config import NpuConfig
from .layers import Area, DepthwiseLayer, MatrixLayer

__all__ = ["Channels", "Pass", "Tiling", "kernel_groups", "macro_parts", "row_groups", "tile"]


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
    passes = tuple(Pass(k, min(rows, depth - k)) for k in range(0, depth, rows))
    result = layer.result
    if len(passes) == 1:
        areas = (Area(0, 0, result.height, result.width),)
        return Tiling(_channels(outputs, columns), passes, areas, split)
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


def _channels(outputs: int, columns: int) -> tuple[Channels, ...]:
    return tuple(Channels(c, min(columns, outputs - c)) for c in range(0, outputs, columns))


def _areas(layer: MatrixLayer, pixels: int) -> tuple[Area, ...]:
    """Rectangles of at most `pixels` results: whole rows where one fits, pieces of rows if not."""
    height, width = layer.result.height, layer.result.width
    tall = max(1, min(height, pixels // width))
    wide = min(width, pixels)
    return tuple(
        Area(y, x, min(tall, height - y), min(wide, width - x))
        for y in range(0, height, tall)
        for x in range(0, width, wide)
    )
