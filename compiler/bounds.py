# SPDX-License-Identifier: Apache-2.0
"""Cycles that a layer cannot beat, from the NPU's rates, each engine alone and never held up.

- array: 8 planes a vector;
- feeder: `activation_port` bytes a cycle, every piece of a window's row begun anew;
- lanes: `lanes` results requantised a cycle;
- taps, of depthwise convolutions and average pools: `lanes` channels of a tap a cycle;
- pool, of max pools: `activation_port` channels of a tap a cycle;
- add: three cycles for `lanes` bytes, which are two terms and their sum;
- loader: a weight word a cycle, or what the macro takes to write row groups; and for each load
  of the macro what it takes to fill the last one's table.
"""

from collections.abc import Sequence

from ..hdl.npu.config import NpuConfig
from .layers import AddLayer, AverageLayer, DepthwiseLayer, Layer, MatrixLayer, WindowLayer
from .schedule import Load, MatrixStep, Step, TapSet

__all__ = ["PLANES", "bounds", "descriptors", "load_cycles"]

#: Planes of an activation: each meets the array once.
PLANES = 8
#: Passes of an addition through the lanes: each image is scaled, then the sum.
_ADD_PASSES = 3


def bounds(layer: Layer, steps: Sequence[Step], config: NpuConfig) -> dict[str, int]:
    """Cycles of each part that works on a layer, once all weights are loaded."""
    match layer:
        case MatrixLayer():
            matrix_steps = [step for step in steps if isinstance(step, MatrixStep)]
            return _matrix_cycles(layer, matrix_steps, config)
        case DepthwiseLayer() | AverageLayer():
            return {"taps": _tap_cycles(layer, config.lanes)}
        case AddLayer():
            return {"add": _ADD_PASSES * -(-layer.result.size // config.lanes)}
        case _:
            return {"pool": _tap_cycles(layer, config.activation_port)}


def descriptors(layer: Layer, steps: Sequence[Step]) -> int:
    """Descriptors that a layer takes besides its loads."""
    if isinstance(layer, AverageLayer):
        return len(layer.parts)
    return sum(2 if isinstance(step, MatrixStep) else 1 for step in steps)


def load_cycles(load: Load, count: int, config: NpuConfig) -> int:
    """Cycles from a load's first word to the first in which its weights can be used.

    `count` is that of its row groups or taps.
    """
    if isinstance(load.weights, TapSet):
        return count * config.tap_words
    return config.group_words + (count - 1) * config.load_interval + config.macro.fill_cycles


def _matrix_cycles(
    layer: MatrixLayer, steps: list[MatrixStep], config: NpuConfig
) -> dict[str, int]:
    cycles: dict[str, int] = {"array": 0, "feeder": 0, "lanes": 0}
    for step in steps:
        vectors = step.area.height * step.area.width
        cycles["array"] += vectors * PLANES
        cycles["feeder"] += vectors * _reads(layer.run_bytes, step, config.activation_port)
        cycles["lanes"] += vectors * -(-step.weights.channels.count // config.lanes)
    return cycles


def _reads(run_bytes: int, step: MatrixStep, port: int) -> int:
    """Reads that fetch one vector: each stays within one row of the image."""
    reads, first = 0, step.weights.rows.first
    end = first + step.weights.rows.depth
    while first < end:
        stop = min(end, (first // run_bytes + 1) * run_bytes)
        reads += -(-(stop - first) // port)
        first = stop
    return reads


def _tap_cycles(layer: WindowLayer, channels: int) -> int:
    """Cycles for all taps of all windows, so many channels at once."""
    taps = layer.window.height * layer.window.width
    beats = -(-layer.source.channels // channels)
    return layer.result.height * layer.result.width * taps * beats
