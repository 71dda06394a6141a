# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE and AVERAGE_POOL: sums over the taps of a window, channel by channel."""

import numpy as np

from ....hdl.npu.config import TAP_BANKS, NpuConfig
from ....hdl.npu.isa import Descriptor, Opcode
from ..operation import State
from .pixel_windows import PixelWindows
from .scaling import Integers, channel_results

__all__ = ["AveragePool", "Depthwise"]


class _WindowSums(PixelWindows):
    """Sums of taps times weights, requantised. What lies outside the image is `padding`."""

    def execute(self, state: State) -> None:
        memories = state.memories
        self.require_known(memories, self.index)
        memories.activations[memories.outside] = self.descriptor["padding"] & 0xFF
        taps = memories.activations.view(np.int8)[self.index].astype(np.int64)
        sums = (taps * self._weights(state)).sum(axis=1)
        memories.store(self.addresses, channel_results(self, sums, self._channels, state))

    @property
    def _channels(self) -> Integers:
        """Whose parameters each channel takes."""
        raise NotImplementedError

    def _weights(self, state: State) -> Integers:
        """Weights of the taps, broadcast to the shape (taps, channels)."""
        raise NotImplementedError

    def _require_parameters(self, channels: int) -> None:
        self.require_multiple("channel", self.config.requantisers, "requantisers")
        highest = self.config.channels - channels
        self.require(
            "channel", 0, highest, f"channels = {self.config.channels}, less the descriptor's"
        )


class Depthwise(_WindowSums):
    """``sum[v, c] = sum over taps t of x[t, c] * w[t, c]``, x signed; then as in REQUANTISE."""

    opcode = Opcode.DEPTHWISE

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self.require("channels", 1, config.lanes, "the lanes")
        self.require("bank", 0, TAP_BANKS - 1, "the banks of kernels")
        self._require_parameters(descriptor["channels"])
        if self.taps > config.taps:
            raise self.error(f"a kernel has at most taps = {config.taps} taps, not {self.taps}")

    @property
    def taps(self) -> int:
        """Of a kernel."""
        return self.descriptor["kernel_height"] * self.descriptor["kernel_width"]

    @property
    def kernels_touched(self) -> tuple[int, range]:
        return self.descriptor["bank"], range(self.taps)

    @property
    def _channels(self) -> Integers:
        return self.descriptor["channel"] + np.arange(self.descriptor["channels"])

    def _weights(self, state: State) -> Integers:
        bank = self.descriptor["bank"]
        if not state.memories.taps_known[bank, : self.taps].all():
            raise self.error(f"bank {bank} has kernels that an ended program left undefined")
        kernels = state.memories.taps[bank, : self.taps, : self.descriptor["channels"]]
        return kernels.astype(np.int64)


class AveragePool(_WindowSums):
    """``sum[v, c] = sum over taps t of x[t, c]``; taps outside the image count as 0.

    What to divide by lies in the parameters, which are those of the same `requantisers` channels
    for every group of so many channels.
    """

    opcode = Opcode.AVERAGE_POOL

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self._require_parameters(min(descriptor["channels"], config.requantisers))

    @property
    def _channels(self) -> Integers:
        places = np.arange(self.descriptor["channels"]) % self.config.requantisers
        return self.descriptor["channel"] + places

    def _weights(self, state: State) -> Integers:
        return np.ones((1, 1), np.int64)
