# SPDX-License-Identifier: Apache-2.0
"""Row groups on a macro's weight stream: sent a row a transfer, and put together again."""

from collections import deque
from collections.abc import Callable
from typing import Any

from ...hdl.macro.config import MacroConfig
from .check import require
from .stream import Transfer
from .testbench import Testbench

__all__ = ["RowGroups"]

Payload = dict[str, Any]


class RowGroups:
    """The stream `w` of a macro, seen as one of row groups.

    Parameters
    ----------
    tb : Testbench
    config : MacroConfig
    report : callable
        Called with each row group when its last row is taken: a `Transfer` from the first cycle in
        which its first row was valid to that cycle; `value` has `group`, `bank`, and `weights` of
        all rows.

    Attributes
    ----------
    source : Source
    rows : list of Transfer
        All rows that were taken.
    """

    def __init__(
        self, tb: Testbench, config: MacroConfig, report: Callable[[Transfer], None]
    ) -> None:
        self.config = config
        self.source = tb.add_source("w", config.write_layout, self._on_row)
        self.rows: list[Transfer] = []
        self._report = report
        self._queued: deque[Payload] = deque()
        self._begun: list[Transfer] = []
        self._whole: list[Transfer] = []
        self._meaningless = 0

    def put(self, *groups: Payload) -> None:
        """Queue row groups."""
        for group in groups:
            self.open(group)
            self.close()

    def open(self, group: Payload) -> None:
        """Queue all rows of a group but the last, with which weights change."""
        self._queued.append(group)
        self.source.put(*_rows_of(group)[:-1])

    def close(self) -> None:
        """Queue the last row of the group that was queued last."""
        self.source.put(_rows_of(self._queued[-1])[-1])

    @property
    def is_begun(self) -> bool:
        """Whether rows of a group were taken or are on offer, and its last one was not taken."""
        return bool(self._begun) or self.source.offers

    def filling(self, cycle: int) -> list[Payload]:
        """The groups whose tables are not yet complete before `cycle`, in order."""
        latest = self._whole[-2:]
        return [each.value for each in latest if cycle <= each.cycle + self.config.fill_cycles]

    def lost(self, cycle: int) -> list[Payload]:
        """The groups that must be written again after a reset that begins in `cycle`, in order."""
        return self.filling(cycle) + ([self._queued[0]] if self.is_begun else [])

    def restart(self, lost: list[Payload]) -> None:
        """Write again, after a reset, what it made undefined; all other groups are forgotten.

        A row that stayed on offer is taken first. Where it is the first of its group, the others
        follow it; else it means nothing without those before it, and the group begins anew.
        """
        self._queued.clear()
        self._begun.clear()
        self._whole.clear()
        self._meaningless = 0
        if kept := self.source.queued:
            if kept[0]["row"] == 0:
                *lost, begun = lost
                self._queued.append(begun)
                self.source.put(*_rows_of(begun)[1:])
            else:
                self._meaningless = 1
        self.put(*lost)

    def _on_row(self, row: Transfer) -> None:
        if self._meaningless:
            self._meaningless -= 1
            return
        self.rows.append(row)
        self._begun.append(row)
        first, group = self._begun[0], self._queued[0]
        expected = _rows_of(group)[len(self._begun) - 1]
        require(row.value == expected, f"w carried {row.value}, and {expected} was queued")
        if len(self._begun) < self.config.rows_per_group:
            return
        whole = Transfer(
            {
                "weights": [each.value["weights"] for each in self._begun],
                "group": first.value["group"],
                "bank": first.value["bank"],
            },
            first.since,
            row.cycle,
        )
        self._queued.popleft()
        self._begun.clear()
        self._whole.append(whole)
        self._report(whole)


def _rows_of(group: Payload) -> list[Payload]:
    """The payloads that carry a row group, in ascending order of its rows."""
    return [
        {"weights": weights, "row": row, "group": group["group"], "bank": group["bank"]}
        for row, weights in enumerate(group["weights"])
    ]
