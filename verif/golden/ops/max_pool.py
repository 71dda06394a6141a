# SPDX-License-Identifier: Apache-2.0
"""MAX_POOL: the highest byte of each window, channel by channel."""

import numpy as np

from ....hdl.npu.isa import Opcode
from ..operation import State
from .pixel_windows import PixelWindows

__all__ = ["MaxPool"]


class MaxPool(PixelWindows):
    """``out[v, c] = clip(max over taps of x[tap, c])``; taps outside the image do not count.

    Where all taps are outside, the maximum is -128. With a window of one pixel it is a copy.
    """

    opcode = Opcode.MAX_POOL

    def execute(self, state: State) -> None:
        memories = state.memories
        self.require_known(memories, self.index)
        memories.activations[memories.outside] = 0x80
        highest = memories.activations.view(np.int8)[self.index].max(axis=1)
        memories.store(
            self.addresses,
            np.clip(highest, self.descriptor["clamp_low"], self.descriptor["clamp_high"]),
        )
