# SPDX-License-Identifier: Apache-2.0
"""REQUANTISE: sums from the macro become partial sums or int8 results in memory."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ....hdl.npu.config import NpuConfig
from ....hdl.npu.isa import Descriptor, Opcode
from ..numerics import wrap_int32
from ..operation import Footprint, Operation, Outputs, State
from .scaling import channel_results
from .window import output_addresses, vector_numbers

__all__ = ["Requantise"]


class Requantise(Operation):
    """Adds and keeps partial sums (int32, wrapping), or adds bias, scales, rounds, clips, stores.

    Partial sums lie in words of `requantisers` sums, each vector's in whole words. Sums of its last
    word that have no channel are not defined.
    """

    opcode = Opcode.REQUANTISE

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self.require_at_least_one("out_width", "out_height")
        self.require("split", 0, config.most_split, f"macros = {config.macros}")
        self._columns = config.columns >> descriptor["split"]
        self.require("channels", 1, self._columns, "the columns of its macros")
        self.require_multiple("channel", config.requantisers, "requantisers")
        highest = config.channels - descriptor["channels"]
        self.require("channel", 0, highest, f"channels = {config.channels}, less the descriptor's")
        self.require_tractable(self.vectors * descriptor["channels"])
        self._words = self.vectors * -(-descriptor["channels"] // config.requantisers)
        if descriptor["add_partial"] or descriptor["keep_partial"]:
            highest = config.partial_sum_words - self._words
            self.require("partial", 0, highest, "partial_sum_words, less those of all vectors")
        if not descriptor["keep_partial"]:
            self.require("clamp_low", -128, descriptor["clamp_high"], "up to clamp_high")
            self.require_in_memory(self._addresses)

    @cached_property
    def writes(self) -> Footprint:
        if self.descriptor["keep_partial"]:
            return Footprint.nothing()
        numbers = vector_numbers(self._addresses)
        return Footprint.of_writes(self._addresses.ravel(), numbers.ravel())

    def execute(self, state: State) -> None:
        sums = self._take(state)
        memories = state.memories
        if self.descriptor["add_partial"]:
            if not memories.partial_known[self._partial].all():
                raise self.error("add_partial adds partial sums that no descriptor has kept")
            sums = wrap_int32(sums + memories.partial[self._partial])
        if self.descriptor["keep_partial"]:
            memories.partial[self._partial] = sums
            memories.partial_known[self._partial_words] = False
            memories.partial_known[self._partial] = True
        else:
            channels = self.descriptor["channel"] + np.arange(self.descriptor["channels"])
            memories.store(self._addresses, channel_results(self, sums, channels, state))

    def forget(self, state: State) -> None:
        super().forget(state)
        if self.descriptor["keep_partial"]:
            state.memories.partial_known[self._partial_words] = False

    def _take(self, state: State) -> NDArray[np.int64]:
        """The channels' sums of the next vectors of the macro, shape (vectors, channels)."""
        needed, taken, channels = self.vectors, [], self.descriptor["channels"]
        while needed:
            block = state.stream.popleft()
            self._check_split(block)
            block, rest = block.split_at(needed)
            if len(rest):
                state.stream.appendleft(rest)
            if not block.known[:, :channels].all():
                raise self.error(
                    f"takes what bank {block.bank} made of weights that an ended program left "
                    "undefined"
                )
            taken.append(block.sums)
            needed -= len(block)
        return np.concatenate(taken)[:, :channels]

    def _check_split(self, block: Outputs) -> None:
        """Refuse vectors of another split, or those of a part of a COMPUTE with one."""
        if block.sums.shape[1] != self._columns:
            raise self.error("split must be that of the COMPUTE whose vectors it takes")
        if self.descriptor["split"] and len(block) != self.vectors:
            raise self.error(
                f"must take all vectors of one COMPUTE, as split is not 0: {len(block)}, not "
                f"{self.vectors}"
            )

    @cached_property
    def _addresses(self) -> NDArray[np.int64]:
        return output_addresses(self.descriptor)

    @cached_property
    def _partial(self) -> NDArray[np.int64]:
        """Index of each channel's sum of each vector, shape (vectors, channels)."""
        width, channels = self.config.requantisers, np.arange(self.descriptor["channels"])
        first = self.descriptor["partial"] * width
        stride = self._words // self.vectors * width
        return first + stride * np.arange(self.vectors).reshape(-1, 1) + channels

    @property
    def _partial_words(self) -> slice:
        width, first = self.config.requantisers, self.descriptor["partial"]
        return slice(first * width, (first + self._words) * width)
