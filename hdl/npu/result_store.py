# SPDX-License-Identifier: Apache-2.0
"""Result store: the macro's outputs, with the sums of earlier passes, beat by beat."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from ..keep import keep_where
from .block_memory import block_memory
from .config import NpuConfig
from .delay import delayed
from .isa import Opcode, layout
from .latency import STORE_CYCLES
from .output_join import OutputJoin
from .requantise_lanes import beat_layout, sums_layout
from .walkers import PixelWalker

__all__ = ["ResultStore"]


class ResultStore(wiring.Component):
    """Takes output vectors beat by beat (`requantisers` outputs), adds partial sums; hands on or
    keeps them.

    Sums of a pass that is not the last are kept as 32-bit partial sums, a word of `requantisers` of
    them a beat; a later pass over the same pixels adds them. What takes the beats never stalls.

    Where several windows are computed at once, their outputs lie one pixel's behind the other's;
    they are taken pixel by pixel.

    An output waits in registers for its partial sum, which comes from block RAM late in a cycle and
    so goes to a register first; the total has one as well.

    Throughput: a beat a cycle, ``ceil(channels / requantisers)`` beats a vector. Latency: 2 cycles
    from `start` to the first beat that can be taken; 3 cycles from the stream to `beat` and `kept`.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until all is done.
    descriptor : In(layout(Opcode.REQUANTISE))
    i : In(stream of config.macro.output_layout), one for each macro
    beat : Out(beat_layout(config))
        Zero where there is none.
    sums : Out(sums_layout(config))
        Zero where there is no beat.
    kept : Out(1)
        The last partial sums are kept after this cycle.
    """

    start: Signal
    descriptor: data.View
    i: Any
    beat: Any
    sums: data.View
    kept: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.REQUANTISE)),
                "i": In(stream.Signature(config.macro.output_layout)).array(config.macros),
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
        # Which beat of all outputs, and which word of partial sums.
        which = Signal(bits_for(config.beats - 1))
        partial = Signal(config.partial_sum_bits)
        following = self._take_beats(m, beat, which, partial)
        near = self._copies(m, following)
        added = Signal(beat_layout(config))
        on_its_way = delayed(m, "beat", beat.as_value(), STORE_CYCLES - 1)
        m.d.comb += added.as_value().eq(on_its_way)
        leaves = added.valid & ~keep
        is_kept = Signal()
        m.d.sync += [
            self.beat.as_value().eq(Mux(leaves, added.as_value(), 0)),
            is_kept.eq(added.valid & keep),
            self.kept.eq(added.valid & added.last & keep),
        ]
        words = block_memory(sums_layout(config), config.partial_sum_words)
        m.submodules.partial_sums = words
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            read.addr.eq(partial),
            write.addr.eq(delayed(m, "partial", partial, STORE_CYCLES, reset_less=True)),
            write.en.eq(is_kept),
        ]
        adds = Signal()
        m.d.sync += adds.eq(self.descriptor.add_partial)
        for lane in range(config.requantisers):
            own_near = near[lane // self._lanes_near]
            earlier = Signal(signed(32), name=f"earlier{lane}", reset_less=True)
            total = Signal(signed(32), name=f"sum{lane}", reset_less=True)
            m.d.sync += [
                earlier.eq(Mux(adds, read.data[lane], 0)),
                total.eq((self._output(m, lane, which, own_near) + earlier)[:32].as_signed()),
            ]
            # Lanes lie far apart: each has a register of its own that tells.
            own = delayed(m, f"lane{lane}_leaves", leaves, 1, keep=config.macros > 1)
            m.d.comb += [
                write.data[lane].eq(total),
                self.sums[lane].eq(Mux(own, total, 0)),
            ]
        return m

    def _round(
        self, m: Module, starts: Value, ends_vector: Value, is_last: Value
    ) -> tuple[Value, Value]:
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
            ends_round.eq((following == config.beats) | is_last),
        ]
        with m.If(starts):
            m.d.sync += following.eq(apart)
        with m.Elif(ends_vector):
            m.d.sync += following.eq(Mux(ends_round, apart, following + apart)[: len(following)])
        first_beat = Mux(starts | ends_round, 0, following)
        return ends_round, first_beat[: bits_for(config.beats - 1)]

    def _copies(self, m: Module, following: Value) -> list[list[Value]]:
        """What chooses an output from its neighbours, a register for each group of them: of all
        lanes, or of each few, whose columns lie together.
        """
        bits = self._near_bits(following)
        keep = keep_where(self.config.macros > 1)
        sets: list[list[Value]] = []
        for lane in range(0, self.config.requantisers, self._lanes_near):
            copies: list[Value] = []
            for first in range(0, self.config.beats, 1 << bits):
                # One alone needs no choice.
                if not bits or first == self.config.beats - 1:
                    copies.append(Const(0, 0))
                    continue
                copy = Signal(bits, name=f"which_near{first}_{lane}", attrs=keep)
                m.d.sync += copy.eq(following[:bits])
                copies.append(copy)
            sets.append(copies)
        return sets

    @property
    def _lanes_near(self) -> int:
        """Lanes whose outputs are chosen together."""
        lanes, macro = self.config.requantisers, self.config.macro
        return min(lanes, macro.columns_per_block) if self.config.macros > 1 else lanes

    def _near_bits(self, which: Value) -> int:
        """Low bits of a beat's number, by which an output is chosen from its neighbours."""
        return len(which) // 2

    def _output(self, m: Module, lane: int, which: Signal, copies: Sequence[Value]) -> Value:
        """The beat's output of a lane, two cycles later.

        It is chosen from neighbours first, with a register by them: macros lie all over the die.
        """
        outputs = [output for macro in self.i for output in macro.payload]
        own = outputs[lane :: self.config.requantisers]
        if not own:
            return Const(0, signed(self.config.macro.output_bits))
        if self.config.beats == 1:
            return delayed(m, f"output{lane}_", Array(own)[which], 2, reset_less=True)
        near_bits = self._near_bits(which)
        size = 1 << near_bits
        chosen = [
            self._chosen(m, f"near{lane}_{first}_", own[first : first + size], near)
            for first, near in zip(range(0, len(own), size), copies, strict=False)
        ]
        far = which[near_bits:]
        if len(chosen) > 1:
            keep = keep_where(self.config.macros > 1)
            later = Signal(len(far), name=f"which_far{lane}", reset_less=True, attrs=keep)
            m.d.sync += later.eq(far)
            far = later
        return self._chosen(m, f"output{lane}_", chosen, far)

    def _chosen(self, m: Module, name: str, outputs: Sequence[Value], which: Value) -> Value:
        """One of some outputs, registered."""
        output = Signal(signed(self.config.macro.output_bits), name=f"{name}chosen")
        m.d.comb += output.eq(Array(outputs)[which] if len(outputs) > 1 else outputs[0])
        return delayed(m, name, output, 1, reset_less=True)

    def _take_beats(self, m: Module, beat: Any, which: Signal, partial: Signal) -> Signal:
        """Walk over pixels and beats as the macros deliver vectors; what `which` is next."""
        fields = self.descriptor
        config = self.config
        lanes, lane_bits = config.requantisers, exact_log2(config.requantisers)
        m.submodules.join = join = OutputJoin(config)
        starts, running = Signal(), Signal()
        left = Signal(16)
        parameters = Signal(config.channel_word_bits)
        offset = Signal(bits_for(config.columns))
        # That nothing is left behind this beat: told a beat ahead.
        ends_vector = Signal()
        turns = starts | (beat.valid & ends_vector)
        address, is_last = self._pixels(m, turns)
        ends_round, first_beat = self._round(m, starts, beat.valid & ends_vector, is_last)
        m.d.comb += [
            beat.valid.eq(running & join.is_there),
            beat.last.eq(ends_vector & is_last),
            beat.count.eq(Mux(ends_vector, left, lanes)[: len(beat.count)]),
            beat.parameters.eq(parameters),
            beat.address.eq((address + offset)[: config.activation_address_bits]),
            join.which.eq(which),
            join.ends_vector.eq(ends_vector),
            join.ends_round.eq(ends_vector & ends_round),
            join.takes.eq(beat.valid),
            join.valid.eq(Cat(macro.valid for macro in self.i)),
            *(macro.ready.eq(join.ready[index]) for index, macro in enumerate(self.i)),
        ]
        following = Signal.like(which)
        m.d.comb += following.eq(which)
        m.d.sync += [starts.eq(self.start), which.eq(following)]
        with m.If(beat.valid):
            m.d.comb += following.eq(which + 1)
            m.d.sync += [
                left.eq((left - lanes)[:16]),
                ends_vector.eq(left <= 2 * lanes),
                offset.eq((offset + lanes)[: len(offset)]),
                parameters.eq(parameters + 1),
                partial.eq(partial + 1),
            ]
        with m.If(starts):
            m.d.sync += [running.eq(1), partial.eq(fields.partial[: len(partial)])]
        with m.Elif(beat.valid & beat.last):
            m.d.sync += running.eq(0)
        with m.If(turns):
            first = fields.channel[lane_bits:]
            m.d.comb += following.eq(first_beat)
            m.d.sync += [
                left.eq(fields.channels),
                ends_vector.eq(fields.channels <= lanes),
                offset.eq(0),
                parameters.eq(first[: len(parameters)]),
            ]
        return following

    def _pixels(self, m: Module, turns: Value) -> tuple[Signal, Signal]:
        """The pixel's address, and whether it is the last: of the one that begins where it `turns`.

        The walker is a pixel ahead, so that both come from registers.
        """
        fields = self.descriptor
        bits = self.config.activation_address_bits
        m.submodules.pixels = pixels = PixelWalker(self.config)
        address = Signal(bits)
        is_last = Signal()
        m.d.comb += [
            pixels.start.eq(self.start),
            pixels.advance.eq(turns),
            pixels.first_address.eq(fields.out_start[:bits]),
            pixels.pixel_stride.eq(fields.out_pixel_stride),
            pixels.row_stride.eq(fields.out_row_stride),
            pixels.width.eq(fields.out_width),
            pixels.height.eq(fields.out_height),
        ]
        with m.If(turns):
            m.d.sync += [address.eq(pixels.address), is_last.eq(pixels.last)]
        return address, is_last
