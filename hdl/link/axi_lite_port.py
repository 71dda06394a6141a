# SPDX-License-Identifier: Apache-2.0
"""AXI4-Lite port: the five channels of a subordinate on one side, register accesses on the other.
"""

import enum
from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .register_map import ADDRESS_BITS

__all__ = ["AxiLiteBus", "AxiLitePort", "RegisterAccess", "Resp"]


class Resp(enum.IntEnum):
    """How an access ended: BRESP and RRESP."""

    OKAY = 0
    #: The register is there and refuses.
    SLVERR = 2
    #: There is no such register.
    DECERR = 3


class AxiLiteBus(wiring.Signature):
    """A manager's view of AXI4-Lite with words of 32 bits, under AXI's names in small letters."""

    def __init__(self) -> None:
        super().__init__(
            {
                "awaddr": Out(ADDRESS_BITS),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(ADDRESS_BITS),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class RegisterAccess(wiring.Signature):
    """A port's view of registers. Write and read are independent, and each takes one cycle.

    In a cycle with ``write``, ``write_data`` is written to the register number ``write_word``, and
    ``write_resp`` is what that gives, a `Resp`. In a cycle with ``read``, ``read_data`` and
    ``read_resp`` are what the register number ``read_word`` gives.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "write": Out(1),
                "write_word": Out(ADDRESS_BITS - 2),
                "write_data": Out(32),
                "write_resp": In(2),
                "read": Out(1),
                "read_word": Out(ADDRESS_BITS - 2),
                "read_data": In(32),
                "read_resp": In(2),
            }
        )


class AxiLitePort(wiring.Component):
    """Turns AXI4-Lite into accesses that each take one cycle.

    Address and data of a write may come in any order and any time apart; each waits for the other
    in a register. A write is carried out when both are there and the response before has been
    taken, a read when its address is. The two low bits of an address are ignored, as is protection.
    A write that does not have all four strobes is answered SLVERR and not carried out. Each address
    has exactly one response, and no response waits for anything but the access before.

    No output depends on an input of the same cycle. Latency: BVALID 2 cycles after the later one of
    address and data, RVALID 1 cycle after the address. Throughput: a write in 2 cycles and, at the
    same time, a read in 2 cycles.

    Members
    -------
    bus : In(AxiLiteBus)
    access : Out(RegisterAccess)
        At most one write in 2 cycles.
    """

    bus: Any
    access: Any

    def __init__(self) -> None:
        super().__init__({"bus": In(AxiLiteBus()), "access": Out(RegisterAccess())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._take_writes(m)
        self._take_reads(m)
        return m

    def _take_writes(self, m: Module) -> None:
        bus, access = self.bus, self.access
        has_address = Signal()
        has_data = Signal()
        whole = Signal()
        m.d.comb += [bus.awready.eq(~has_address), bus.wready.eq(~has_data)]
        with m.If(bus.awvalid & ~has_address):
            m.d.sync += [has_address.eq(1), access.write_word.eq(bus.awaddr[2:])]
        with m.If(bus.wvalid & ~has_data):
            m.d.sync += [
                has_data.eq(1),
                access.write_data.eq(bus.wdata),
                whole.eq(bus.wstrb.all()),
            ]
        execute = has_address & has_data & ~bus.bvalid
        m.d.comb += access.write.eq(execute & whole)
        with m.If(execute):
            m.d.sync += [
                has_address.eq(0),
                has_data.eq(0),
                bus.bvalid.eq(1),
                bus.bresp.eq(Mux(whole, access.write_resp, Resp.SLVERR)),
            ]
        with m.Elif(bus.bready):
            m.d.sync += bus.bvalid.eq(0)

    def _take_reads(self, m: Module) -> None:
        bus, access = self.bus, self.access
        m.d.comb += [
            bus.arready.eq(~bus.rvalid),
            access.read.eq(bus.arvalid & ~bus.rvalid),
            access.read_word.eq(bus.araddr[2:]),
        ]
        with m.If(access.read):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rdata.eq(access.read_data),
                bus.rresp.eq(access.read_resp),
            ]
        with m.Elif(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
