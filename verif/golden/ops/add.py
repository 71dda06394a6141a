# SPDX-License-Identifier: Apache-2.0
"""ADD: two images of different scales become their sum, byte by byte."""

from functools import cached_property

import numpy as np

from ....hdl.npu.config import NpuConfig
from ....hdl.npu.isa import ADD_SHIFT, Descriptor, Opcode, Rounding
from ..numerics import scale, wrap_int32
from ..operation import Addresses, Footprint, Operation, State
from .scaling import Integers, channel_results

__all__ = ["Add"]


class Add(Operation):
    """TFLite's addition: each image is scaled to a common scale, then their sum to the result's.

    A term is ``round((x * 2**20 + bias) * multiplier / 2**(31 + shift))``, the first image's with
    the first parameters, the second's with the second; their sum is requantised with the third. All
    three round as TFLite does, twice. The result may take the place of an image.
    """

    opcode = Opcode.ADD

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self.require("bytes", 1, config.activation_bytes, "activation_bytes")
        self.require("clamp_low", -128, descriptor["clamp_high"], "up to clamp_high")
        self.require_multiple("channel", config.requantisers, "requantisers")
        highest = config.channels - 3 * config.requantisers
        self.require("channel", 0, highest, f"channels = {config.channels}, less its own")
        self._first, self._second, self._result = (
            descriptor[name] + np.arange(descriptor["bytes"])
            for name in ("start", "other_start", "out_start")
        )
        for addresses in (self._first, self._second, self._result):
            self.require_in_memory(addresses)
        for name in ("start", "other_start"):
            if 0 < abs(descriptor["out_start"] - descriptor[name]) < descriptor["bytes"]:
                raise self.error(
                    f"out_start must be {name} or {descriptor['bytes']} bytes away from it, not "
                    f"{descriptor['out_start']:#x} for {descriptor[name]:#x}"
                )

    @cached_property
    def reads(self) -> Footprint:
        addresses = np.union1d(self._first, self._second)
        return Footprint(addresses, np.zeros_like(addresses))

    @cached_property
    def writes(self) -> Footprint:
        return Footprint(self._result, np.zeros_like(self._result))

    def execute(self, state: State) -> None:
        terms = [
            self._term(place, addresses, state)
            for place, addresses in enumerate((self._first, self._second))
        ]
        sums = wrap_int32(terms[0] + terms[1])
        state.memories.store(
            self._result, channel_results(self, sums, self._parameters(2), state)
        )

    def _term(self, place: int, addresses: Addresses, state: State) -> Integers:
        self.require_known(state.memories, addresses)
        values = state.memories.activations.view(np.int8)[addresses].astype(np.int64)
        bias, multiplier, shift, _ = state.memories.parameters[self._parameters(place)].T
        return scale(values << ADD_SHIFT, bias, multiplier, shift, Rounding.TFLITE)

    def _parameters(self, place: int) -> Integers:
        """Whose parameters each byte takes: bytes go through the requantisers in order."""
        width = self.config.requantisers
        byte = np.arange(self.descriptor["bytes"])
        return self.descriptor["channel"] + place * width + byte % width
