# SPDX-License-Identifier: Apache-2.0
"""The macro's output side: what is in the output registers, as two streams."""


from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..keep import keep_where
from .config import MacroConfig
from .tags import TagLayout

__all__ = ["OutputBuffer"]


class OutputBuffer(wiring.Component):
    """Offers the columns' output registers, and has everything keep its value where they are full.

    With ``output_buffer: 2`` an output that is not taken makes room for the next one here (a skid
    buffer), and `enable` falls in the cycle after: it comes from a register, as it reaches every
    flip-flop of the datapath. With 1 there is no such room, and `enable` falls within the cycle in
    which the next output is complete and the one before is not taken.

    Latency: none, from the columns' registers to `o`. Throughput: an output a cycle, either way.

    Members
    -------
    complete : In(TagLayout(config))
        Belongs to what enters the columns' output registers next.
    coming : In(TagLayout(config))
        What `complete` is after the next step; only with ``output_buffer: 2``.
    outputs : In(config.output_layout)
        These registers.
    enable : Out(1)
        Operands, sums and outputs keep their values where it is low.
    next_enable : Out(1)
        What `enable` is in the next cycle; only with ``output_buffer: 2``.
    o : Out(stream of config.output_layout)
    read_data : Out(stream of config.read_data_layout)
    """

    complete: data.View
    coming: data.View
    outputs: data.View
    enable: Signal
    next_enable: Signal
    o: stream.Interface
    read_data: stream.Interface

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "complete": In(TagLayout(config)),
                "coming": In(TagLayout(config)),
                "outputs": In(config.output_layout),
                "enable": Out(1),
                "next_enable": Out(1),
                "o": Out(stream.Signature(config.output_layout)),
                "read_data": Out(stream.Signature(config.read_data_layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # What is offered, and what arrives: an output, a row read back, or neither.
        offers = Signal(2)
        offers_any = Signal()
        kind = Signal(2)
        taken = Signal()
        arrives = Signal()
        stays = Signal()
        m.d.comb += [
            Cat(self.o.valid, self.read_data.valid).eq(offers),
            taken.eq((offers & Cat(self.o.ready, self.read_data.ready)).any()),
            arrives.eq(self.complete.valid & self.complete.last),
            kind.eq(Cat(self.complete.closes & ~self.complete.reads, self.complete.reads)),
            stays.eq(offers_any & ~taken),
        ]
        # Of the next cycle, and whether it is any: what stalls the datapath is decided by that.
        following = Signal(2)
        m.d.comb += following.eq(offers)
        m.d.sync += [offers.eq(following), offers_any.eq(following.any())]
        with m.If(self.enable):
            with m.If(arrives & ~stays):
                m.d.comb += following.eq(kind)
            with m.Elif(taken):
                m.d.comb += following.eq(0)
        if self.config.output_buffer == 1:
            m.d.comb += [self.enable.eq(~(arrives & stays)), self.next_enable.eq(0)]
            self._offer(m, self.outputs.as_value())
            return m
        outputs = self.outputs.as_value()
        kept = Signal(len(outputs), reset_less=True)
        behind = Signal(2)
        # Without a reset, which for registers that are kept would be one more gate: in the cycle
        # after one they may still be low, and rise then, as `flows` is high.
        moves = Signal(init=1, reset_less=True, attrs=keep_where(True))
        # The same, for the outputs alone: they may be far from all others.
        newest = Signal(init=1, reset_less=True, attrs=keep_where(True))
        # Nothing stalls, whether something is taken or not; where it is low, something is offered.
        # It is known a cycle before, so that what the consumers say is one gate away from the bit
        # that reaches all of the datapath.
        flows = Signal(init=1)
        is_taken = Mux(offers[1], self.read_data.ready, self.o.ready)
        arrives_next = Mux(moves, self.coming.valid & self.coming.last, arrives)
        m.d.comb += [self.enable.eq(moves), self.next_enable.eq(flows | is_taken)]
        m.d.sync += [
            moves.eq(self.next_enable),
            newest.eq(self.next_enable),
            flows.eq(self.next_enable & ~(arrives_next & following.any())),
        ]
        with m.If(moves):
            m.d.sync += [kept.eq(outputs), behind.eq(kind)]
        with m.Elif(taken):
            m.d.comb += following.eq(behind)
        self._offer(m, Mux(newest, outputs, kept))
        return m

    def _offer(self, m: Module, outputs: Value) -> None:
        """Offer the outputs, and their lowest bits as a row read back."""
        m.d.comb += self.o.payload.as_value().eq(outputs)
        for column, output in enumerate(self.o.payload):
            weight = output[: self.config.weight_bits]
            m.d.comb += self.read_data.payload[column].eq(weight.as_signed())
