# SPDX-License-Identifier: Apache-2.0
"""The macro's output side: what is in the output registers, as two streams."""


from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

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
    outputs : In(config.output_layout)
        These registers.
    enable : Out(1)
        Operands, sums and outputs keep their values where it is low.
    o : Out(stream of config.output_layout)
    read_data : Out(stream of config.read_data_layout)
    """

    complete: data.View
    outputs: data.View
    enable: Signal
    o: stream.Interface
    read_data: stream.Interface

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "complete": In(TagLayout(config)),
                "outputs": In(config.output_layout),
                "enable": Out(1),
                "o": Out(stream.Signature(config.output_layout)),
                "read_data": Out(stream.Signature(config.read_data_layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        is_output = Signal()
        is_read = Signal()
        taken = Signal()
        arrives = Signal()
        stays = Signal()
        m.d.comb += [
            taken.eq((self.o.valid & self.o.ready) | (self.read_data.valid & self.read_data.ready)),
            arrives.eq(self.complete.valid & self.complete.last),
            stays.eq((is_output | is_read) & ~taken),
        ]
        with m.If(self.enable & taken):
            m.d.sync += [is_output.eq(0), is_read.eq(0)]
        with m.If(self.enable & arrives):
            m.d.sync += [
                is_output.eq(self.complete.closes & ~self.complete.reads),
                is_read.eq(self.complete.reads),
            ]
        registers = Cat(is_output, is_read, self.outputs)
        if self.config.output_buffer == 1:
            m.d.comb += self.enable.eq(~(arrives & stays))
            self._offer(m, registers)
        else:
            kept = Signal(len(registers), reset_less=True)
            moves = Signal(init=1)
            with m.If(moves):
                m.d.sync += [kept.eq(registers), moves.eq(~(arrives & stays))]
            with m.Elif(taken):
                m.d.sync += moves.eq(1)
            m.d.comb += self.enable.eq(moves)
            self._offer(m, Mux(moves, registers, kept))
        return m

    def _offer(self, m: Module, flags_and_outputs: Value) -> None:
        """Offer the outputs as what they are: an output, or the lowest bits as a row read back."""
        offered = Signal(len(flags_and_outputs))
        m.d.comb += [
            offered.eq(flags_and_outputs),
            self.o.valid.eq(offered[0]),
            self.read_data.valid.eq(offered[1]),
            self.o.payload.as_value().eq(offered[2:]),
        ]
        for column, output in enumerate(self.o.payload):
            weight = output[: self.config.weight_bits]
            m.d.comb += self.read_data.payload[column].eq(weight.as_signed())
