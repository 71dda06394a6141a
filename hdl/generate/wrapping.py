# SPDX-License-Identifier: Apache-2.0
"""Puts a wrapper around an NPU, and says what its ports are called."""

from importlib import import_module
from typing import NamedTuple

from amaranth.lib import wiring

from ..config import Config
from ..errors import ConfigError
from ..link.config import Protocol, WrapperConfig
from ..npu.config import NpuConfig

__all__ = ["Interface", "check_wrapper", "interfaces", "wrap"]


#: Module and class of each wrapper's component, which takes both configurations.
_COMPONENTS = {
    Protocol.AXI_STREAM: ("..link.axi_stream", "AxiStreamNpu"),
    Protocol.AXI_LITE: ("..link.axi_lite", "AxiLiteNpu"),
    Protocol.UART: ("..link.uart", "UartNpu"),
}


class Interface(NamedTuple):
    """One interface of AXI at the ports of a design."""

    name: str
    """What the names of its ports begin with: `s_axi` of `s_axi_awaddr`."""
    protocol: str
    """As `AXI4-Lite`."""
    role: str
    """`subordinate` or `manager`."""


#: The interfaces of each wrapper.
_INTERFACES: dict[Protocol, tuple[Interface, ...]] = {
    Protocol.NONE: (),
    Protocol.UART: (),
    Protocol.AXI_LITE: (Interface("s_axi", "AXI4-Lite", "subordinate"),),
    Protocol.AXI_STREAM: (
        Interface("s_axis_command", "AXI4-Stream", "subordinate"),
        Interface("m_axis_response", "AXI4-Stream", "manager"),
    ),
}


def check_wrapper(config: Config, wrapper: WrapperConfig) -> None:
    """Raise ConfigError where a design of this configuration cannot have the wrapper."""
    if wrapper.protocol is not Protocol.NONE and not isinstance(config, NpuConfig):
        raise ConfigError(
            f"the wrapper {wrapper.protocol.value} is for an NPU, and this is none; leave it out, "
            "or choose a configuration of an NPU"
        )


def wrap(config: NpuConfig, wrapper: WrapperConfig) -> wiring.Component:
    """The top-level component: an NPU inside a wrapper other than `none`."""
    # What becomes gates is imported when it is needed, as a command line must start fast.
    place, name = _COMPONENTS[wrapper.protocol]
    return getattr(import_module(place, __package__), name)(config, wrapper)


def interfaces(config: Config, wrapper: WrapperConfig) -> tuple[Interface, ...]:
    """The interfaces of AXI that a design has: the wrapper's, and that to external memory."""
    return _INTERFACES[wrapper.protocol] + _external(config)


def _external(config: Config) -> tuple[Interface, ...]:
    has_port = isinstance(config, NpuConfig) and config.external_port
    return (Interface("m_axi", "AXI4", "manager"),) if has_port else ()
