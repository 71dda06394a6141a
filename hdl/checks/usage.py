# SPDX-License-Identifier: Apache-2.0
"""Which bits of which signals a design drives and reads."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Signal, Value

from .syntax import (
    Assign,
    ClockSignal,
    Concat,
    Instance,
    IOBufferInstance,
    MemoryInstance,
    Operator,
    Part,
    ResetSignal,
    Slice,
    Switch,
    SwitchValue,
)

__all__ = ["Usage"]


class Usage:
    """Bit masks by signal over a whole tree of modules.

    Where an index decides which bits are meant, all of them count. A register that only its own
    next value depends on does not count as read.
    """

    def __init__(self, fragment: Any) -> None:
        self.signals: dict[int, Signal] = {}
        self._driven: defaultdict[int, int] = defaultdict(int)
        self._read: defaultdict[int, int] = defaultdict(int)
        self._visit(fragment)

    def driven(self, signal: Signal) -> int:
        """The bits of a signal that something drives."""
        return self._driven[id(signal)]

    def read(self, signal: Signal) -> int:
        """The bits of a signal that something reads."""
        return self._read[id(signal)]

    def _visit(self, fragment: Any) -> None:
        for domain in fragment.domains.values():
            # Every register of the domain reads them.
            self._take(domain.clk)
            if domain.rst is not None:
                self._take(domain.rst)
        for statements in fragment.statements.values():
            self._statements(statements)
        if isinstance(fragment, Instance):
            for value, direction in fragment.ports.values():
                if isinstance(value, Value):
                    (self._drive if direction == "o" else self._take)(value)
        elif isinstance(fragment, MemoryInstance):
            self._memory(fragment)
        elif isinstance(fragment, IOBufferInstance):
            for value, use in (
                (fragment.i, self._drive),
                (fragment.o, self._take),
                (fragment.oe, self._take),
            ):
                if value is not None:
                    use(value)
        for child, _, _ in fragment.subfragments:
            self._visit(child)

    def _memory(self, memory: Any) -> None:
        for port in memory._read_ports:
            self._take(port._addr)
            self._take(port._en)
            self._drive(port._data)
        for port in memory._write_ports:
            for value in (port._addr, port._en, port._data):
                self._take(value)

    def _statements(self, statements: Iterable[Any]) -> None:
        for statement in statements:
            if isinstance(statement, Assign):
                self._drive(statement.lhs)
                own = statement.lhs if isinstance(statement.lhs, Signal) else None
                self._take(statement.rhs, besides=own)
            elif isinstance(statement, Switch):
                self._take(statement.test)
                for _, inner, _ in statement.cases:
                    self._statements(inner)
            else:  # a property or a message
                self._take_all(statement)

    def _drive(self, value: Any, start: int = 0, stop: int | None = None) -> None:
        """Note bits `start` to `stop` of an assignment's target, and what its indices read."""
        stop = len(value) if stop is None else stop
        if isinstance(value, Signal):
            self._note(self._driven, value, start, stop)
        elif isinstance(value, Slice):
            self._drive(value.value, value.start + start, value.start + stop)
        elif isinstance(value, Operator):
            self._drive(value.operands[0], start, stop)
        elif isinstance(value, Concat):
            for part, first, last in _parts(value, start, stop):
                self._drive(part, first, last)
        elif isinstance(value, Part):
            self._drive(value.value)
            self._take(value.offset)
        elif isinstance(value, SwitchValue):
            self._take(value.test)
            for _, choice in value.cases:
                self._drive(choice)

    def _take(
        self, value: Any, start: int = 0, stop: int | None = None, besides: Signal | None = None
    ) -> None:
        """Note bits `start` to `stop` of an expression, but for the signal `besides`."""
        stop = len(value) if stop is None else stop
        if isinstance(value, Signal):
            if value is not besides:
                self._note(self._read, value, start, stop)
        elif isinstance(value, Slice):
            self._take(value.value, value.start + start, value.start + stop, besides)
        elif isinstance(value, Operator) and value.operator in ("u", "s"):
            self._take(value.operands[0], start, stop, besides)
        elif isinstance(value, Concat):
            for part, first, last in _parts(value, start, stop):
                self._take(part, first, last, besides)
        else:
            self._take_operands(value, besides)

    def _take_operands(self, value: Any, besides: Signal | None) -> None:
        if isinstance(value, Operator):
            operands = value.operands
        elif isinstance(value, Part):
            operands = (value.value, value.offset)
        elif isinstance(value, SwitchValue):
            operands = (value.test, *(choice for _, choice in value.cases))
        elif isinstance(value, ClockSignal | ResetSignal):
            return  # a domain's, not a part of the design's data
        else:
            self._take_all(value)
            return
        for operand in operands:
            self._take(operand, besides=besides)

    def _take_all(self, source: Any) -> None:
        """Whatever signals a leaf or a statement of another kind names."""
        for signal in source._rhs_signals():
            self._note(self._read, signal, 0, len(signal))

    def _note(self, masks: defaultdict[int, int], signal: Signal, start: int, stop: int) -> None:
        self.signals[id(signal)] = signal
        masks[id(signal)] |= (1 << stop) - (1 << start)


def _parts(value: Any, start: int, stop: int) -> Iterable[tuple[Value, int, int]]:
    """The parts of a concatenation that bits `start` to `stop` lie in, with the bits of each."""
    offset = 0
    for part in value.parts:
        first, last = max(start - offset, 0), min(stop - offset, len(part))
        if first < last:
            yield part, first, last
        offset += len(part)
