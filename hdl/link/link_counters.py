# SPDX-License-Identifier: Apache-2.0
"""Counters of what goes wrong on the line, and what a report tells of the device."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .frames import CLOCK_UNIT, LINK_VERSION, Fact, LinkEvent

__all__ = ["LinkCounters"]

_ENTRIES = 16


class LinkCounters(wiring.Component):
    """Counts events in a memory: one adder serves all counters, as events are rare.

    An event is counted within ``4 * len(LinkEvent)`` cycles; one of the same kind before that is
    not. Counters wrap, and outlast a reset.

    Parameters
    ----------
    depth : int
        `Fact.BUFFER_WORDS`.
    clock_hz : int
        `Fact.CLOCK`, in Hz.

    Members
    -------
    events : In(len(LinkEvent))
        What happens in this cycle.
    index : In(4)
        A `LinkEvent` or a `Fact`.
    value : Out(16)
        Of that index in the cycle before, where `is_settled`.
    is_settled : Out(1)
    """

    events: Signal
    index: Signal
    value: Signal
    is_settled: Signal

    def __init__(self, depth: int, clock_hz: int) -> None:
        self.facts: dict[int, int] = {
            Fact.VERSION: LINK_VERSION, Fact.BUFFER_WORDS: depth,
            Fact.CLOCK: round(clock_hz / CLOCK_UNIT),
        }
        super().__init__(
            {
                "events": In(len(LinkEvent)),
                "index": In(range(_ENTRIES)),
                "value": Out(16),
                "is_settled": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        init = [self.facts.get(entry, 0) for entry in range(_ENTRIES)]
        # It is not read where it is written: synthesis need not add what keeps the old entry.
        attributes: Any = {"no_rw_check": 1}
        m.submodules.entries = entries = memory.Memory(
            shape=16, depth=_ENTRIES, init=init, attrs=attributes
        )
        read: Any = entries.read_port()
        write: Any = entries.write_port()
        pending = Signal(len(LinkEvent))
        counted = Signal(len(LinkEvent))
        chosen = Signal(range(_ENTRIES))
        m.d.sync += [pending.eq((pending | self.events) & ~counted), self.is_settled.eq(0)]
        m.d.comb += [
            read.addr.eq(self.index), self.value.eq(read.data),
            write.addr.eq(chosen), write.data.eq(read.data + 1),
        ]
        with m.FSM():
            with m.State("Idle"):
                for event in reversed(LinkEvent):
                    with m.If(pending[event]):
                        m.d.sync += chosen.eq(event)
                with m.If(pending.any()):
                    m.next = "Read"
                with m.Else():
                    m.d.sync += self.is_settled.eq(1)
            with m.State("Read"):
                m.d.comb += read.addr.eq(chosen)
                m.next = "Write"
            with m.State("Write"):
                m.d.comb += [write.en.eq(1), counted.eq((1 << chosen)[: len(counted)])]
                m.next = "Idle"
        return m
