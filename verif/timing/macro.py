# SPDX-License-Identifier: Apache-2.0
"""Cycles of a macro: which vectors and rows it takes when, and when it offers outputs."""

from ...hdl.macro.config import MacroConfig

__all__ = ["MacroTiming"]


class MacroTiming:
    """Control of one `Macro` that is never read back, a cycle a call.

    Attributes
    ----------
    offers : bool
        An output is offered in the cycle to come.
    """

    def __init__(self, config: MacroConfig) -> None:
        self._broadcasts = bool(config.broadcast_registers)
        self._has_skid_buffer = config.output_buffer == 2
        self._writer = _FillTiming(config) if config.has_fill else None
        #: Steps that are still to come of the vector that has begun.
        self._left = 0
        #: Last steps of vectors on their way, from the step register (bit 0) to the outputs.
        self._last_steps = 0
        self._way_out = config.array_registers + config.output_registers - 1
        #: Banks that are used by the operands in the step register and behind it; None: no operand.
        self._bank: int | None = None
        self._meets_bank: int | None = None
        self._write_turn = False
        #: The skid buffer is empty.
        self._moves = True
        self.offers = False

    def cycle(
        self, steps: int, bank: int | None, row: tuple[int, int] | None, is_taken: bool
    ) -> tuple[bool, bool]:
        """One cycle; returns whether the vector and the row are taken.

        Parameters
        ----------
        steps : int
            Of the vector that is offered.
        bank : int or None
            Its bank; None where no vector is offered.
        row : tuple of int or None
            Number in its group, and bank, of the row that is offered.
        is_taken : bool
            The output that is offered is taken.
        """
        writer = self._writer
        is_filling = writer is not None and writer.is_filling
        is_held = False
        if writer is not None and is_filling:
            is_held = writer.bank == bank
        elif self._write_turn:
            is_held = row is not None and row[1] == bank
        within = self._left > 0
        launch = within or (bank is not None and not is_held)
        left = (self._left if within else steps) - 1 if launch else 0

        arrives = bool(self._last_steps >> self._way_out & 1)
        stays = self.offers and not is_taken
        enable = self._moves if self._has_skid_buffer else not (arrives and stays)
        takes_vector = enable and launch and not left

        takes_row = False
        if row is not None:
            is_used = row[1] in (self._bank, self._meets_bank) or (
                bank == row[1] and (within or not (is_filling or self._write_turn))
            )
            passes_over = is_filling and bank == row[1]
            may_change = not is_used and not passes_over
            changes = True
            if writer is None:
                takes_row = may_change
            else:
                takes_row, changes = writer.offer(row, may_change)
            moves_on = enable and launch and bank == row[1]
            self._write_turn = changes and not may_change and (self._write_turn or moves_on)
        else:
            self._write_turn = False
        if writer is not None:
            writer.cycle(row if takes_row else None)

        self._pass_outputs(enable, arrives, stays, is_taken)
        if enable:
            self._left = left
            self._last_steps = self._last_steps << 1 & ((2 << self._way_out) - 1) | takes_vector
            self._meets_bank = self._bank if self._broadcasts else None
            self._bank = bank if launch else None
        return takes_vector, takes_row

    def _pass_outputs(self, enable: bool, arrives: bool, stays: bool, is_taken: bool) -> None:
        """The output buffer: what it offers in the next cycle."""
        if enable and arrives and not stays:
            self.offers = True
        elif is_taken:
            # An output that waits in the skid buffer follows.
            self.offers = not self._moves
        if self._has_skid_buffer:
            self._moves = not (arrives and stays) if self._moves else is_taken


class _FillTiming:
    """The fill engine: rows are staged, then a table is filled, an entry a cycle."""

    def __init__(self, config: MacroConfig) -> None:
        self._rows = config.rows_per_group
        self._stages_two = config.stages_two_groups
        self._entries = 1 << self._rows
        self._counting = False
        self._count = 0
        self._at_end = False
        self.is_filling = False
        #: Of the table that is filled.
        self.bank = 0

    def offer(self, row: tuple[int, int], may_change: bool) -> tuple[bool, bool]:
        """Whether a row is taken; whether weights change with it."""
        number, bank = row
        last = number == self._rows - 1
        if self._stages_two:
            free = not last or not self.is_filling or (self._at_end and bank == self.bank)
        else:
            free = not self.is_filling
        return free and (not last or may_change), free and last

    def cycle(self, taken: tuple[int, int] | None) -> None:
        """The end of a cycle in which a row is taken, or none."""
        starts = taken is not None and taken[0] == self._rows - 1
        was_counting = self._counting
        self.is_filling = starts or was_counting
        if was_counting:
            self._count = (self._count + 1) % self._entries
            self._counting = not self._at_end
        self._at_end = was_counting and self._count == self._entries - 1
        if starts:
            assert taken is not None
            self._counting = True
            self.bank = taken[1]
