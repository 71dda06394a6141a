# SPDX-License-Identifier: Apache-2.0
"""Result store: the macro's outputs through the requantisation lanes into the activation memory."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .config import NpuConfig
from .isa import Opcode, layout
from .ports import ActivationWritePort
from .requantiser import Requantiser
from .walkers import PixelWalker
from .word_memories import PARAMETER_BITS

__all__ = ["ResultStore"]


class ResultStore(wiring.Component):
    """Takes output vectors beat by beat (`lanes` outputs), adds partial sums, requantises, writes.

    Sums of a pass that is not the last are kept as 32-bit partial sums, a word of `lanes` of them a
    beat; a later pass over the same pixels adds them. The pipeline never stalls: a beat that has
    left the macro arrives in memory a fixed time later.

    Throughput: a beat a cycle, ``ceil(channels / lanes)`` beats a vector. Latency: 9 cycles from a
    beat to `done`; 2 where sums are kept.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.REQUANTISE))
    done : Out(1)
        The last result is in memory after this cycle.
    i : In(stream of config.macro.output_layout)
    bias_address, multiplier_address, shift_address, bias, multiplier, shift
        As in `ParameterMemory`.
    write : Out(ActivationWritePort)
    """

    start: Signal
    descriptor: data.View
    done: Signal
    i: stream.Interface
    bias_address: Signal
    multiplier_address: Signal
    shift_address: Signal
    bias: data.View
    multiplier: data.View
    shift: data.View
    write: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        members: dict[str, Any] = {
            "start": In(1),
            "descriptor": In(layout(Opcode.REQUANTISE)),
            "done": Out(1),
            "i": In(stream.Signature(config.macro.output_layout)),
            "write": Out(ActivationWritePort(config)),
        }
        for name, bits in PARAMETER_BITS.items():
            members[f"{name}_address"] = Out(config.channel_word_bits)
            members[name] = In(data.ArrayLayout(bits, config.lanes))
        super().__init__(members)

    @property
    def _beat_layout(self) -> data.StructLayout:
        """What belongs to a beat while it passes through the lanes."""
        return data.StructLayout(
            {
                "valid": 1,
                "last": 1,
                "count": range(self.config.lanes + 1),
                "parameters": self.config.channel_word_bits,
                "partial": self.config.partial_sum_bits,
                "address": self.config.activation_address_bits,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = Signal(self._beat_layout)
        which = Signal(bits_for(self.config.beats - 1))
        self._take_beats(m, beat, which)
        delayed = [beat]
        for stage in range(1, 2 + Requantiser.latency + 1):
            following = Signal(self._beat_layout, name=f"beat{stage}")
            m.d.sync += following.eq(delayed[-1])
            delayed.append(following)
        keep = self.descriptor.keep_partial
        with m.If(keep):
            # The way of sums that are kept ends here, or the next descriptor would write them.
            m.d.sync += delayed[3].valid.eq(0)

        sums = self._add_partial_sums(m, beat, delayed[1], which)
        results = self._requantise(m, sums, delayed)
        final = Signal(self._beat_layout)
        written = Signal(8 * self.config.lanes)
        m.d.comb += final.eq(delayed[-1])
        m.d.sync += written.eq(Cat(results))
        m.d.comb += [
            self.write.count.eq(Mux(final.valid, final.count, 0)),
            self.write.address.eq(final.address),
            self.write.data.eq(written),
            self.done.eq(
                (keep & delayed[2].valid & delayed[2].last) | (final.valid & final.last)
            ),
        ]
        return m

    def _take_beats(self, m: Module, beat: Any, which: Signal) -> None:
        """Walk over pixels and beats as the macro delivers vectors."""
        fields = self.descriptor
        config = self.config
        lanes, lane_bits = config.lanes, exact_log2(config.lanes)
        address_bits = config.activation_address_bits
        m.submodules.pixels = pixels = PixelWalker(config)
        running = Signal()
        left = Signal(16)
        parameters = Signal(config.channel_word_bits)
        partial = Signal(config.partial_sum_bits)
        offset = Signal(bits_for(config.macro.columns))
        ends_vector = Signal()
        m.d.comb += [
            ends_vector.eq(left <= lanes),
            beat.valid.eq(running & self.i.valid),
            beat.last.eq(ends_vector & pixels.last),
            beat.count.eq(Mux(ends_vector, left, lanes)[: len(beat.count)]),
            beat.parameters.eq(parameters),
            beat.partial.eq(partial),
            beat.address.eq((pixels.address + offset)[:address_bits]),
            self.i.ready.eq(running & ends_vector),
            pixels.start.eq(self.start),
            pixels.advance.eq(beat.valid & ends_vector),
            pixels.first_address.eq(fields.out_start[:address_bits]),
            pixels.pixel_stride.eq(fields.out_pixel_stride),
            pixels.row_stride.eq(fields.out_row_stride),
            pixels.width.eq(fields.out_width),
            pixels.height.eq(fields.out_height),
        ]
        with m.If(beat.valid):
            m.d.sync += [
                which.eq(which + 1),
                left.eq((left - lanes)[:16]),
                offset.eq((offset + lanes)[: len(offset)]),
                parameters.eq(parameters + 1),
                partial.eq(partial + 1),
            ]
        with m.If(self.start):
            m.d.sync += [running.eq(1), partial.eq(fields.partial[: len(partial)])]
        with m.Elif(beat.valid & beat.last):
            m.d.sync += running.eq(0)
        with m.If(self.start | (beat.valid & ends_vector)):
            first = fields.channel[lane_bits:]
            m.d.sync += [
                which.eq(0),
                left.eq(fields.channels),
                offset.eq(0),
                parameters.eq(first[: len(parameters)]),
            ]

    def _add_partial_sums(self, m: Module, beat: Any, taken: Any, which: Signal) -> list[Any]:
        """The beat's outputs, registered, plus the sums of earlier passes; kept where asked."""
        config = self.config
        lanes = config.lanes
        m.submodules.partial_sums = words = memory.Memory(
            shape=data.ArrayLayout(signed(32), lanes), depth=config.partial_sum_words, init=[]
        )
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            read.addr.eq(beat.partial),
            write.addr.eq(taken.partial),
            write.en.eq(taken.valid & self.descriptor.keep_partial),
        ]
        outputs = [self.i.payload[column] for column in range(config.macro.columns)]
        sums = []
        for lane in range(lanes):
            own = outputs[lane::lanes]
            output = Signal(signed(config.macro.output_bits), name=f"output{lane}", reset_less=True)
            m.d.sync += output.eq(Array(own)[which] if own else 0)
            earlier = Mux(self.descriptor.add_partial, read.data[lane], 0)
            total = Signal(signed(32), name=f"sum{lane}")
            m.d.comb += [
                total.eq((output + earlier)[:32].as_signed()),
                write.data[lane].eq(total),
            ]
            sums.append(total)
        return sums

    def _requantise(self, m: Module, sums: list[Any], delayed: list[Any]) -> list[Any]:
        """One `Requantiser` a lane, its parameters read as the beat comes to need them."""
        fields = self.descriptor
        for name, latency in (
            ("bias", Requantiser.bias_latency),
            ("multiplier", Requantiser.multiplier_latency),
            ("shift", Requantiser.shift_latency),
        ):
            # `sums` belong to delayed[1]; a memory takes its address a cycle before its data.
            asking = delayed[1 + latency - 1]
            m.d.comb += getattr(self, f"{name}_address").eq(asking.parameters)
        results = []
        for lane, total in enumerate(sums):
            m.submodules[f"requantiser{lane}"] = requantiser = Requantiser()
            m.d.comb += [
                requantiser.sum.eq(total),
                requantiser.bias.eq(self.bias[lane].as_signed()),
                requantiser.multiplier.eq(self.multiplier[lane]),
                requantiser.shift.eq(self.shift[lane]),
                requantiser.rounding.eq(fields.rounding),
                requantiser.zero_point.eq(fields.zero_point),
                requantiser.clamp_low.eq(fields.clamp_low),
                requantiser.clamp_high.eq(fields.clamp_high),
            ]
            results.append(requantiser.o)
        return results
