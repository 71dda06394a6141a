# SPDX-License-Identifier: Apache-2.0
"""Cycles of the weight loader: rows of weights, and taps of kernels."""

from collections import deque

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, Opcode
from ...hdl.npu.latency import WEIGHT_CYCLES, WEIGHT_WORDS

__all__ = ["LoaderTiming"]

#: Rows that wait to be taken.
_SLOTS = 2


class LoaderTiming:
    """Control of a `WeightLoader`.

    Attributes
    ----------
    row : tuple of int or None
        Number in its group, and bank, of the row that is offered in this cycle.
    macros : int
        Those that it is for, a bit each.
    ends_group : bool
        It is the last row of its group.
    """

    def __init__(self, config: NpuConfig) -> None:
        self._config = config
        self._rows = config.macro.rows_per_group
        self._everyone = (1 << config.macros) - 1
        self._running = False
        self._is_kernel = False
        self._words = 0
        #: Whether a word comes in each of the next cycles, and those that wait in the queue.
        self._coming: deque[bool] = deque()
        self._waiting = 0
        #: Words of the row that is read, and rows that are whole.
        self._count = 0
        self._there = 0
        self._row = 0
        self._group = 0
        self._left = 0
        self._bank = 0
        self._chosen = 0
        self._parts = 1
        self._part = 0
        #: Cycles for which a table is still being filled.
        self._filling = 0

    def start(self, descriptor: Descriptor) -> None:
        """A LOAD_WEIGHTS or LOAD_TAPS begins; called at the end of a cycle."""
        self._is_kernel = descriptor.opcode is Opcode.LOAD_TAPS
        config = self._config
        self._words = config.tap_words if self._is_kernel else config.row_words
        self._group = 0 if self._is_kernel else descriptor["group"]
        self._left = descriptor["taps" if self._is_kernel else "groups"]
        self._bank = descriptor["bank"]
        self._chosen = 0 if self._is_kernel else descriptor["macros"]
        self._parts = 1 if self._is_kernel else max(1, descriptor["parts"])
        self._running = True
        self._coming = deque([False] * WEIGHT_CYCLES)
        self._waiting = 0

    @property
    def is_settled(self) -> bool:
        """No table is being filled."""
        return not self._filling

    @property
    def macros(self) -> int:
        """The macros that the row is for."""
        return (self._chosen << self._part if self._chosen else self._everyone) & self._everyone

    @property
    def row(self) -> tuple[int, int] | None:
        """The row that is offered."""
        has_it = self._group < self._config.macro.groups
        if self._running and self._there and not self._is_kernel and has_it:
            return self._row, self._bank
        return None

    @property
    def ends_group(self) -> bool:
        """The row that is offered is the last of its group."""
        return self._row == self._rows - 1

    def cycle(self, row: tuple[int, int] | None, is_taken: bool, fills: bool) -> bool:
        """The end of a cycle in which `row` was offered; whether the descriptor is done.

        `fills`: a macro has taken the last row of a group in it.
        """
        self._filling = self._config.macro.fill_cycles if fills else max(0, self._filling - 1)
        if not self._running:
            return False
        # What is for no macro is left out, and kernels' memory takes every tap.
        taken = bool(self._there) and (is_taken if row else True)
        self._read(taken)
        ends_group = taken and (self._is_kernel or self.ends_group)
        if taken:
            self._row = 0 if ends_group else self._row + 1
        if not ends_group:
            return False
        self._part = self._part + 1 if self._part + 1 < self._parts else 0
        if self._part:
            return False
        self._group += 1
        self._left -= 1
        if self._left:
            return False
        self._count = self._there = 0
        self._running = False
        return True

    def _read(self, taken: bool) -> None:
        """A word enters where there is room for its row; others are asked for."""
        enters = self._there < _SLOTS and self._waiting > 0
        self._coming.append(self._waiting < WEIGHT_WORDS - WEIGHT_CYCLES)
        self._waiting += self._coming.popleft() - enters
        self._count += enters
        is_whole = self._count == self._words
        if is_whole:
            self._count = 0
        self._there += is_whole - taken
