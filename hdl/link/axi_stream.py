# SPDX-License-Identifier: Apache-2.0
"""An NPU behind AXI4-Stream: its own streams under the names and with the reset that AXI knows."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..npu.config import NpuConfig
from ..npu.npu import Npu, external_pins
from .clocking import add_domain
from .config import WrapperConfig
from .external import pass_external

__all__ = ["AxiStreamNpu"]


class AxiStreamNpu(wiring.Component):
    """An NPU with an AXI4-Stream subordinate for requests and a manager for answers.

    A packet of the NPU is a packet of AXI4-Stream: its last word has TLAST. All four bytes of a
    word count, byte 0 in bits 7:0; there is no TKEEP, TSTRB, TID, TDEST or TUSER.

    While `aresetn` is low nothing is valid and nothing is ready, from its fall on and not from the
    next edge of the clock on: no transfer can happen that one side counts and the other does not.
    Between inputs and outputs, `aresetn` aside, there is no path without a register.

    Latency: none is added to the NPU's. Throughput: a word a cycle in, one in 3 cycles out.

    Members
    -------
    aclk : In(1)
        Rising edge.
    aresetn : In(1)
        Low for a reset, synchronous to `aclk`; one cycle is enough.
    s_axis_command_tdata, s_axis_command_tlast, s_axis_command_tvalid, s_axis_command_tready
        Requests, 32 bits a word.
    m_axis_response_tdata, m_axis_response_tlast, m_axis_response_tvalid, m_axis_response_tready
        Answers, 32 bits a word.
    m_axi_araddr and so on
        The members of `AxiReadBus`, where the NPU has an external port.
    """

    aclk: Signal
    aresetn: Signal
    s_axis_command_tdata: Signal
    s_axis_command_tlast: Signal
    s_axis_command_tvalid: Signal
    s_axis_command_tready: Signal
    m_axis_response_tdata: Signal
    m_axis_response_tlast: Signal
    m_axis_response_tvalid: Signal
    m_axis_response_tready: Signal

    def __init__(self, config: NpuConfig, wrapper: WrapperConfig) -> None:
        self.config = config
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_command_tdata": In(32),
                "s_axis_command_tlast": In(1),
                "s_axis_command_tvalid": In(1),
                "s_axis_command_tready": Out(1),
                "m_axis_response_tdata": Out(32),
                "m_axis_response_tlast": Out(1),
                "m_axis_response_tvalid": Out(1),
                "m_axis_response_tready": In(1),
                **external_pins(config),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.npu = npu = Npu(self.config)
        add_domain(m, "sync", self.aclk, ~self.aresetn)
        m.d.comb += [
            npu.command.payload.data.eq(self.s_axis_command_tdata),
            npu.command.payload.last.eq(self.s_axis_command_tlast),
            npu.command.valid.eq(self.s_axis_command_tvalid),
            self.s_axis_command_tready.eq(npu.command.ready & self.aresetn),
            self.m_axis_response_tdata.eq(npu.response.payload.data),
            self.m_axis_response_tlast.eq(npu.response.payload.last),
            self.m_axis_response_tvalid.eq(npu.response.valid & self.aresetn),
            npu.response.ready.eq(self.m_axis_response_tready),
        ]
        pass_external(m, self, npu, self.aresetn)
        return m
