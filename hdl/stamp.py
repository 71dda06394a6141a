# SPDX-License-Identifier: Apache-2.0
"""Identical sub-blocks: described once, emitted once, instantiated many times.

Amaranth emits a module for every submodule instance. A macro has tens of equal columns, so Verilog
size and generation time would grow with what is repeated. A `Stamp` stands for one instance: where
Verilog is generated (the platform is a `ModuleLibrary`) it becomes an instance of a module that is
converted once; everywhere else, as in Amaranth's simulator, it becomes the component itself.
"""

import re
from collections.abc import Callable, Hashable, Iterator
from importlib import import_module
from typing import Any

from amaranth.hdl import (
    ClockSignal,
    Fragment,
    Instance,
    Module,
    ResetInserter,
    ResetSignal,
    ShapeCastable,
    Signal,
    Value,
    ValueLike,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ModuleLibrary", "Stamp", "to_rtlil"]

#: By name, as the type stubs of Amaranth leave these modules out.
_rtlil: Any = import_module("amaranth.back.rtlil")
_ir: Any = import_module("amaranth.hdl._ir")

#: Called with each component that is converted and the fragment that it has become.
Inspect = Callable[[wiring.Component, Any], None]

#: Ports and signals of no bits. Verilog has none: they would get a bit, or two.
_NO_BITS = re.compile(
    r"^(?:  attribute .*\n)*  wire width 0 .*\n|^connect \S+ \{  \}\n", re.MULTILINE
)


class ModuleLibrary:
    """The modules of one Verilog file: each distinct sub-block, under a name of its own.

    Used as the platform of a conversion, so that every `Stamp` below finds it. `inspect` sees what
    is converted before it is: elaborating a design takes long, so it happens once for all uses.
    """

    def __init__(
        self, prefix: str, inspect: Inspect = lambda component, fragment: None
    ) -> None:
        self.inspect = inspect
        self._prefix = prefix
        self._names: dict[Hashable, str] = {}
        self._texts: dict[str, str] = {}
        self._verilog: dict[str, str] = {}

    def module_name(self, key: Hashable, kind: str, build: Callable[[], wiring.Component]) -> str:
        """The name of the module for `key`; converts what `build` returns when `key` is new."""
        if key not in self._names:
            stem = f"{self._prefix}_{kind}"
            taken = sum(name.startswith(stem) for name in self._names.values())
            name = f"{stem}_{taken}" if taken else stem
            self._names[key] = name
            self._texts[name] = to_rtlil(build(), name, self)
        return self._names[key]

    def verilog_module(self, key: Hashable, kind: str, text: Callable[[str], str]) -> str:
        """The name of a module that is written as Verilog: `text` gives it for a name.

        For what Amaranth cannot describe. Whoever instantiates it describes the same in Amaranth,
        for simulation and proofs.
        """
        if key not in self._names:
            name = f"{self._prefix}_{kind}"
            self._names[key] = name
            self._verilog[name] = text(name)
        return self._names[key]

    @property
    def verilog(self) -> dict[str, str]:
        """Verilog text by module name, of the modules that are written as such."""
        return dict(self._verilog)

    @property
    def modules(self) -> dict[str, str]:
        """RTLIL text by module name, each after those it instantiates."""
        return dict(self._texts)


class Stamp(wiring.Component):
    """One instance of a block that occurs many times.

    Parameters
    ----------
    key : hashable
        Equal for blocks that are equal: the class and its parameters.
    kind : str
        Part of the emitted module's name.
    signature : Signature
        The component's, known without building it.
    build : callable
        Returns the component. It must have a `sync` domain and no other. An inserted reset
        (`ResetInserter`) does not reach its registers.
    reset : Signal, optional
        What resets its registers instead of the domain's reset. It must be high for a cycle where
        that is, or in the next one, as a register is that begins at 1. So the two need not meet in
        a gate, with two long ways where the block is large.

    Members
    -------
    The component's own.
    """

    def __init__(
        self,
        key: Hashable,
        kind: str,
        signature: wiring.Signature,
        build: Callable[[], wiring.Component],
        reset: Signal | None = None,
    ) -> None:
        self._key = key
        self._kind = kind
        self._build = build
        self._reset = reset
        super().__init__(signature)

    def share(self, member: str, value: ValueLike) -> None:
        """Make a signal that other instances have as well the input `member`, not only drive it.

        An assignment is work for every bit of every instance: of a macro with many rows and columns
        it would be most of the time to generate it.
        """
        shape = self.signature.members[member].shape
        value = Value.cast(value)
        setattr(self, member, shape(value) if isinstance(shape, ShapeCastable) else value)

    def elaborate(self, platform: Any) -> Any:
        if isinstance(platform, ModuleLibrary):
            name = platform.module_name(self._key, self._kind, self._build)
            return Instance(name, **self._port_connections())
        m = Module()
        block: Any = self._build()
        inserted = ResetInserter(self._reset) if self._reset is not None else lambda inside: inside
        m.submodules.block = inserted(block)
        ports = zip(_ports(self), _ports(block), strict=True)
        for (_, flow, outer), (_, _, inner) in ports:
            m.d.comb += inner.eq(outer) if flow is In else outer.eq(inner)
        return m

    def _port_connections(self) -> dict[str, Any]:
        reset = ResetSignal() if self._reset is None else self._reset
        connections: dict[str, Any] = {"i_clk": ClockSignal(), "i_rst": reset}
        for name, flow, value in _ports(self):
            # A port of no bits (the bank of a macro with one bank) does not exist in Verilog.
            if len(value):
                connections[f"{'i' if flow is In else 'o'}_{name}"] = value
        return connections


def to_rtlil(component: wiring.Component, name: str, library: ModuleLibrary) -> str:
    """RTLIL of `component` as module `name`: no source paths, equal bytes for equal input.

    What is stamped below it is only instantiated; `library` then holds its modules.
    """
    fragment = Fragment.get(component, library)
    library.inspect(component, fragment)
    directions = {In: _ir.PortDirection.Input, Out: _ir.PortDirection.Output}
    ports = {port: (value, directions[flow]) for port, flow, value in _ports(component)}
    text = _rtlil.convert(fragment, name=name, ports=ports, emit_src=False)
    return _NO_BITS.sub("", text)


def _ports(component: wiring.Component) -> Iterator[tuple[str, Any, Value]]:
    """Name, flow and value of each port, named as Amaranth does where it elaborates a component."""
    for path, member, value in component.signature.flatten(component):
        yield "__".join(str(part) for part in path), member.flow, Value.cast(value)
