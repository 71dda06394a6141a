# SPDX-License-Identifier: Apache-2.0
"""Cycles of the matrix engine: macros between the weight loader and the window feeder."""

from collections.abc import Sequence

from ...hdl.npu.config import NpuConfig
from .macro import MacroTiming
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
        #: Macros that have taken the row, the round that is offered.
        self._have_row = 0
        self._have_round = 0

    @property
    def offers(self) -> bool:
        """Outputs of all macros are there in this cycle."""
        return all(macro.offers for macro in self._macros)

    def cycle(self, takes_outputs: bool, may_read: bool) -> tuple[bool, bool]:
        """One cycle; whether the load and the compute descriptor are done."""
        feeder, loader = self.feeder, self.loader
        row, wanted = loader.row, loader.macros
        bank = feeder.bank if feeder.offers else None
        is_taken = takes_outputs and self.offers
        have_row, have_round = self._have_row, self._have_round
        for index, macro in enumerate(self._macros):
            bit = 1 << index
            takes_vector, takes_row = macro.cycle(
                feeder.planes,
                None if have_round & bit else bank,
                row if wanted & ~have_row & bit else None,
                is_taken,
            )
            have_round |= bit * takes_vector
            have_row |= bit * takes_row
        round_taken = bank is not None and have_round == self._everyone
        row_taken = row is not None and not wanted & ~have_row
        self._have_round = 0 if round_taken else have_round
        self._have_row = 0 if row_taken else have_row
        self.moves = row_taken or round_taken or is_taken or feeder.reads
        return loader.cycle(row, row_taken), feeder.cycle(round_taken, may_read)
