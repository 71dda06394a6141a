# SPDX-License-Identifier: Apache-2.0
"""Cycles of the row slots between the weight loader and the macros."""

from ...hdl.npu.config import NpuConfig

__all__ = ["RowSlotsTiming"]


class RowSlotsTiming:
    """Control of `RowSlots`: in each cycle `offer`, then `cycle`.

    Attributes
    ----------
    rows : list of (tuple of int or None)
        Number in its group, and bank, of the row that each macro is offered in this cycle.
    """

    def __init__(self, config: NpuConfig) -> None:
        self.rows: list[tuple[int, int] | None] = [None] * config.macros
        self._has_slots = config.macros > 1
        self._last = config.macro.rows_per_group - 1
        self._all_wait = not config.macro.stages_two_groups
        #: Macros that have room for a row that may have to wait, and those that say so.
        self._room = (1 << config.macros) - 1
        self._freed = 0
        #: What the loader offers: a row, its macros, whether it may have to wait.
        self._row: tuple[int, int] | None = None
        self._macros = 0
        self._waits = False

    @property
    def is_empty(self) -> bool:
        """No slot has a row."""
        return not any(self.rows)

    def offer(self, row: tuple[int, int] | None, macros: int, ends_group: bool) -> None:
        """What the loader offers in this cycle."""
        self._row, self._macros = row, macros
        self._waits = ends_group or self._all_wait
        if not self._has_slots:
            self.rows[0] = row

    def cycle(self, takes: int) -> tuple[bool, bool]:
        """The end of a cycle in which macros, as bits of `takes`, take the rows they are offered.

        Returns whether the loader's row is taken, and whether a group's last row is by a macro.
        """
        taken = [row for index, row in enumerate(self.rows) if takes >> index & 1]
        fills = any(row is not None and row[0] == self._last for row in taken)
        if not self._has_slots:
            return bool(takes), fills
        sends = self._row is not None and not self._macros & ~self._room
        self._room |= self._freed
        self._freed = 0
        for index, row in enumerate(self.rows):
            bit = 1 << index
            if takes & bit:
                assert row is not None
                if self._all_wait or row[0] == self._last:
                    self._freed |= bit
                self.rows[index] = None
            if sends and self._macros & bit:
                self.rows[index] = self._row
                if self._waits:
                    self._room &= ~bit
        return sends, fills
