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

    The first image's term is ``x * 2**19``, as its scale is half of the common one; the second's is
    ``round((x * 2**20 + bias) * multiplier / 2**(31 + shift))`` with the first parameters. Their
    sum is requantised with the second ones. Both round as TFLite does, twice. The result may take
    the place of an image.
    """

    opcode = Opcode.ADD

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self.require("bytes", 1, config.activation_bytes, "activation_bytes")
        self.require("clamp_low", -128, descriptor["clamp_high"], "up to clamp_high")
        self.require_multiple("channel", config.requantisers, "requantisers")
        highest = config.channels - 2 * config.requantisers
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
        first, second = (self._values(each, state) for each in (self._first, self._second))
        bias, multiplier, shift, _ = state.memories.parameters[self._parameters(0)].T
        term = scale(second << ADD_SHIFT, bias, multiplier, shift, Rounding.TFLITE)
        sums = wrap_int32((first << ADD_SHIFT - 1) + term)
        state.memories.store(
            self._result, channel_results(self, sums, self._parameters(1), state)
        )

    def _values(self, addresses: Addresses, state: State) -> Integers:
        self.require_known(state.memories, addresses)
        return state.memories.activations.view(np.int8)[addresses].astype(np.int64)

    def _parameters(self, place: int) -> Integers:
        """Whose parameters each byte takes: bytes go through the requantisers in order."""
        width = self.config.requantisers
        byte = np.arange(self.descriptor["bytes"])
        return self.descriptor["channel"] + place * width + byte % width
