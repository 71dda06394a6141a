# SPDX-License-Identifier: Apache-2.0
"""Cycles of the matrix engine: macros behind the weight loader and the window feeder."""

from collections.abc import Sequence

from ...hdl.npu.config import NpuConfig
from .macro import MacroTiming
from .row_slots import RowSlotsTiming
from .weight_loader import LoaderTiming
from .window_feeder import FeederTiming

__all__ = ["MatrixTiming"]


class MatrixTiming:
    """Control of a `MatrixEngine`; `planes` as `FeederTiming` takes them.

    Attributes
    ----------
    loader, feeder
        To be told of descriptors.
    moves : bool
        A row or a round of windows was taken, or a chunk read, in the last cycle.
    """

    def __init__(self, config: NpuConfig, planes: Sequence[Sequence[int]]) -> None:
        self.loader = LoaderTiming(config)
        self.feeder = FeederTiming(config, planes)
        self.moves = False
        self._macros = [MacroTiming(config.macro) for _ in range(config.macros)]
        self._everyone = (1 << config.macros) - 1
        self._rows = RowSlotsTiming(config)
        #: Slots that have a vector, and its planes; slots that have had that of the round offered.
        self._hold = 0
        self._planes = [0] * config.macros
        self._have_round = 0
        #: The descriptor's last round has left the feeder, the last row of a load the loader.
        self._ends = False
        self._ends_load = False

    @property
    def offers(self) -> int:
        """The macros, as bits, whose outputs are there in this cycle."""
        return sum(macro.offers << index for index, macro in enumerate(self._macros))

    def cycle(self, takes_outputs: int, may_read: bool) -> tuple[bool, bool]:
        """One cycle; whether the load and the compute descriptor are done.

        Parameters
        ----------
        takes_outputs : int
            The macros, as bits, whose outputs are taken.
        may_read : bool
            The vector engine does not read.
        """
        feeder, loader, rows = self.feeder, self.loader, self._rows
        row = loader.row
        rows.offer(row, loader.macros, loader.ends_group)
        has_slots = len(self._macros) > 1
        loaded = self._ends_load and rows.is_empty
        computed = self._ends and not self._hold
        round_taken = feeder.offers and self._have_round == self._everyone
        takes_rows = 0
        for index, macro in enumerate(self._macros):
            bit = 1 << index
            takes_vector, takes_row = macro.cycle(
                self._planes[index],
                feeder.bank if self._hold & bit else None,
                rows.rows[index],
                bool(takes_outputs & bit),
            )
            self._pass_on(index, takes_vector)
            takes_rows |= bit * takes_row
        if round_taken:
            self._have_round = 0
        row_taken, fills = rows.cycle(takes_rows)
        self.moves = row_taken or round_taken or takes_outputs > 0 or feeder.reads
        ends_load = loader.cycle(row, row_taken, fills)
        if has_slots:
            self._ends_load = ends_load or (self._ends_load and not loaded)
        else:
            loaded = ends_load
        self._ends = feeder.cycle(round_taken, may_read) or (self._ends and not computed)
        return loaded, computed

    def _pass_on(self, index: int, takes_vector: bool) -> None:
        """A slot at the end of a cycle in which its macro takes its vector, or does not."""
        bit = 1 << index
        if takes_vector:
            self._hold &= ~bit
        if self.feeder.offers and not self._have_round & bit and not self._hold & bit:
            self._hold |= bit
            self._have_round |= bit
            self._planes[index] = self.feeder.planes
