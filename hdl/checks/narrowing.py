# SPDX-License-Identifier: Apache-2.0
"""Assignments that lose bits: Amaranth cuts what does not fit, and says nothing."""

from collections.abc import Iterator
from typing import Any

from amaranth.hdl import Const, Shape, Signal, unsigned

from .finding import Finding, place_of
from .syntax import Assign, Concat, Operator, Slice, Switch, SwitchValue

__all__ = ["narrowing"]


def narrowing(fragment: Any) -> list[Finding]:
    """Assignments in one module whose target cannot hold every value of the right-hand side.

    Each choice of a multiplexer is looked at by itself. Not a finding: what is cut or reinterpreted
    explicitly, by a slice, `as_signed()` or `as_unsigned()`; and a count that wraps around, as in
    ``x.eq(y + 1)`` with `x` and `y` of one shape, by a constant or by one bit.
    """
    return [
        Finding("narrowing", place_of(statement), _text(statement, value))
        for statement in _assignments(fragment)
        for value in _choices(statement.rhs)
        if not _fits(statement.lhs.shape(), value)
    ]


def _assignments(fragment: Any) -> Iterator[Any]:
    waiting: list[Any] = [s for group in fragment.statements.values() for s in group]
    for statement in waiting:
        if isinstance(statement, Assign):
            yield statement
        elif isinstance(statement, Switch):
            waiting += [inner for _, inners, _ in statement.cases for inner in inners]


def _choices(value: Any) -> Iterator[Any]:
    """The values that a tree of multiplexers chooses from."""
    if isinstance(value, SwitchValue):
        for _, choice in value.cases:
            yield from _choices(choice)
    else:
        yield value


def _fits(target: Shape, value: Any) -> bool:
    if isinstance(value, Const):
        # -1 is the usual way to write all ones.
        signed = -(1 << target.width) >> 1 <= value.value < 1 << target.width >> 1
        return signed or (not target.signed and 0 <= value.value < 1 << target.width)
    if _wraps(target, value):
        return True
    shape = value.shape()
    if shape.signed == target.signed:
        return shape.width <= target.width
    return target.signed and shape.width < target.width


def _wraps(target: Shape, value: Any) -> bool:
    """Whether it counts up or down, by a constant or one bit, in the target's own shape."""
    if not isinstance(value, Operator) or value.operator not in ("+", "-"):
        return False
    first, *second = value.operands
    pairs = [(first, second[0]), (second[0], first)] if second else []
    return any(counted.shape() == target and _is_step(step) for counted, step in pairs)


def _is_step(value: Any) -> bool:
    return isinstance(value, Const) or value.shape() == unsigned(1)


def _text(statement: Any, value: Any) -> str:
    target = statement.lhs.shape()
    cure = "as_signed()" if target.signed else "as_unsigned()"
    if value.shape().width > target.width:
        cure = "a slice"
    what = f"constant {value.value}" if isinstance(value, Const) else _describe(value.shape())
    name = _name(statement.lhs)
    return f"{what} does not fit {name}, which is {_describe(target)}; if that is meant, use {cure}"


def _describe(shape: Shape) -> str:
    return f"{'signed' if shape.signed else 'unsigned'} of {shape.width} bits"


def _name(target: Any) -> str:
    if isinstance(target, Signal):
        return target.name
    if isinstance(target, Slice):
        return f"{_name(target.value)}[{target.start}:{target.stop}]"
    if isinstance(target, Operator):
        return _name(target.operands[0])
    return "a concatenation" if isinstance(target, Concat) else "an indexed target"
