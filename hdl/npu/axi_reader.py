# SPDX-License-Identifier: Apache-2.0
"""AXI reader: bursts of words from external memory, several under way, in order."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from .config import NpuConfig
from .latency import MOST_BURSTS
from .ports import BeatPort, BurstRequest

__all__ = ["AxiReadBus", "AxiReader"]

#: ARBURST: each beat of a burst follows the one before it.
_INCREASING = 0b01
#: ARCACHE: normal memory, neither cached nor merged; reads as the rest of the system wrote it.
_NON_CACHEABLE = 0b0011


class AxiReadBus(Signature):
    """A manager's view of AXI4's two channels for reads, addresses of 32 bits.

    There is one ID, so that data come in the order of the bursts. ARLOCK, ARQOS and ARREGION are
    not there, and mean zero as the standard says.
    """

    def __init__(self, config: NpuConfig) -> None:
        super().__init__(
            {
                "arid": Out(1),
                "araddr": Out(32),
                "arlen": Out(8),
                "arsize": Out(3),
                "arburst": Out(2),
                "arcache": Out(4),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rid": In(1),
                "rdata": In(8 * config.external_port),
                "rresp": In(2),
                "rlast": In(1),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class AxiReader(wiring.Component):
    """Asks for bursts and passes their beats on as they come; it can always take one.

    A burst that has been asked for cannot be taken back, so this part outlives a reset of the
    engines: what they do not want any more is taken and dropped before the next burst is asked for.

    Latency: 1 cycle from a request to its address on the bus, none from the bus to `beat`.
    Throughput: a burst in 2 cycles where the bus takes them, a beat a cycle; at most `MOST_BURSTS`
    bursts are under way.

    Members
    -------
    burst : In(stream of BurstRequest)
    beat : Out(BeatPort)
    discard : In(1)
        Whatever is under way is of no use any more.
    bus : Out(AxiReadBus)
        From its registers, or constant.
    """

    burst: stream.Interface
    beat: Any
    discard: Signal
    bus: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "burst": In(stream.Signature(BurstRequest(config))),
                "beat": Out(BeatPort(config)),
                "discard": In(1),
                "bus": Out(AxiReadBus(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus, size = self.bus, self.config.beat_bits
        # Bursts whose last beat has not come.
        under_way = Signal(range(MOST_BURSTS + 1))
        drops = Signal()
        begins = self.burst.valid & self.burst.ready
        ends = bus.rvalid & bus.rlast
        m.d.comb += [
            self.burst.ready.eq(~bus.arvalid & (under_way != MOST_BURSTS) & ~drops),
            bus.arid.eq(0),
            bus.arsize.eq(size),
            bus.arburst.eq(_INCREASING),
            bus.arcache.eq(_NON_CACHEABLE),
            bus.arprot.eq(0),
            bus.rready.eq(1),
            self.beat.valid.eq(bus.rvalid & ~drops),
            self.beat.data.eq(bus.rdata),
            # SLVERR and DECERR; EXOKAY is no answer to what is asked, and does no harm.
            self.beat.error.eq(bus.rresp[1]),
        ]
        with m.If(bus.arready):
            m.d.sync += bus.arvalid.eq(0)
        with m.If(begins):
            m.d.sync += [
                bus.arvalid.eq(1),
                bus.araddr.eq(Cat(Const(0, size), self.burst.payload.beat)),
                bus.arlen.eq(self.burst.payload.beats_less_one),
            ]
        with m.If(begins & ~ends):
            m.d.sync += under_way.eq(under_way + 1)
        with m.Elif(ends & ~begins):
            m.d.sync += under_way.eq(under_way - 1)
        with m.If(self.discard):
            m.d.sync += drops.eq(1)
        with m.Elif(under_way == 0):
            m.d.sync += drops.eq(0)
        return m
