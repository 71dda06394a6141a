# SPDX-License-Identifier: Apache-2.0
"""Clock and reset as AXI names them: `aclk`, rising edge, and `aresetn`, low for a reset."""

from typing import Any

from amaranth.hdl import ClockDomain, Module, Value

__all__ = ["add_domain"]


def add_domain(m: Module, name: str, clock: Value, reset: Value) -> None:
    """Give a module the domain `name`, with a clock and a synchronous reset that is high active.

    Domains of one clock may hand each other signals as if they were one.
    """
    # The type stubs of Amaranth leave its signals out.
    domain: Any = ClockDomain(name, local=True)
    m.domains += domain
    m.d.comb += [domain.clk.eq(clock), domain.rst.eq(reset)]
