# SPDX-License-Identifier: Apache-2.0
"""Result store: the macro's outputs, with the sums of earlier passes, beat by beat."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .config import NpuConfig
from .isa import Opcode, layout
from .requantise_lanes import beat_layout, sums_layout
from .walkers import PixelWalker

__all__ = ["ResultStore"]


class ResultStore(wiring.Component):
    """Takes output vectors beat by beat (`requantisers` outputs), adds partial sums; hands on or
    keeps them.

    Sums of a pass that is not the last are kept as 32-bit partial sums, a word of `requantisers` of
    them a beat; a later pass over the same pixels adds them. What takes the beats never stalls.

    Where several windows are computed at once, their outputs come at once, one pixel's behind the
    other's; they are taken pixel by pixel.

    Throughput: a beat a cycle, ``ceil(channels / requantisers)`` beats a vector. Latency: 1 cycle
    from the stream to `beat`; 2 to `kept`.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until all is done.
    descriptor : In(layout(Opcode.REQUANTISE))
    i : In(stream of config.output_layout)
    beat : Out(beat_layout(config))
        Zero where there is none.
    sums : Out(sums_layout(config))
        Zero where there is no beat.
    kept : Out(1)
        The last partial sums are kept after this cycle.
    """

    start: Signal
    descriptor: data.View
    i: stream.Interface
    beat: Any
    sums: data.View
    kept: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.REQUANTISE)),
                "i": In(stream.Signature(config.output_layout)),
                "beat": Out(beat_layout(config)),
                "sums": Out(sums_layout(config)),
                "kept": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        keep = self.descriptor.keep_partial
        beat = Signal(beat_layout(config))
        taken = Signal(beat_layout(config))
        # Which beat of its vector, and which word of partial sums, a cycle later too.
        which = Signal(bits_for(config.beats - 1))
        partial = Signal(config.partial_sum_bits)
        partial_taken = Signal(config.partial_sum_bits)
        is_kept = Signal()
        self._take_beats(m, beat, which, partial)
        m.d.sync += [
            taken.eq(beat), partial_taken.eq(partial), is_kept.eq(taken.valid & taken.last & keep),
        ]
        leaves = Signal()
        m.d.comb += [
            leaves.eq(taken.valid & ~keep),
            self.beat.as_value().eq(Mux(leaves, taken.as_value(), 0)),
            self.kept.eq(is_kept),
        ]
        m.submodules.partial_sums = words = memory.Memory(
            shape=sums_layout(config), depth=config.partial_sum_words, init=[]
        )
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            read.addr.eq(partial),
            write.addr.eq(partial_taken),
            write.en.eq(taken.valid & keep),
        ]
        for lane in range(config.requantisers):
            output = self._output(m, lane, which)
            earlier = Mux(self.descriptor.add_partial, read.data[lane], 0)
            total = Signal(signed(32), name=f"sum{lane}")
            m.d.comb += [
                total.eq((output + earlier)[:32].as_signed()),
                write.data[lane].eq(total),
                self.sums[lane].eq(Mux(leaves, total, 0)),
            ]
        return m

    def _round(self, m: Module, ends_vector: Value, pixels: Any) -> tuple[Value, Value]:
        """Whether a pixel is the last of those that came at once; the next one's first beat."""
        config = self.config
        if config.macros == 1:
            return Const(1, 1), Const(0, 1)
        split = self.descriptor.split
        # Beats of all outputs that are a pixel's, and those before the pixel that follows.
        apart = Signal(range(config.beats + 1))
        following = Signal(range(config.beats + 1))
        ends_round = Signal()
        m.d.comb += [
            apart.eq(config.beats >> split),
            ends_round.eq((following == config.beats) | pixels.last),
        ]
        with m.If(self.start):
            m.d.sync += following.eq(apart)
        with m.Elif(ends_vector):
            m.d.sync += following.eq(Mux(ends_round, apart, following + apart)[: len(following)])
        first_beat = Mux(self.start | ends_round, 0, following)
        return ends_round, first_beat[: bits_for(config.beats - 1)]

    def _output(self, m: Module, lane: int, which: Signal) -> Signal:
        """The beat's output of a lane, registered."""
        macro = self.config.macro
        outputs = [self.i.payload[column] for column in range(self.config.columns)]
        own = outputs[lane :: self.config.requantisers]
        output = Signal(signed(macro.output_bits), name=f"output{lane}", reset_less=True)
        m.d.sync += output.eq(Array(own)[which] if own else 0)
        return output

    def _take_beats(self, m: Module, beat: Any, which: Signal, partial: Signal) -> None:
        """Walk over pixels and beats as the macro delivers vectors."""
        fields = self.descriptor
        config = self.config
        lanes, lane_bits = config.requantisers, exact_log2(config.requantisers)
        address_bits = config.activation_address_bits
        m.submodules.pixels = pixels = PixelWalker(config)
        running = Signal()
        left = Signal(16)
        parameters = Signal(config.channel_word_bits)
        offset = Signal(bits_for(config.columns))
        ends_vector = Signal()
        ends_round, first_beat = self._round(m, beat.valid & ends_vector, pixels)
        m.d.comb += [
            ends_vector.eq(left <= lanes),
            beat.valid.eq(running & self.i.valid),
            beat.last.eq(ends_vector & pixels.last),
            beat.count.eq(Mux(ends_vector, left, lanes)[: len(beat.count)]),
            beat.parameters.eq(parameters),
            beat.address.eq((pixels.address + offset)[:address_bits]),
            self.i.ready.eq(running & ends_vector & ends_round),
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
                which.eq(first_beat),
                left.eq(fields.channels),
                offset.eq(0),
                parameters.eq(first[: len(parameters)]),
            ]
