# SPDX-License-Identifier: Apache-2.0
"""A macro among senders and receivers that keep the rules of streams and are free otherwise."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from amaranth.hdl import Module, Shape, ShapeLike, Value
from amaranth.lib import data

from ...hdl.macro.config import MacroConfig
from ...hdl.macro.macro import Macro
from ...hdl.macro.serialiser import PlaneTag, Serialiser
from .proof import Probe, Proof, inputs_of
from .stream_rules import StreamRule

__all__ = ["MacroProof", "tag_probes"]


def tag_probes(config: MacroConfig) -> dict[str, Probe]:
    """The tags along the array, from the plane register's neighbour to the complete dot product."""
    width = Shape.cast(PlaneTag).width
    stages = [f"tag{stage}" for stage in range(config.array_registers)]
    return {name: Probe(f"macro.{name}", width) for name in (*stages, "complete")}


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
    `rules`, a `StreamRule` for each stream by its name.
    """

    #: The blocks inside the macro whose ports the claims are about.
    serialiser: Serialiser
    writer: Any
    rules: dict[str, StreamRule]

    def __init__(
        self,
        config: MacroConfig,
        probes: Mapping[str, Probe] | None = None,
        inputs: Mapping[str, ShapeLike] | None = None,
    ) -> None:
        self.config = config
        self.macro = _OpenMacro(config)
        super().__init__(inputs_of(self.macro) | dict(inputs or {}), probes)

    def open(self, m: Module) -> None:
        """Put the macro into `m`, its streams watched, the rules of its inputs assumed."""
        m.submodules.macro = self.macro
        self.serialiser = self.macro.inside.submodules.serialiser
        self.writer = self.macro.inside.submodules.writer
        self.free(m, self.macro)
        self.rules = {
            name: self._watch(m, name) for name in ("w", "i", "read_request", "o", "read_data")
        }
        for name in ("w", "i", "read_request"):
            self.assume(m, self.rules[name].kept)

    def _watch(self, m: Module, name: str) -> StreamRule:
        stream = getattr(self.macro, name)
        payload = Value.cast(stream.payload)
        return StreamRule.of(m, f"rule_{name}", stream.valid, stream.ready, payload)

    def tag(self, name: str) -> Any:
        """A probed tag with its fields."""
        return data.View(PlaneTag, self.probe(name))
