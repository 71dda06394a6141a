# SPDX-License-Identifier: Apache-2.0
"""An NPU behind AXI4-Lite: registers through which a processor sends requests and reads answers."""

from typing import Any

from amaranth.hdl import DomainRenamer, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ..npu.config import NpuConfig
from ..npu.npu import Npu, external_pins
from .axi_lite_port import AxiLiteBus, AxiLitePort
from .clocking import add_domain
from .config import WrapperConfig
from .external import pass_external
from .registers import Registers

__all__ = ["AxiLiteNpu"]

class AxiLiteNpu(wiring.Component):
    """An NPU as an AXI4-Lite subordinate with the registers of `register_map`.

    Structure::

        s_axi <-> AxiLitePort <-> Registers -> FIFO -> command   NPU
                                            <- FIFO <- response

    While `aresetn` is low nothing is valid and nothing is ready, from its fall on and not from the
    next edge of the clock on. Between inputs and outputs, `aresetn` aside, there is no path without
    a register.

    Latency: a word is at the NPU 2 cycles after its address and data have been taken; an answer's
    word can be read 1 cycle after the NPU has offered it. Throughput: a word in 2 cycles in, and at
    the same time one in 2 cycles out (the NPU has one in 3).

    Members
    -------
    aclk : In(1)
        Rising edge.
    aresetn : In(1)
        Low for a reset, synchronous to `aclk`; one cycle is enough.
    s_axi_awaddr and so on
        The members of `AxiLiteBus`.
    irq : Out(1)
        High while an answer can be read, where CONTROL enables it.
    m_axi_araddr and so on
        The members of `AxiReadBus`, where the NPU has an external port.
    """

    aclk: Signal
    aresetn: Signal
    irq: Signal

    def __init__(self, config: NpuConfig, wrapper: WrapperConfig) -> None:
        self.config = config
        self.depth = wrapper.fifo_depth
        bus = AxiLiteBus().flip().members
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                **{f"s_axi_{name}": member for name, member in bus.items()},
                "irq": Out(1),
                **external_pins(config),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # The NPU can be reset by itself, while the bus gets its response.
        outside = DomainRenamer("axi")
        m.submodules.npu = npu = Npu(self.config, bus_domain="axi")
        m.submodules.port = port = outside(AxiLitePort())
        m.submodules.registers = registers = outside(Registers(self.depth))
        add_domain(m, "axi", self.aclk, ~self.aresetn)
        add_domain(m, "sync", self.aclk, ~self.aresetn | registers.reset_npu)
        connect(m, port.access, registers.access)
        connect(m, registers.command, npu.command)
        connect(m, npu.response, registers.response)
        for name, member in AxiLiteBus().members.items():
            inner, pin = getattr(port.bus, name), getattr(self, f"s_axi_{name}")
            if member.flow is Out:
                m.d.comb += inner.eq(pin)
            elif name.endswith(("valid", "ready")):
                m.d.comb += pin.eq(inner & self.aresetn)
            else:
                m.d.comb += pin.eq(inner)
        m.d.comb += self.irq.eq(registers.irq)
        pass_external(m, self, npu, self.aresetn)
        return m
