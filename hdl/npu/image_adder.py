# SPDX-License-Identifier: Apache-2.0
"""Image adder: two images of different scales, byte by byte, by the requantisation lanes."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import NpuConfig
from .delay import delayed
from .isa import ADD_SHIFT, Opcode, layout
from .latency import ADD_TURNS, BYTES_AFTER, REQUANTISE_CYCLES, SUM_WAITS
from .ports import byte_lanes
from .requantise_lanes import beat_layout, sums_layout

__all__ = ["ImageAdder"]

#: Cycles in turn: the first image's bytes, the second's, and their scaled sum.
_FIRST, _SECOND, _SUM = range(ADD_TURNS)
#: From deciding on an addend to its beat; a register follows the bytes.
_ENTERS_AFTER = BYTES_AFTER + 1


class ImageAdder(wiring.Component):
    """Sends each `requantisers` bytes through them three times: both addends, then their sum.

    They bring the addends to a common scale (`scaled`); what they make of the sum of these is the
    result. Reads are one byte in three cycles a lane and image, so nothing holds it up: the
    activation memory serves the vector engine first.

    Throughput: 3 cycles for `requantisers` bytes. Latency: ``BYTES_AFTER + 2 + REQUANTISE_CYCLES +
    SUM_WAITS - 1`` cycles from asking for the first image's bytes to the beat of the sum.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until the last result is written.
    descriptor : In(layout(Opcode.ADD))
    asks : Out(1)
        Bytes are asked for, from `address` on; they surely come.
    address : Out(config.activation_address_bits)
    bytes : In(byte_lanes(config))
        What was asked for ``BYTES_AFTER - 1`` cycles ago, the first byte in lane 0.
    scaled : In(sums_layout(config))
        As in `RequantiseLanes`.
    beat : Out(beat_layout(config))
        Zero where there is none.
    sums : Out(sums_layout(config))
        Zero where there is no beat.
    """

    start: Signal
    descriptor: data.View
    asks: Signal
    address: Signal
    bytes: data.View
    scaled: data.View
    beat: Any
    sums: data.View

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.ADD)),
                "asks": Out(1),
                "address": Out(config.activation_address_bits),
                "bytes": In(byte_lanes(config)),
                "scaled": In(sums_layout(config)),
                "beat": Out(beat_layout(config)),
                "sums": Out(sums_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        turn, following = Signal(range(ADD_TURNS)), Signal(range(ADD_TURNS))
        # Which addend enters the lanes in this turn, and whether the second comes out of them: from
        # registers, as they reach all lanes.
        entering, next_entering = Signal(range(ADD_TURNS)), Signal(range(ADD_TURNS))
        second_comes_out = Signal()
        second = (_SECOND + _ENTERS_AFTER + REQUANTISE_CYCLES) % ADD_TURNS
        with m.Switch(following):
            for now in range(ADD_TURNS):
                with m.Case(now):
                    m.d.comb += next_entering.eq((now - _ENTERS_AFTER) % ADD_TURNS)
        m.d.comb += following.eq(Mux(self.start, _FIRST, _next_turn(turn)))
        m.d.sync += [
            turn.eq(following), entering.eq(next_entering), second_comes_out.eq(following == second)
        ]
        enters = delayed(m, "enters", self._ask(m, turn), _ENTERS_AFTER)
        sends_sum = delayed(
            m, "sends_sum", enters & (entering == _SECOND), REQUANTISE_CYCLES + SUM_WAITS
        )
        self._send(m, next_entering, enters, sends_sum)
        self._add(m, second_comes_out, enters, sends_sum)
        return m

    def _ask(self, m: Module, turn: Signal) -> Value:
        """Ask for bytes of both images in turn, while there are any."""
        fields = self.descriptor
        lanes, bits = self.config.requantisers, self.config.activation_address_bits
        offset = Signal(bits)
        left = Signal(bits + 1)
        running = Signal()
        base = Mux(turn == _SECOND, fields.other_start, fields.start)
        decides = Signal()
        m.d.comb += decides.eq(running & (turn != _SUM))
        m.d.sync += [
            self.asks.eq(decides),
            self.address.eq((base + offset)[:bits]),
        ]
        with m.If(turn == _SUM):
            m.d.sync += [offset.eq((offset + lanes)[:bits]), left.eq((left - lanes)[: len(left)])]
            with m.If(left <= lanes):
                m.d.sync += running.eq(0)
        with m.If(self.start):
            m.d.sync += [
                offset.eq(0), left.eq(fields.bytes[: len(left)]), running.eq(1),
            ]
        return decides

    def _send(self, m: Module, next_entering: Signal, enters: Value, sends_sum: Value) -> None:
        """The beats. Addends write nothing."""
        fields = self.descriptor
        lanes, bits = self.config.requantisers, self.config.activation_address_bits
        address = Signal(bits)
        left = Signal(bits + 1)
        beat = Signal(beat_layout(self.config))
        ends = left <= lanes
        parameters = Signal.like(beat.parameters)
        channels = fields.channel[exact_log2(lanes) :] + next_entering
        m.d.sync += parameters.eq(channels[: len(parameters)])
        m.d.comb += [
            beat.valid.eq(1),
            beat.last.eq(sends_sum & ends),
            beat.count.eq(Mux(sends_sum, Mux(ends, left, lanes), 0)[: len(beat.count)]),
            beat.parameters.eq(parameters),
            beat.address.eq(address),
            self.beat.as_value().eq(Mux(enters | sends_sum, beat.as_value(), 0)),
        ]
        with m.If(sends_sum):
            m.d.sync += [address.eq((address + lanes)[:bits]), left.eq((left - lanes)[: len(left)])]
        with m.If(self.start):
            m.d.sync += [address.eq(fields.out_start[:bits]), left.eq(fields.bytes[: len(left)])]

    def _add(
        self, m: Module, second_comes_out: Signal, enters: Value, sends_sum: Value
    ) -> None:
        """Addends on their way in, and the sum of the last two that came out."""
        for lane in range(self.config.requantisers):
            value = Signal(signed(8), name=f"value{lane}", reset_less=True)
            before = Signal(signed(32), name=f"before{lane}", reset_less=True)
            total = Signal(signed(32), name=f"total{lane}", reset_less=True)
            m.d.sync += [value.eq(self.bytes[lane].as_signed()), before.eq(self.scaled[lane])]
            with m.If(second_comes_out):
                m.d.sync += total.eq((before + self.scaled[lane])[:32].as_signed())
            addend = Mux(enters, value << ADD_SHIFT, 0)
            m.d.comb += self.sums[lane].eq(Mux(sends_sum, total, addend)[:32].as_signed())


def _next_turn(turn: Signal) -> Value:
    return Mux(turn == ADD_TURNS - 1, 0, turn + 1)[: len(turn)]
