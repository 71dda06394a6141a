# SPDX-License-Identifier: Apache-2.0
"""Window gatherer: lays chunks out as rows, and hands rounds of windows over to the macros."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .chunk_walker import slide_bits
from .config import NpuConfig
from .isa import Opcode, layout
from .rotate import wraps
from .vector_slots import round_layout, window_layout

__all__ = ["WindowGatherer", "chunk_layout"]


def chunk_layout(config: NpuConfig) -> data.StructLayout:
    """Bytes, each in the lane of its row, row r in ``r % activation_port``; which lanes have any.

    ``row`` is that of the first byte; ``moves`` and ``next_slides`` are as in `place_layout`.
    """
    return data.StructLayout(
        {
            "bytes": data.ArrayLayout(8, config.activation_port),
            "lanes": config.activation_port,
            "row": bits_for(config.macro.rows - 1),
            "moves": 1,
            "next_slides": slide_bits(config),
            "ends_window": 1,
            "ends_all": 1,
        }
    )


class WindowGatherer(wiring.Component):
    """Collects a window, passes it on to wait for its round, and offers the round.

    Structure::

        chunk -> decode -> gathered -> o
                           (a window)  (a window for each macro)

    With several macros and `split`, windows are gathered one after the other, each for its macros;
    all of a round are offered at once. The last round may have fewer windows: some macros then have
    vectors of earlier rounds, and what they make of them is not used.

    Where windows slide, what a window keeps moves up with the first chunks of the next one.

    With `skip_zero_planes` the macros leave out the leading planes that are zero in all rows of a
    round's windows, where the descriptor asks for it. They are found chunk by chunk, on the way to
    the rows, so neither a wide tree of gates nor a cycle is spent on them. Where windows slide, all
    chunks count that came since a round began with a row.

    Throughput: a chunk a cycle, a round in 3. Latency: 3 cycles from the last chunk of a round to
    the round.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.COMPUTE))
    i : In(stream of chunk_layout(config))
    o : Out(stream of round_layout(config))
    done : Out(1)
        As in `WindowFeeder`.
    """

    start: Signal
    descriptor: data.View
    i: stream.Interface
    o: stream.Interface
    done: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.COMPUTE)),
                "i": In(stream.Signature(chunk_layout(config))),
                "o": Out(stream.Signature(round_layout(config))),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        gathered = Signal(window_layout(self.config), reset_less=True)
        # A window is complete, a round is offered; whether they are the last.
        complete, offered = Signal(), Signal()
        last_window, last_round = Signal(), Signal()
        accepts = Signal()
        hand_over = Signal()
        taken = Signal()
        chunk, is_there = self._decode(m, accepts)
        ends_round, owners = self._divide(m, hand_over, last_window)
        for macro, is_own in enumerate(owners):
            window = Signal(gathered.shape(), name=f"window{macro}", reset_less=True)
            m.d.comb += self.o.payload.windows[macro].eq(window)
            with m.If(hand_over & is_own):
                m.d.sync += window.eq(gathered)
        self._find_planes(m, chunk, accepts, hand_over & ends_round)
        m.d.comb += [
            accepts.eq(is_there & (~complete | hand_over)),
            # Not in the cycle in which a round is taken: that is told from afar.
            hand_over.eq(complete & ~offered),
            taken.eq(offered & self.o.ready),
            self.o.valid.eq(offered),
            self.done.eq(taken & last_round),
        ]
        with m.If(taken):
            m.d.sync += offered.eq(0)
        with m.If(hand_over):
            m.d.sync += [complete.eq(0), offered.eq(ends_round), last_round.eq(last_window)]
        with m.If(accepts):
            m.d.sync += [complete.eq(chunk.ends_window), last_window.eq(chunk.ends_all)]
            port, rows = self.config.activation_port, self.config.macro.rows
            for row in range(rows):
                with m.If(chunk.rows[row]):
                    m.d.sync += gathered[row].eq(chunk.bytes[row % port])
                with m.Elif(chunk.moves):
                    m.d.sync += gathered[row].eq(gathered[row + port] if row + port < rows else 0)
        with m.If(self.start):
            m.d.sync += gathered.eq(0)
        return m

    def _decode(self, m: Module, accepts: Signal) -> tuple[Any, Signal]:
        """The chunk, registered, with the rows that it has bytes for; whether there is one."""
        lanes, rows = self.config.activation_port, self.config.macro.rows
        lane_bits = self.config.activation_lane_bits
        chunk: Any = Signal(
            data.StructLayout(
                {
                    "ends_window": 1, "ends_all": 1, "moves": 1,
                    "next_slides": slide_bits(self.config), "lanes": lanes, "rows": rows,
                    "bytes": data.ArrayLayout(8, lanes),
                }
            ),
            reset_less=True,
        )
        valid = Signal(name="chunk_valid")
        found = self.i.payload
        block = Signal(bits_for(rows // lanes + 1))
        m.d.comb += [
            block.eq(found.row[lane_bits:]),
            self.i.ready.eq(~valid | accepts),
        ]
        # Lanes below the first row's belong to the rows of the next block.
        blocks = [block + wraps(found.row[:lane_bits], lane) for lane in range(lanes)]
        with m.If(self.i.ready):
            m.d.sync += [
                valid.eq(self.i.valid),
                chunk.bytes.eq(found.bytes),
                chunk.lanes.eq(found.lanes),
                chunk.ends_window.eq(found.ends_window),
                chunk.ends_all.eq(found.ends_all),
                chunk.moves.eq(found.moves),
                chunk.next_slides.eq(found.next_slides),
            ]
            for row in range(rows):
                lane = row % lanes
                is_here = found.lanes[lane] & (blocks[lane] == row // lanes)
                m.d.sync += chunk.rows[row].eq(is_here)
        return chunk, valid

    def _divide(
        self, m: Module, hand_over: Signal, is_last: Value
    ) -> tuple[Value, list[Value]]:
        """Whether the window that is complete is the last of its round, and which macros it is for.
        """
        config = self.config
        if config.macros == 1:
            return Const(1, 1), [Const(1, 1)]
        split = self.descriptor.split
        # The window's place in its round, and that of the last one.
        place = Signal(config.most_split)
        last_place = Signal(config.most_split)
        ends_round = Signal()
        m.d.comb += [
            last_place.eq(((1 << split) - 1)[: len(last_place)]),
            ends_round.eq(is_last | (place == last_place)),
        ]
        with m.If(hand_over):
            m.d.sync += place.eq(Mux(ends_round, 0, place + 1)[: len(place)])
        # Neighbouring macros share a window.
        share = (config.most_split - split)[: len(split)]
        owners = [
            place == (Const(macro, config.most_split) >> share) for macro in range(config.macros)
        ]
        return ends_round, owners

    def _find_planes(self, m: Module, chunk: Any, accepts: Signal, ends_round: Value) -> None:
        """Which planes of a round's windows have a one; the first goes along with the round."""
        bits = self.config.macro.input_bits
        if not self.config.macro.skip_zero_planes:
            m.d.comb += self.o.payload.top_plane.eq(bits - 1)
            return
        here = Signal(bits)
        so_far = Signal(bits)
        # The window that is complete is one of which the next keeps bytes.
        goes_on = Signal()
        with m.If(accepts):
            m.d.sync += goes_on.eq(chunk.next_slides)
        first = Signal(self.config.macro.plane_bits)
        top_plane = Signal.like(first)
        for plane in range(bits):
            ones = [chunk.bytes[lane][plane] for lane in range(self.config.activation_port)]
            m.d.comb += here[plane].eq(accepts & (Cat(ones) & chunk.lanes).any())
            # Later planes are more significant, and override; the last one meets the array always.
            with m.If(so_far[plane]):
                m.d.comb += first.eq(plane)
        m.d.sync += so_far.eq(Mux(ends_round & ~goes_on, 0, so_far) | here)
        with m.If(ends_round):
            skips = self.descriptor.skip_zero_planes
            m.d.sync += top_plane.eq(Mux(skips, first, bits - 1))
        m.d.comb += self.o.payload.top_plane.eq(top_plane)
