# SPDX-License-Identifier: Apache-2.0
"""COMPUTE: windows of an image, each one a vector for all macros, or for some of them."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ....hdl.npu.config import NpuConfig
from ....hdl.npu.isa import Descriptor, Opcode
from ....hdl.npu.latency import slide_of
from ..operation import Footprint, Operation, Outputs, State
from .window import vector_numbers, window_addresses

__all__ = ["Compute"]


class Compute(Operation):
    """``out[v, c] = sum_r (x[v, r] + 128) * w[r, c]`` over the bytes x of window v.

    The columns c are those of the macros that have the window: all, or with `split` in turn the
    first ones, the next ones, and so on. The array takes unsigned inputs, ``x ^ 0x80``: what the
    128 adds is part of the bias. Outside the image x is the zero point. The sums are exact in
    float64, where matrix products are fast: they have at most 27 bits. Planes that are skipped are
    zero, so they change nothing but the time.
    """

    opcode = Opcode.COMPUTE

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self.require_at_least_one("out_width", "out_height", "run_bytes")
        self.require("depth", 1, config.macro.rows, "the macro's rows")
        self.require("skip", 0, descriptor["run_bytes"] - 1, "less than run_bytes")
        self.require("bank", 0, config.macro.banks - 1, "the macro's banks")
        self.require("split", 0, config.most_split, f"macros = {config.macros}")
        if descriptor["skip_zero_planes"] and not config.macro.skip_zero_planes:
            raise self.error("skip_zero_planes must be 0, as macro.skip_zero_planes is false")
        self.require_tractable(self.vectors * descriptor["depth"])
        taps = descriptor["skip"] + np.arange(descriptor["depth"])
        rows, offsets = np.divmod(taps, descriptor["run_bytes"])
        self.require_in_reach(rows, offsets)
        self._addresses, self._inside = window_addresses(descriptor, rows, offsets)
        self.require_in_memory(self._addresses[self._inside])
        self._index = np.where(self._inside, self._addresses, config.activation_bytes)

    @cached_property
    def reads(self) -> Footprint:
        numbers = vector_numbers(self._addresses)
        return Footprint.of_reads(self._addresses[self._inside], numbers[self._inside])

    @property
    def weights_touched(self) -> tuple[int, range]:
        groups = -(-self.descriptor["depth"] // self.config.macro.rows_per_group)
        return self.descriptor["bank"], range(groups)

    def execute(self, state: State) -> None:
        depth, bank = self.descriptor["depth"], self.descriptor["bank"]
        memories, split = state.memories, self.descriptor["split"]
        self.require_known(memories, self._index)
        memories.activations[memories.outside] = self.descriptor["zero_point"] & 0xFF
        seen = memories.activations[self._index] ^ np.uint8(0x80)
        state.planes[self.number] = self._planes(seen)
        inputs = seen.astype(np.float64)
        at_once, columns = 1 << split, self.config.columns >> split
        sums = np.empty((len(inputs), columns), np.int64)
        known = np.empty(sums.shape, bool)
        for window in range(at_once):
            macros = self.config.macros_of(window, split)
            weights = np.hstack([state.macros[m].weights[bank, :depth] for m in macros])
            sums[window::at_once] = inputs[window::at_once] @ weights.astype(np.float64)
            are_known = state.rows_known[macros, bank, :depth].all(axis=1)
            known[window::at_once] = np.repeat(are_known, self.config.macro.columns)
        state.stream.append(Outputs(sums, known, bank))

    def _planes(self, seen: NDArray[np.uint8]) -> list[int]:
        """Planes of each round that meet the array; at least one.

        Where windows slide, those that some window has since a round began with a row.
        """
        starts = np.arange(0, len(seen), 1 << self.descriptor["split"])
        if not self.descriptor["skip_zero_planes"]:
            return [self.config.macro.input_bits] * len(starts)
        ones = np.bitwise_or.reduceat(np.bitwise_or.reduce(seen, axis=1), starts)
        if slide_of(self.descriptor, self.config):
            width = self.descriptor["out_width"]
            for number, start in enumerate(starts):
                if start % width:
                    ones[number] |= ones[number - 1]
        return [max(1, int(value).bit_length()) for value in ones]
