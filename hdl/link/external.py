# SPDX-License-Identifier: Apache-2.0
"""The NPU's port to external memory at the ports of a wrapper: it speaks AXI4 already."""

from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib.wiring import Out

from ..npu.npu import external_pins

__all__ = ["pass_external"]


def pass_external(m: Module, wrapper: Any, npu: Any, aresetn: Value) -> None:
    """Connect the pins of `wrapper` to those of the `npu` in it, if it has an external port.

    In a reset nothing is valid and nothing is ready, as at the other pins of wrappers.
    """
    for name, member in external_pins(npu.config).items():
        pin, inner = getattr(wrapper, name), getattr(npu, name)
        if member.flow is not Out:
            m.d.comb += inner.eq(pin)
        elif name.endswith(("valid", "ready")):
            m.d.comb += pin.eq(inner & aresetn)
        else:
            m.d.comb += pin.eq(inner)
