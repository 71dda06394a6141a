# SPDX-License-Identifier: Apache-2.0
"""An NPU behind a serial line: two pins for all."""

from typing import Any

from amaranth.hdl import DomainRenamer, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ..npu.config import NpuConfig
from ..npu.npu import Npu, external_pins
from .clocking import add_domain
from .config import WrapperConfig
from .external import pass_external
from .serial_link import SerialLink

__all__ = ["UartNpu"]


class UartNpu(wiring.Component):
    """An NPU with a `SerialLink`; a session of the host begins with a reset of the NPU.

    Members
    -------
    clk : In(1)
        Rising edge.
    rst : In(1)
        High for a reset, synchronous to `clk`; one cycle is enough.
    rx, tx : In(1), Out(1)
        The line: eight data bits, no parity, one stop bit. `rx` is not synchronous to `clk`.
    m_axi_araddr and so on
        The members of `AxiReadBus`, where the NPU has an external port.
    """

    clk: Signal
    rst: Signal
    rx: Signal
    tx: Signal

    def __init__(self, config: NpuConfig, wrapper: WrapperConfig) -> None:
        self.config = config
        self.wrapper = wrapper
        super().__init__(
            {
                "clk": In(1),
                "rst": In(1),
                "rx": In(1),
                "tx": Out(1),
                **external_pins(config),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # The NPU can be reset by itself, while the host is answered.
        m.submodules.npu = npu = Npu(self.config, bus_domain="link")
        m.submodules.link = link = DomainRenamer("link")(SerialLink(self.wrapper))
        add_domain(m, "link", self.clk, self.rst)
        add_domain(m, "sync", self.clk, self.rst | link.reset_npu)
        connect(m, link.command, npu.command)
        connect(m, npu.response, link.response)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]
        pass_external(m, self, npu, ~self.rst)
        return m
