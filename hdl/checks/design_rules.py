# SPDX-License-Identifier: Apache-2.0
"""The rules, over a component and everything below it."""

from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any

from amaranth.hdl import Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from ..stamp import ModuleLibrary
from .finding import Finding, place_of
from .narrowing import narrowing
from .syntax import Fragment
from .usage import Usage

__all__ = ["check", "findings_of"]

_LIBRARY = Path(wiring.__file__).parent


def check(component: wiring.Component) -> list[Finding]:
    """What breaks a design rule in a component and everything below it; blocks stamped often once.

    - `narrowing`: an assignment loses bits that nobody cut explicitly.
    - `undriven`: bits that are read, or of a port, and that nothing drives. A signal with an
      initial value other than zero counts as a constant that is meant.
    - `unread`: a signal that is driven and not read. Ports are left out: a general block does not
      use all of them in every configuration.
    """
    library = _Stamped()
    found = findings_of(component, Fragment.get(component, library))
    return list(dict.fromkeys([*found, *library.findings]))


class _Stamped(ModuleLibrary):
    """Checks what is stamped, each block once, and converts nothing."""

    def __init__(self) -> None:
        super().__init__("")
        self.findings: list[Finding] = []
        self._seen: set[Hashable] = set()

    def module_name(self, key: Hashable, kind: str, build: Callable[[], wiring.Component]) -> str:
        if key not in self._seen:
            self._seen.add(key)
            component = build()
            self.findings += findings_of(component, Fragment.get(component, self))
        return kind


def findings_of(component: wiring.Component, fragment: Any) -> list[Finding]:
    """As `check`, for a component that is elaborated already; what is stamped is left out."""
    usage = Usage(fragment)
    findings = [found for part in _tree(fragment) for found in narrowing(part)]
    inner = [
        port
        for part in _tree(fragment)
        for origin in part.origins or ()
        if isinstance(origin, wiring.Component) and origin is not component
        for port in _ports(origin)
    ]
    outer = list(_ports(component))
    findings += _undriven_ports(usage, inner, outer)
    ports = {id(signal) for _, signal in (*inner, *outer)}
    # The signals that tell which state an FSM is in have no name and come whether used or not.
    local = [s for s in usage.signals.values() if id(s) not in ports and s.name]
    findings += [found for signal in local for found in _undriven(usage, signal)]
    findings += [
        Finding("unread", place_of(signal), f"{signal.name} is driven and nothing reads it")
        for signal in local
        if usage.driven(signal) and not usage.read(signal) and not _is_from_library(signal)
    ]
    return findings


def _undriven_ports(
    usage: Usage, inner: list[tuple[bool, Signal]], outer: list[tuple[bool, Signal]]
) -> Iterator[Finding]:
    """Inputs of inner blocks and outputs of the whole: every bit. Other ports: the bits read."""
    for is_input, port in inner:
        yield from _undriven(usage, port, entirely=is_input)
    for is_input, port in outer:
        if not is_input:
            yield from _undriven(usage, port, entirely=True)


def _undriven(usage: Usage, signal: Signal, *, entirely: bool = False) -> Iterator[Finding]:
    needed = (1 << len(signal)) - 1 if entirely else usage.read(signal)
    missing = needed & ~usage.driven(signal)
    if missing and not signal.init:
        bits = "" if missing == (1 << len(signal)) - 1 else f"[{_ranges(missing)}]"
        why = "a port" if entirely else "read"
        text = f"{signal.name}{bits} is {why} and nothing drives it"
        yield Finding("undriven", place_of(signal), text)


def _ranges(mask: int) -> str:
    """The bits of a mask: `0:3, 7`, each range with its end left out."""
    ranges, bit = [], 0
    while mask >> bit:
        if mask >> bit & 1:
            end = bit
            while mask >> end & 1:
                end += 1
            ranges.append(str(bit) if end == bit + 1 else f"{bit}:{end}")
            bit = end
        else:
            bit += 1
    return ", ".join(ranges)


def _is_from_library(signal: Any) -> bool:
    """Whether it belongs to a part of Amaranth's own, such as a FIFO, with outputs to spare."""
    return Path(signal.src_loc[0]).is_relative_to(_LIBRARY)


def _tree(fragment: Any) -> Iterator[Any]:
    yield fragment
    for child, _, _ in fragment.subfragments:
        yield from _tree(child)


def _ports(component: wiring.Component) -> Iterator[tuple[bool, Signal]]:
    """Whether it is an input, and the signal, of every port that is one."""
    for _, member, value in component.signature.flatten(component):
        value = Value.cast(value)
        if isinstance(value, Signal) and len(value):
            yield member.flow is In, value
