# SPDX-License-Identifier: Apache-2.0
"""Window gatherer: lays chunks out as rows, and hands rounds of windows over to the macros."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .chunk_walker import place_layout
from .config import NpuConfig
from .isa import Opcode, layout
from .rotate import rotated, wraps

__all__ = ["WindowGatherer", "chunk_layout", "rotation_to_rows", "windows_layout"]


def chunk_layout(config: NpuConfig) -> data.StructLayout:
    """Bytes, each in the lane of its row, row r in ``r % activation_port``; and where they go."""
    return data.StructLayout(
        {"bytes": data.ArrayLayout(8, config.activation_port), "place": place_layout(config)}
    )


def windows_layout(config: NpuConfig) -> data.ArrayLayout:
    """A byte for each row, for each macro."""
    return data.ArrayLayout(_window_layout(config), config.macros)


def rotation_to_rows(config: NpuConfig, row: Value) -> Value:
    """How far lanes turn so that the first byte comes to the lane of `row`."""
    bits = config.activation_lane_bits
    # A row's number may be narrower than a lane's.
    return (Const(0, bits) - row[:bits])[:bits]


class WindowGatherer(wiring.Component):
    """Collects a window, passes it on to wait for its round, and offers the round.

    Structure::

        chunk -> decode -> gathered -> waiting, for each macro -> o, for each macro
                           (a window)  (windows of a round)      (held for all planes)

    Each step asks registers whether it may go on. So what the macros do in a cycle meets `o` only,
    and not all that is on its way there.

    With several macros and `split`, windows are gathered one after the other, each for its macros;
    all of a round are offered at once. The last round may have fewer windows: some macros then have
    vectors of earlier rounds, and what they make of them is not used.

    With `skip_zero_planes` the macros leave out the leading planes that are zero in all rows of a
    round's windows, where the descriptor asks for it. They are found chunk by chunk, on the way to
    the rows, so neither a wide tree of gates nor a cycle is spent on them.

    Throughput: a chunk a cycle, a round in 2. Latency: 4 cycles from the last chunk of a round to
    the round.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.COMPUTE))
    i : In(stream of chunk_layout(config))
    o : Out(stream of windows_layout(config))
    top_plane : Out(config.macro.plane_bits)
    done : Out(1)
        As in `WindowFeeder`.
    """

    start: Signal
    descriptor: data.View
    i: stream.Interface
    o: stream.Interface
    top_plane: Signal
    done: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.COMPUTE)),
                "i": In(stream.Signature(chunk_layout(config))),
                "o": Out(stream.Signature(windows_layout(config))),
                "top_plane": Out(config.macro.plane_bits),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        gathered = Signal(_window_layout(self.config))
        # A window is complete; a round waits; a round is offered: is it the last?
        complete, waits, held = Signal(), Signal(), Signal()
        is_last = Signal(3)
        accepts = Signal()
        hand_over = Signal()
        loads = Signal()
        taken = Signal()
        chunk = self._decode(m, accepts)
        ends_round, owners = self._divide(m, hand_over, is_last[0])
        self._pass_on(m, gathered, hand_over, owners, loads)
        self._find_planes(m, chunk, accepts, hand_over & ends_round, loads)
        m.d.comb += [
            accepts.eq(chunk.valid & (~complete | hand_over)),
            hand_over.eq(complete & ~waits),
            loads.eq(waits & (~held | taken)),
            taken.eq(held & self.o.ready),
            self.o.valid.eq(held),
            self.done.eq(taken & is_last[2]),
        ]
        with m.If(taken):
            m.d.sync += held.eq(0)
        with m.If(loads):
            m.d.sync += [waits.eq(0), held.eq(1), is_last[2].eq(is_last[1])]
        with m.If(hand_over):
            m.d.sync += [complete.eq(0), waits.eq(ends_round), is_last[1].eq(is_last[0])]
        with m.If(accepts):
            m.d.sync += [complete.eq(chunk.ends_window), is_last[0].eq(chunk.ends_all)]
            for row in range(self.config.macro.rows):
                with m.If(chunk.rows[row]):
                    byte = chunk.bytes[row % self.config.activation_port]
                    m.d.sync += gathered[row].eq(byte)
        with m.If(self.start):
            m.d.sync += gathered.eq(0)
        return m

    def _decode(self, m: Module, accepts: Signal) -> Any:
        """The chunk, registered, and the rows and lanes that it has bytes for."""
        lanes, rows = self.config.activation_port, self.config.macro.rows
        lane_bits = self.config.activation_lane_bits
        chunk: Any = Signal(
            data.StructLayout(
                {
                    "valid": 1, "ends_window": 1, "ends_all": 1, "lanes": lanes, "rows": rows,
                    "bytes": data.ArrayLayout(8, lanes),
                }
            )
        )
        place = self.i.payload.place
        here = [place.count > lane for lane in range(lanes)]
        present = rotated(here, rotation_to_rows(self.config, place.row))
        block = Signal(bits_for(rows // lanes + 1))
        m.d.comb += [
            block.eq(place.row[lane_bits:]),
            self.i.ready.eq(~chunk.valid | accepts),
        ]
        # Lanes below the first row's belong to the rows of the next block.
        blocks = [block + wraps(place.row[:lane_bits], lane) for lane in range(lanes)]
        with m.If(self.i.ready):
            m.d.sync += [
                chunk.valid.eq(self.i.valid),
                chunk.bytes.eq(self.i.payload.bytes),
                chunk.lanes.eq(Cat(present)),
                chunk.ends_window.eq(place.ends_window),
                chunk.ends_all.eq(place.ends_all),
            ]
            for row in range(rows):
                lane = row % lanes
                m.d.sync += chunk.rows[row].eq(present[lane] & (blocks[lane] == row // lanes))
        return chunk

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

    def _pass_on(
        self, m: Module, gathered: Any, hand_over: Signal, owners: list[Value], loads: Signal
    ) -> None:
        """A window waits for the others of its round, and for the macros to be done with theirs."""
        for macro, is_own in enumerate(owners):
            waiting, inputs = (
                Signal(gathered.shape(), name=f"{name}{macro}", reset_less=True)
                for name in ("waiting", "vector")
            )
            with m.If(hand_over & is_own):
                m.d.sync += waiting.eq(gathered)
            with m.If(loads):
                m.d.sync += inputs.eq(waiting)
            m.d.comb += self.o.payload[macro].eq(inputs)

    def _find_planes(
        self, m: Module, chunk: Any, accepts: Signal, ends_round: Value, loads: Signal
    ) -> None:
        """Which planes of a round's windows have a one; the first goes along with the round."""
        bits = self.config.macro.input_bits
        if not self.config.macro.skip_zero_planes:
            m.d.comb += self.top_plane.eq(bits - 1)
            return
        here = Signal(bits)
        so_far = Signal(bits)
        first = Signal.like(self.top_plane)
        waiting_top = Signal.like(self.top_plane)
        for plane in range(bits):
            ones = [chunk.bytes[lane][plane] for lane in range(self.config.activation_port)]
            m.d.comb += here[plane].eq(accepts & (Cat(ones) & chunk.lanes).any())
            # Later planes are more significant, and override; the last one meets the array always.
            with m.If(so_far[plane]):
                m.d.comb += first.eq(plane)
        m.d.sync += so_far.eq(Mux(ends_round, 0, so_far) | here)
        with m.If(ends_round):
            skips = self.descriptor.skip_zero_planes
            m.d.sync += waiting_top.eq(Mux(skips, first, bits - 1))
        with m.If(loads):
            m.d.sync += self.top_plane.eq(waiting_top)


def _window_layout(config: NpuConfig) -> data.ArrayLayout:
    """A byte for each row of a macro."""
    return data.ArrayLayout(8, config.macro.rows)
