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
from .latency import (
    ADD_TURNS,
    BYTES_AFTER,
    FIRST_AFTER,
    FIRST_WAITS,
    REQUANTISE_CYCLES,
    SUM_WAITS,
)
from .ports import byte_lanes
from .requantise_lanes import beat_layout, sums_layout

__all__ = ["ImageAdder"]

#: From deciding on bytes to their being in a register.
_ENTERS_AFTER = BYTES_AFTER + 1


class ImageAdder(wiring.Component):
    """Sends each `requantisers` bytes through them twice: the second image's, then the sum.

    The common scale is twice the first image's, so that its bytes need only be moved up, by a bit
    less than the second image's, which the lanes bring to that scale (`scaled`). What they make of
    the sum of both is the result. In turns of two cycles a term of the second image enters the
    lanes and a sum does; the memory is read for the second image, and for the first, as far ahead
    of the sum as that comes behind the term. So nothing holds it up: the activation memory serves
    the vector engine first.

    Throughput: 2 cycles for `requantisers` bytes. Latency: ``BYTES_AFTER + 2 + REQUANTISE_CYCLES +
    SUM_WAITS - 1`` cycles from asking for the second image's bytes to the beat of the sum.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until the last result is written.
    descriptor : In(layout(Opcode.ADD))
    asks : Out(1)
        Bytes are asked for, from `address` on; they surely come.
    will_ask : Out(1)
        They are in the next cycle.
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
    will_ask: Signal
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
                "will_ask": Out(1),
                "address": Out(config.activation_address_bits),
                "bytes": In(byte_lanes(config)),
                "scaled": In(sums_layout(config)),
                "beat": Out(beat_layout(config)),
                "sums": Out(sums_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # The cycle in which the second image is read, of each turn.
        is_second = Signal()
        m.d.sync += is_second.eq(self.start | ~is_second)
        # Of the next cycle: a term enters the lanes, a sum does.
        will_enter = delayed(m, "enters", self._ask(m, is_second), _ENTERS_AFTER - 1)
        will_send = delayed(m, "sends_sum", will_enter, REQUANTISE_CYCLES + SUM_WAITS)
        # What enters the lanes in the next cycle is a sum, if anything does.
        sum_is_next = is_second if _ENTERS_AFTER % ADD_TURNS == 0 else ~is_second
        self._send(
            m, sum_is_next, delayed(m, "term", will_enter, 1), delayed(m, "sum", will_send, 1)
        )
        self._add(m, will_enter, will_send)
        return m

    def _ask(self, m: Module, is_second: Value) -> Value:
        """Ask for bytes of the second image, while there are any; for the first's some time later.
        """
        fields = self.descriptor
        lanes, bits = self.config.requantisers, self.config.activation_address_bits
        address, other_address = Signal(bits), Signal(bits)
        left = Signal(bits + 1)
        running = Signal()
        asks_second = Signal()
        m.d.comb += asks_second.eq(running & is_second)
        asks_first = delayed(m, "asks_first", asks_second, FIRST_AFTER)
        m.d.comb += self.will_ask.eq(asks_second | asks_first)
        m.d.sync += [
            self.asks.eq(self.will_ask),
            self.address.eq(Mux(asks_first, address, other_address)),
        ]
        with m.If(asks_first):
            m.d.sync += address.eq((address + lanes)[:bits])
        with m.If(asks_second):
            m.d.sync += [
                other_address.eq((other_address + lanes)[:bits]),
                left.eq((left - lanes)[: len(left)]),
            ]
            with m.If(left <= lanes):
                m.d.sync += running.eq(0)
        with m.If(self.start):
            m.d.sync += [
                address.eq(fields.start[:bits]), other_address.eq(fields.other_start[:bits]),
                left.eq(fields.bytes[: len(left)]), running.eq(1),
            ]
        return asks_second

    def _send(self, m: Module, sum_is_next: Value, enters: Value, sends_sum: Value) -> None:
        """The beats. Terms write nothing."""
        fields = self.descriptor
        lanes, bits = self.config.requantisers, self.config.activation_address_bits
        address = Signal(bits)
        left = Signal(bits + 1)
        beat = Signal(beat_layout(self.config))
        ends = left <= lanes
        parameters = Signal.like(beat.parameters)
        channels = fields.channel[exact_log2(lanes) :] + sum_is_next
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

    def _add(self, m: Module, will_enter: Value, will_send: Value) -> None:
        """Bytes of the second image on their way in; those of the first, and what came out.

        Lanes lie far apart: each has registers of its own that tell which it is.
        """
        keep = self.config.macros > 1
        for lane in range(self.config.requantisers):
            enters = delayed(m, f"lane{lane}_enters", will_enter, 1, keep=keep)
            sends_sum = delayed(m, f"lane{lane}_sends_sum", will_send, 1, keep=keep)
            value = Signal(signed(8), name=f"value{lane}", reset_less=True)
            total = Signal(signed(32), name=f"total{lane}", reset_less=True)
            m.d.sync += value.eq(self.bytes[lane].as_signed())
            first = delayed(m, f"first{lane}_", value, FIRST_WAITS, reset_less=True).as_signed()
            both = (first << ADD_SHIFT - 1) + self.scaled[lane]
            m.d.sync += total.eq(both[:32].as_signed())
            waited = delayed(m, f"waited{lane}_", total, SUM_WAITS - 1, reset_less=True)
            term = Mux(enters, value << ADD_SHIFT, 0)
            found = Mux(sends_sum, waited.as_signed(), term)
            m.d.comb += self.sums[lane].eq(found[:32].as_signed())
