# SPDX-License-Identifier: Apache-2.0
"""Programs whose results lie at and next to ties, where rounding rules differ.

A vector has one byte and its weight is small, so that a sum is a small number; a channel's bias
then moves it to where sums, scaled, are half an integer.
"""

from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, Opcode, Queue, Rounding
from .walks import Arena, Fields

__all__ = ["ROUNDING_INPUTS", "allowed_roundings", "near_ties", "rounding_program"]

#: Highest shift with which a bias still moves sums over all of int8.
_HIGHEST_SHIFT = 23
#: The vectors' byte plus 128 is 0 to 255.
_MIDDLE = 128
#: Bytes that are read; results fill the rest of the activations.
ROUNDING_INPUTS = 48


def allowed_roundings(any_multiplier: bool) -> list[Rounding]:
    """The rules that are defined for multipliers: ONNX's is for those of 24 bits."""
    return [rule for rule in Rounding if rule is not Rounding.ONNX or not any_multiplier]


def near_ties(
    random: np.random.Generator, count: int, *, any_multiplier: bool
) -> NDArray[np.uint32]:
    """Parameters of some channels, shape (count, 4), whose results are near half an integer."""
    # With a small shift and a power of two, every other sum is a tie.
    shift = random.integers(0, np.where(random.random(count) < 0.5, 3, _HIGHEST_SHIFT + 1))
    multiplier = random.integers(1 << 30, 1 << 31, count)
    multiplier = np.where(random.random(count) < 0.5, 1 << 30, multiplier)
    if not any_multiplier:
        multiplier &= ~127
    ties = random.integers(-129, 129, count) + 0.5
    bias = np.rint(ties * np.exp2(31 + shift) / multiplier).astype(np.int64) - _MIDDLE
    bias = np.clip(bias + random.integers(-40, 41, count), -1 << 31, (1 << 31) - 1)
    columns = (bias & 0xFFFFFFFF, multiplier, shift, np.zeros(count, np.int64))
    return np.stack(columns, axis=1).astype(np.uint32)


def rounding_program(
    config: NpuConfig,
    random: np.random.Generator,
    *,
    activations: Arena,
    weights: Arena,
    channels: range,
    any_multiplier: bool,
) -> list[Descriptor]:
    """Requantise the same vectors with each channel's parameters, under each rounding rule.

    The first row group at the start of `weights` should hold small numbers.
    """
    count = min(config.macro.columns, len(channels))
    step = config.requantisers * -(-count // config.requantisers)
    starts = range(channels.start, channels.stop - count + 1, step)
    # As many as fit beside the load and the END, two descriptors each.
    chosen = [start for start in starts for _ in Rounding][: config.descriptors // 2 - 1]
    vectors = min(ROUNDING_INPUTS, (len(activations) - ROUNDING_INPUTS) // (count * len(chosen)))
    load = {"groups": 1, "address": weights.start, "signal": 1 << Queue.COMPUTE}
    compute = {
        "start": activations.start + int(random.integers(ROUNDING_INPUTS - vectors + 1)),
        "row_bytes": vectors, "height": 1, "run_bytes": 1, "step_x": 1, "depth": 1,
        "out_width": vectors, "out_height": 1,
    }
    result: Fields = {
        "out_pixel_stride": count, "out_width": vectors, "out_height": 1, "channels": count,
        "clamp_low": -128, "clamp_high": 127,
    }
    descriptors = [Descriptor(Opcode.LOAD_WEIGHTS, load)]
    rules = cycle(allowed_roundings(any_multiplier))
    place = activations.start + ROUNDING_INPUTS
    for channel in chosen:
        waits = {"wait": 1 << Queue.LOAD} if len(descriptors) == 1 else {}
        point = int(random.integers(-128, 128)) if random.random() < 0.5 else 0
        choice = {"channel": channel, "rounding": next(rules), "zero_point": point}
        choice["out_start"] = place
        place += vectors * count
        descriptors.append(Descriptor(Opcode.COMPUTE, compute | waits))
        descriptors.append(Descriptor(Opcode.REQUANTISE, result | choice))
    return [*descriptors, Descriptor(Opcode.END, {})]
