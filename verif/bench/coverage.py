# SPDX-License-Identifier: Apache-2.0
"""Counts of what a bench has made happen, so that a bench that stopped doing so fails."""

from collections import Counter
from collections.abc import Iterable

from .check import require

__all__ = ["Coverage"]


class Coverage:
    """Named events and how often each was seen, over all cases of one simulation."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def hit(self, *events: str) -> None:
        """Count each of the events once."""
        self.counts.update(events)

    def finish(self, wanted: Iterable[str]) -> None:
        """Require that each of the wanted events was seen."""
        missing = [event for event in wanted if not self.counts[event]]
        require(not missing, f"the stimuli never had: {'; '.join(missing)}")
