# SPDX-License-Identifier: Apache-2.0
"""Cycles of the output join: when a beat's outputs are there, and when macros may go on."""

from ...hdl.npu.config import NpuConfig

__all__ = ["JoinTiming"]


class JoinTiming:
    """Control of an `OutputJoin`; macros are bits of integers."""

    def __init__(self, config: NpuConfig) -> None:
        self._is_direct = config.macros == 1
        self._everyone = (1 << config.macros) - 1
        #: Beats of a macro.
        self._each = config.beats // config.macros
        #: Macros whose output is known to be there; whose output of this round was taken.
        self._there = 0
        self._had = 0
        #: Macros whose output was taken in the last cycle, and is let go in this one.
        self._taken = 0
        self._leaves = 0

    def take(self, outputs: int, which: int, ends_vector: bool, ends_round: bool) -> bool:
        """Take a beat, if its outputs are there; whether they are.

        Parameters
        ----------
        outputs : int
            The macros that offer an output.
        which : int
            The beat, of all macros' outputs.
        ends_vector, ends_round : bool
            It is the last of its window, and of the windows computed at once.
        """
        owner = 1 << which // self._each
        wanted = self._everyone & ~self._had if ends_round else owner
        if wanted & ~(outputs if self._is_direct else self._there):
            return False
        ends_own = ends_vector or (which + 1) % self._each == 0
        self._leaves = wanted if ends_round or (ends_own and not self._is_direct) else 0
        self._had = 0 if ends_round else self._had | self._leaves
        return True

    def cycle(self, outputs: int) -> int:
        """The end of a cycle in which macros offer outputs; those of which they are taken."""
        leaves, self._leaves = self._leaves, 0
        if self._is_direct:
            return leaves
        self._there = outputs & ~leaves & ~self._taken
        taken, self._taken = self._taken, leaves
        return taken
