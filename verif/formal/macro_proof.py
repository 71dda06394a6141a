# SPDX-License-Identifier: Apache-2.0
"""A macro among senders and receivers that keep the rules of streams and are free otherwise."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from amaranth.hdl import Cat, Const, Module, ShapeLike, Value
from amaranth.lib import data

from ...hdl.macro.config import MacroConfig
from ...hdl.macro.copies import copy_names
from ...hdl.macro.macro import Macro
from ...hdl.macro.serialiser import Serialiser
from ...hdl.macro.tags import TagLayout
from .proof import Probe, Proof, inputs_of
from .row_order import RowOrder
from .stream_rules import StreamRule

__all__ = ["MacroProof", "buffer_probes", "tag_probes"]


def tag_probes(config: MacroConfig) -> dict[str, Probe]:
    """The tags along the datapath, from the step register's neighbour to the last register's."""
    stages = range(config.array_registers + config.output_registers - 1)
    width = TagLayout(config).size
    return {f"tag{stage}": Probe(f"macro.tag{stage}", width) for stage in stages}


def buffer_probes(config: MacroConfig) -> dict[str, Probe]:
    """What the output buffer remembers, where it holds two."""
    if config.output_buffer == 1:
        return {}
    return {
        "behind": Probe("macro.output_buffer.behind", 2),
        "newest": Probe("macro.output_buffer.newest", 1),
        "flows": Probe("macro.output_buffer.flows", 1),
    }


class _OpenMacro(Macro):
    """A macro that is elaborated early, so that the blocks inside can be referred to."""

    @cached_property
    def inside(self) -> Any:
        """The macro as a module with its submodules."""
        return super().elaborate(None)

    def elaborate(self, platform: Any) -> Any:
        return self.inside


class MacroProof(Proof):
    """A macro whose inputs are streams that keep the rules; what is claimed is up to subclasses.

    `serialiser` and `writer`, the blocks inside, are there once `open` has been called; so are
    `rules`, a `StreamRule` for each stream by its name, and `order`, which watches the rows of a
    group. A rom has neither `writer` nor `order`.
    """

    #: The blocks inside the macro whose ports the claims are about.
    serialiser: Serialiser
    writer: Any
    rules: dict[str, StreamRule]
    order: RowOrder

    def __init__(
        self,
        config: MacroConfig,
        probes: Mapping[str, Probe] | None = None,
        inputs: Mapping[str, ShapeLike] | None = None,
    ) -> None:
        self.config = config
        self.macro = _OpenMacro(config)
        self._tag_copies = list(copy_names(config))
        copies = {name: Probe(f"macro.{name}", 1) for name, _ in self._tag_copies}
        super().__init__(inputs_of(self.macro) | dict(inputs or {}), {**(probes or {}), **copies})

    def open(self, m: Module) -> None:
        """Put the macro into `m`, its streams watched, the rules of its inputs assumed."""
        m.submodules.macro = self.macro
        self.serialiser = self.macro.inside.submodules.serialiser
        self.free(m, self.macro)
        senders = ["i", "read_request"]
        if self.config.is_writable:
            senders.append("w")
        self.rules = {name: self._watch(m, name) for name in (*senders, "o", "read_data")}
        for name in senders:
            self.assume(m, self.rules[name].kept)
        if self.config.is_writable:
            self.writer = self.macro.inside.submodules.writer
            row = self.macro.w.payload
            place = Cat(row.group, self.config.bank_of(row))
            self.order = RowOrder.of(m, self.config, self.rules["w"], row.row, place)
            self.assume(m, self.order.kept)

    @property
    def blocks(self) -> dict[str, Any]:
        """The blocks of columns from left to right."""
        submodules: Any = self.macro.inside.submodules
        places = range(0, self.config.columns, self.config.columns_per_block)
        return {f"columns{first}": getattr(submodules, f"columns{first}") for first in places}

    def _watch(self, m: Module, name: str) -> StreamRule:
        stream = getattr(self.macro, name)
        payload = Value.cast(stream.payload)
        return StreamRule.of(m, f"rule_{name}", stream.valid, stream.ready, payload)

    def same_bank(self, first: Value, second: Value) -> Value:
        """Two numbers mean the same bank: they do where there is one, whatever they are.

        Yosys has no comparison of two constant zeros, which have no bits for Amaranth.
        """
        return first == second if self.config.banks > 1 else Const(1)

    def other_bank(self, first: Value, second: Value) -> Value:
        """Two numbers mean different banks."""
        return first != second if self.config.banks > 1 else Const(0, 1)

    def tag(self, name: str) -> Any:
        """A probed tag with its fields."""
        return data.View(TagLayout(self.config), self.probe(name))

    def claim_kept(self, m: Module) -> None:
        """All stand still as one, and what is kept is offered then: for inductions."""
        for index, block in enumerate(self.blocks.values()):
            self.claim(m, f"same_stalls_{index}", block.enable == self.serialiser.enable)
        if self.config.output_buffer > 1:
            self.claim(m, "offers_what_is_kept",
                       self.probe("newest") == self.serialiser.enable)
        tag: Any = self.serialiser.tag
        if self.config.array_registers:
            tag = self.tag(f"tag{self.config.array_registers - 1}")
        for name, field in self._tag_copies:
            copied = tag.valid & tag.last if field == "last" else tag[field]
            self.claim(m, f"{name}_is_a_copy", self.probe(name) == copied)

    def claim_complete(self, m: Module) -> None:
        """Behind the accumulator there are complete dot products only: for inductions."""
        for name in list(tag_probes(self.config))[self.config.array_registers :]:
            tag = self.tag(name)
            self.claim(m, f"{name}_is_complete", ~tag.valid | tag.last)
