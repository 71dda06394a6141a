# SPDX-License-Identifier: Apache-2.0
"""From sums to results with the parameters of channels, for every operation that requantises."""

import numpy as np
from numpy.typing import NDArray

from ....hdl.npu.isa import Rounding
from ..numerics import ONNX_FREE_BITS, requantise
from ..operation import Operation, State

__all__ = ["Integers", "channel_results"]

Integers = NDArray[np.int64]


def channel_results(
    operation: Operation, sums: Integers, channels: Integers, state: State
) -> NDArray[np.int8]:
    """Results of `sums`, whose last axis counts `channels`: the numbers of their parameters.

    Zero point, rounding and clamp are the descriptor's. Raises ProgramError where the rounding does
    not exist, or is not defined for a multiplier.
    """
    d = operation.descriptor
    if d["rounding"] not in set(Rounding):
        raise operation.error(f"rounding must be at most {max(Rounding)}, not {d['rounding']}")
    rounding = Rounding(d["rounding"])
    bias, multiplier, shift, _ = state.memories.parameters[channels].T
    if rounding is Rounding.ONNX and np.any(multiplier & ((1 << ONNX_FREE_BITS) - 1)):
        raise operation.error(
            f"rounding is ONNX's, so multipliers must be multiples of {1 << ONNX_FREE_BITS} "
            f"for channels {channels.min()} to {channels.max()}"
        )
    return requantise(
        sums, bias, multiplier, shift, d["zero_point"], d["clamp_low"], d["clamp_high"], rounding
    )
