# SPDX-License-Identifier: Apache-2.0
"""Fetch engine: weights from external memory into the weight memory, in bursts."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .config import NpuConfig
from .isa import Opcode, layout
from .ports import BeatPort, BurstRequest, WeightWritePort

__all__ = ["FetchEngine"]


class FetchEngine(wiring.Component):
    """Runs FETCH: asks for all bursts as fast as they are taken, and writes each beat as it comes.

    Bursts are as long as may be, and end where a multiple of ``config.burst_beats`` does.

    Throughput: a beat a cycle. Latency: from `start` 1 cycle to the first request; a beat is
    written in the cycle in which it comes, and with the last one the descriptor is done.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.FETCH))
    done : Out(1)
        The last beat is written in this cycle.
    fault : Out(1)
        The memory has refused a beat; the engine must be reset.
    fault_at : Out(32)
        That beat's byte address, with `fault`.
    burst : Out(stream of BurstRequest)
    beat : In(BeatPort)
    write : Out(WeightWritePort)
    """

    start: Signal
    descriptor: data.View
    done: Signal
    fault: Signal
    fault_at: Signal
    burst: stream.Interface
    beat: Any
    write: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.FETCH)),
                "done": Out(1),
                "fault": Out(1),
                "fault_at": Out(32),
                "burst": Out(stream.Signature(BurstRequest(config))),
                "beat": In(BeatPort(config)),
                "write": Out(WeightWritePort(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, fields = self.config, self.descriptor
        size = config.beat_bits
        source, first = fields.source[size:], fields.address[size:][: config.weight_beat_bits]
        beats = fields.bytes[size:][: bits_for(config.weight_bytes // config.external_port)]
        # What to ask for next, and what comes next.
        asks = Signal.like(source)
        left_to_ask = Signal.like(beats)
        comes = Signal.like(source)
        place = Signal.like(first)
        left_to_come = Signal.like(beats)
        m.d.comb += [
            self.burst.payload.beat.eq(asks),
            self.write.beat.eq(place),
            self.write.data.eq(self.beat.data),
            self.fault_at.eq(Cat(Const(0, size), comes)),
        ]
        length = self._burst_length(m, asks, left_to_ask)
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [
                    asks.eq(source),
                    left_to_ask.eq(beats),
                    comes.eq(source),
                    place.eq(first),
                    left_to_come.eq(beats),
                ]
                with m.If(self.start):
                    m.next = "Copy"
            with m.State("Copy"):
                m.d.comb += [
                    self.burst.valid.eq(left_to_ask != 0),
                    self.write.enable.eq(self.beat.valid),
                ]
                with m.If(self.burst.valid & self.burst.ready):
                    m.d.sync += [
                        asks.eq((asks + length)[: len(asks)]),
                        left_to_ask.eq((left_to_ask - length)[: len(left_to_ask)]),
                    ]
                with m.If(self.beat.valid & self.beat.error):
                    m.next = "Refused"
                with m.Elif(self.beat.valid):
                    m.d.sync += [
                        comes.eq(comes + 1),
                        place.eq(place + 1),
                        left_to_come.eq(left_to_come - 1),
                    ]
                    with m.If(left_to_come == 1):
                        m.d.comb += self.done.eq(1)
                        m.next = "Idle"
            with m.State("Refused"):
                m.d.comb += self.fault.eq(1)
        return m

    def _burst_length(self, m: Module, asks: Signal, left: Signal) -> Signal:
        """Beats of the next burst: to the next boundary, or as many as are left."""
        most = self.config.burst_beats
        within = exact_log2(most)
        to_boundary = Signal(range(most + 1))
        length = Signal(range(most + 1))
        m.d.comb += [
            to_boundary.eq((most - asks[:within])[: len(to_boundary)]),
            length.eq(Mux(left < to_boundary, left, to_boundary)[: len(length)]),
            self.burst.payload.beats_less_one.eq((length - 1)[:within]),
        ]
        return length
