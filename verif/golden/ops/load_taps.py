# SPDX-License-Identifier: Apache-2.0
"""LOAD_TAPS: depthwise kernels from the weight memory into a bank of the vector engine."""

from ....hdl.npu.config import TAP_BANKS, NpuConfig
from ....hdl.npu.isa import Descriptor, Opcode
from ..operation import Operation, State

__all__ = ["LoadTaps"]


class LoadTaps(Operation):
    """A tap is `lanes` int8 weights, one a channel, filled up to whole words."""

    opcode = Opcode.LOAD_TAPS

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self.require("taps", 1, config.taps, "taps of the NPU")
        self.require("bank", 0, TAP_BANKS - 1, "the banks of kernels")
        self.require_multiple("address", config.weight_port, "weight_port")
        highest = config.weight_bytes - descriptor["taps"] * config.tap_bytes
        self.require("address", 0, highest, "weight_bytes, less the taps'")

    @property
    def kernels_touched(self) -> tuple[int, range]:
        return self.descriptor["bank"], range(self.descriptor["taps"])

    @property
    def stored_weights_touched(self) -> range:
        start = self.descriptor["address"]
        return range(start, start + self.descriptor["taps"] * self.config.tap_bytes)

    def execute(self, state: State) -> None:
        (bank, taps), memories = self.kernels_touched, state.memories
        place = self.stored_weights_touched
        weights = memories.weights[place.start : place.stop]
        memories.taps[bank, : len(taps)] = weights.reshape(len(taps), -1)[:, : self.config.lanes]
        memories.taps_known[bank, : len(taps)] = memories.knows_weights(place)

    def forget(self, state: State) -> None:
        bank, taps = self.kernels_touched
        state.memories.taps_known[bank, : len(taps)] = False
