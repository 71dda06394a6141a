# SPDX-License-Identifier: Apache-2.0
"""FETCH: bytes from external memory into the weight memory."""

from ....hdl.npu.config import NpuConfig
from ....hdl.npu.isa import Descriptor, Opcode
from ..operation import Operation, State

__all__ = ["Fetch"]


class Fetch(Operation):
    """Copies whole beats of the external port, from and to multiples of a beat."""

    opcode = Opcode.FETCH

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        for name in ("source", "address", "bytes"):
            self.require_multiple(name, config.external_port, "external_port")
        self.require("bytes", config.external_port, config.weight_bytes, "a beat to weight_bytes")
        size = descriptor["bytes"]
        self.require("address", 0, config.weight_bytes - size, "weight_bytes, less the bytes")
        self.require("source", 0, (1 << 32) - size, "32 bits, less the bytes")

    @property
    def stored_weights_touched(self) -> range:
        start = self.descriptor["address"]
        return range(start, start + self.descriptor["bytes"])

    def execute(self, state: State) -> None:
        memories, size = state.memories, self.descriptor["bytes"]
        first, available = self.descriptor["source"], memories.external.size
        if first + size > available:
            raise self.error(
                f"reads {size} bytes from {first:#x} on, and external memory has {available} bytes"
            )
        memories.put_weights(self.stored_weights_touched.start, memories.external[first:][:size])

    def forget(self, state: State) -> None:
        place = self.stored_weights_touched
        state.memories.weights_unknown[place.start : place.stop] = True
