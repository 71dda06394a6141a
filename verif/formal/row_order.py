# SPDX-License-Identifier: Apache-2.0
"""The rule of the weight stream that goes beyond a transfer: the rows of a group in order."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...hdl.macro.config import MacroConfig
from .stream_rules import StreamRule

__all__ = ["RowOrder"]


class RowOrder(wiring.Component):
    """Watches that the rows of a group come one after the other, from 0 on, to one place.

    A reset ends a group: the next row is row 0 of any group.

    Parameters
    ----------
    config : MacroConfig
    place_bits : int
        Width of what names the group and its bank.

    Members
    -------
    valid, transfer, row, place : In
        The stream: a row is offered; it is taken.
    next_row : Out
        The row that must come next.
    kept : Out(1)
        The rule is kept in this cycle.
    last : Out(1)
        The last row of a group is transferred.
    """

    valid: Signal
    transfer: Signal
    row: Signal
    place: Signal
    next_row: Signal
    kept: Signal
    last: Signal

    def __init__(self, config: MacroConfig, place_bits: int) -> None:
        self.config = config
        super().__init__(
            {
                "valid": In(1),
                "transfer": In(1),
                "row": In(config.member_bits),
                "place": In(place_bits),
                "next_row": Out(config.member_bits),
                "kept": Out(1),
                "last": Out(1),
            }
        )

    @classmethod
    def of(
        cls, m: Module, config: MacroConfig, rule: StreamRule, row: Value, place: Value
    ) -> "RowOrder":
        """Watch the weight stream that `rule` watches, as submodule `order` of `m`."""
        m.submodules.order = order = cls(config, len(place))
        m.d.comb += [
            order.valid.eq(rule.valid),
            order.transfer.eq(rule.transfer),
            order.row.eq(row),
            order.place.eq(place),
        ]
        return order

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place = Signal.like(self.place)
        in_order = self.row == self.next_row
        same_place = (self.next_row == 0) | (self.place == place)
        m.d.comb += [
            self.kept.eq(~self.valid | (in_order & same_place)),
            self.last.eq(self.transfer & (self.row == self.config.rows_per_group - 1)),
        ]
        with m.If(self.transfer):
            m.d.sync += place.eq(self.place)
            with m.If(self.last):
                m.d.sync += self.next_row.eq(0)
            with m.Else():
                m.d.sync += self.next_row.eq(self.row + 1)
        return m
