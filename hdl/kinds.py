# SPDX-License-Identifier: Apache-2.0
"""The kinds of hardware that can be generated: configuration and top-level component of each.

The one table by which a YAML file's first key, a configuration object and a component find each
other. Modules are imported when they are needed, as a command line must start fast.
"""

from importlib import import_module
from typing import Any, NamedTuple

from amaranth.lib import wiring

from .config import Config

__all__ = ["KINDS", "Kind", "kind_of"]


class Kind(NamedTuple):
    """One kind: where its classes are."""

    name: str
    """Key at the top of a configuration file, and part of the FuseSoC name."""
    config: str
    """Class of the configuration, as ``module:class`` within this package."""
    component: str
    """Class of the top-level component, which takes the configuration."""
    description: str
    """What it is, in a line."""

    def config_class(self) -> type[Config]:
        """The class of the configuration."""
        return _load(self.config)

    def build(self, config: Config) -> wiring.Component:
        """The top-level component for `config`."""
        return _load(self.component)(config)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "macro",
            ".macro.config:MacroConfig",
            ".macro.macro:Macro",
            "digital SRAM compute-in-memory macro",
        ),
        Kind(
            "npu",
            ".npu.config:NpuConfig",
            ".npu.npu:Npu",
            "neural processing unit built from compute-in-memory macros",
        ),
    )
}


def kind_of(config: Config) -> Kind:
    """The kind that a configuration belongs to."""
    for kind in KINDS.values():
        if isinstance(config, kind.config_class()):
            return kind
    raise TypeError(f"nothing is generated from {type(config).__name__}")


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module, __package__), name)
