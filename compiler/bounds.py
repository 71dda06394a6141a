# SPDX-License-Identifier: Apache-2.0
"""Cycles that a layer cannot beat, from the NPU's rates, each engine alone and never held up.

- array: 8 planes a round, which is a window, or as many as the split has at once; a program that
  skips planes of zeros may take fewer;
- feeder: `activation_port` bytes a cycle, every piece of a window's row begun anew, and of windows
  that slide on in a row only what is new;
- requantisers: `requantisers` results requantised a cycle;
- taps, of depthwise convolutions and average pools: `lanes` channels of a tap a cycle;
- pool, of max pools: `pool_lanes` channels of a tap a cycle;
- add: two cycles for `requantisers` bytes, which are a term of one image and the sum;
- loader: a weight word a cycle, or what macros take to write row groups, those of a window in turn;
  and for each set what it takes to fill the last group's table.
"""

from collections.abc import Sequence

from ..hdl.npu.config import NpuConfig
from ..hdl.npu.latency import ADD_TURNS, window_chunks, window_runs
from .layers import AddLayer, AverageLayer, DepthwiseLayer, Layer, MatrixLayer, WindowLayer
from .schedule import MatrixStep, Step, TapSet, WeightSet
from .tiling import macro_parts

__all__ = ["PLANES", "bounds", "descriptors", "load_cycles", "round_cycles"]

#: Planes of an activation: each meets the array once.
PLANES = 8


def bounds(layer: Layer, steps: Sequence[Step], config: NpuConfig) -> dict[str, int]:
    """Cycles of each part that works on a layer, once all weights are loaded."""
    match layer:
        case MatrixLayer():
            matrix_steps = [step for step in steps if isinstance(step, MatrixStep)]
            return _matrix_cycles(layer, matrix_steps, config)
        case DepthwiseLayer() | AverageLayer():
            return {
                "taps": _tap_cycles(layer, config.lanes),
                "requantisers": _result_cycles(layer, config.requantisers),
            }
        case AddLayer():
            return {"add": ADD_TURNS * -(-layer.result.size // config.requantisers)}
        case _:
            return {"pool": _tap_cycles(layer, config.pool_lanes)}


def descriptors(layer: Layer, steps: Sequence[Step]) -> int:
    """Descriptors that a layer takes besides its loads."""
    if isinstance(layer, AverageLayer):
        return len(layer.parts)
    return sum(2 if isinstance(step, MatrixStep) else 1 for step in steps)


def load_cycles(weights: WeightSet | TapSet, count: int, config: NpuConfig) -> int:
    """Cycles from a set's first word to the first in which its weights can be used.

    `count` is that of its row groups in a macro, or of its taps. Macros with the same weights, of
    windows that are computed at once, are written together.
    """
    if isinstance(weights, TapSet):
        return count * config.tap_words
    turn = len(macro_parts(weights.channels, config)) * config.group_words
    return turn + (count - 1) * max(turn, config.load_interval) + config.macro.fill_cycles


def round_cycles(layer: MatrixLayer, step: MatrixStep, config: NpuConfig) -> int:
    """Rounds of a step times what the slowest part takes for a whole one."""
    rounds = _rounds(step)
    beats = _beats(step, config) << step.weights.split
    return max(rounds * max(PLANES, beats), _reads(layer, step, config.activation_port))


def _matrix_cycles(
    layer: MatrixLayer, steps: list[MatrixStep], config: NpuConfig
) -> dict[str, int]:
    return {
        "array": sum(_rounds(step) * PLANES for step in steps),
        "feeder": sum(_reads(layer, step, config.activation_port) for step in steps),
        "requantisers": sum(_vectors(step) * _beats(step, config) for step in steps),
    }


def _vectors(step: MatrixStep) -> int:
    return step.area.height * step.area.width


def _rounds(step: MatrixStep) -> int:
    """The last one may have fewer windows."""
    return -(-_vectors(step) >> step.weights.split)


def _beats(step: MatrixStep, config: NpuConfig) -> int:
    """Beats that the results of a window take through the requantisers."""
    return -(-step.weights.channels.count // config.requantisers)


def _reads(layer: MatrixLayer, step: MatrixStep, port: int) -> int:
    """Reads of a step: each stays within a row of the image; windows that slide share bytes."""
    rows = step.weights.rows
    runs = window_runs(rows.depth, rows.first % layer.run_bytes, layer.run_bytes)
    whole, slid = window_chunks(runs, layer.window.stride_x * layer.source.channels, port)
    return step.area.height * (whole + (step.area.width - 1) * slid)


def _result_cycles(layer: WindowLayer, channels: int) -> int:
    """Cycles for all results, so many channels at once."""
    return layer.result.height * layer.result.width * -(-layer.source.channels // channels)


def _tap_cycles(layer: WindowLayer, channels: int) -> int:
    """Cycles for all taps of all windows, so many channels at once."""
    taps = layer.window.height * layer.window.width
    beats = -(-layer.source.channels // channels)
    return layer.result.height * layer.result.width * taps * beats
