# SPDX-License-Identifier: Apache-2.0
"""Window feeder: gathers convolution windows from the activation memory into input vectors."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .config import NpuConfig
from .isa import Opcode, layout
from .latency import CHUNKS
from .ports import ActivationReadPort
from .rotate import rotated, wraps
from .walkers import POSITION_BITS, WindowWalker

__all__ = ["WindowFeeder"]


class WindowFeeder(wiring.Component):
    """Reads a window's runs in chunks of up to `activation_port` bytes and lays them out as rows.

    No copy of the windows is made in memory (no im2col): a window is a few runs of consecutive
    bytes, one from each image row. Bytes beyond the image are the zero point. Rows that the window
    does not reach are zero, so it does not matter what weights they meet.

    Data flow::

        walker -> chunk (one read a cycle) -> memory -> rotate -> queue -> gather -> vector
                                                                          (rows)   (held for the
                                                                                    macro's planes)

    With several macros and `split`, windows are gathered one after the other, each for its macros;
    all of a round are offered at once. The last round may have fewer windows: some macros then have
    vectors of earlier rounds, and what they make of them is not used.

    With `skip_zero_planes` the macros leave out the leading planes that are zero in all rows of a
    round's windows, where the descriptor asks for it. They are found chunk by chunk, on the way to
    the rows, so neither a wide tree of gates nor a cycle is spent on them.

    Throughput: a round every ``max(chunks, planes)`` cycles, where a run of n bytes has
    ``ceil(n / activation_port)`` chunks. Latency: 4 cycles from `start` to the first
    round, plus one for each chunk of its windows.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.COMPUTE))
    done : Out(1)
        The last vector is taken in this cycle.
    read : Out(ActivationReadPort)
    o : Out(stream of bytes, one a row, for each macro)
        Unsigned: the int8 value plus 128.
    top_plane : Out(config.macro.plane_bits)
        The first plane of what is offered that is to meet the array; those above it are zero.
    """

    start: Signal
    descriptor: data.View
    done: Signal
    read: Any
    o: stream.Interface
    top_plane: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.COMPUTE)),
                "done": Out(1),
                "read": Out(ActivationReadPort(config)),
                "o": Out(stream.Signature(data.ArrayLayout(self._window_layout, config.macros))),
                "top_plane": Out(config.macro.plane_bits),
            }
        )

    @property
    def _window_layout(self) -> data.ArrayLayout:
        """A byte for each row of a macro."""
        return data.ArrayLayout(8, self.config.macro.rows)

    @property
    def _chunk_layout(self) -> data.StructLayout:
        """What waits between memory and gathering."""
        return data.StructLayout(
            {
                "bytes": data.ArrayLayout(8, self.config.activation_port),
                "row": bits_for(self.config.macro.rows - 1),
                "count": bits_for(self.config.activation_port),
                "ends_window": 1,
                "ends_all": 1,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.chunks = chunks = fifo.SyncFIFO(
            width=self._chunk_layout.size, depth=CHUNKS
        )
        self._fetch(m, chunks)
        self._gather(m, chunks)
        return m

    def _fetch(self, m: Module, chunks: Any) -> None:
        """Walk over windows, runs and chunks; read one chunk a cycle."""
        fields = self.descriptor
        lanes = self.config.activation_port
        m.submodules.walker = walker = WindowWalker(self.config, fields.shape())
        running = Signal()
        # Where in the window: vector row, byte in the run, image row, address of the run.
        row = Signal(bits_for(self.config.macro.rows))
        run_offset = Signal(16)
        image_row = Signal(bits_for(self.config.macro.rows))
        run_address = Signal(self.config.activation_address_bits)

        run_left = Signal(16)
        depth_left = Signal(16)
        count = Signal(range(lanes + 1))
        ends_window = Signal()
        advance = Signal()
        address_bits = len(run_address)
        m.d.comb += [
            run_left.eq((fields.run_bytes - run_offset)[:16]),
            depth_left.eq((fields.depth - row)[:16]),
            count.eq(_at_most(_at_most(run_left, depth_left), lanes)[: len(count)]),
            ends_window.eq(depth_left == count),
            self.read.valid.eq(running & (chunks.level <= CHUNKS - 2)),
            self.read.address.eq((walker.address + run_address + run_offset)[:address_bits]),
            advance.eq(self.read.valid & self.read.ready),
            walker.descriptor.eq(fields),
            walker.start.eq(self.start),
            walker.advance.eq(advance & ends_window),
        ]
        with m.If(advance):
            m.d.sync += [
                row.eq((row + count)[: len(row)]),
                run_offset.eq((run_offset + count)[:16]),
            ]
            with m.If(run_left == count):
                m.d.sync += [
                    run_offset.eq(0),
                    image_row.eq(image_row + 1),
                    run_address.eq((run_address + fields.row_stride)[:address_bits]),
                ]
        with m.If(self.start | (advance & ends_window)):
            m.d.sync += [
                row.eq(0), run_offset.eq(fields.skip), image_row.eq(0), run_address.eq(0),
            ]
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.Elif(advance & ends_window & walker.last):
            m.d.sync += running.eq(0)

        # A cycle later the bytes are there, and what belongs to them.
        chunk = Signal(self._chunk_layout)
        for name, value in (
            ("row", row[: len(chunk.row)]),
            ("count", count),
            ("ends_window", ends_window),
            ("ends_all", ends_window & walker.last),
        ):
            delayed = Signal.like(chunk[name], name=f"chunk_{name}")
            m.d.sync += delayed.eq(value)
            m.d.comb += chunk[name].eq(delayed)
        arrives = Signal()
        m.d.sync += arrives.eq(advance)
        m.d.comb += [chunks.w_en.eq(arrives), chunks.w_data.eq(chunk)]
        x = (walker.x + run_offset)[:POSITION_BITS].as_signed()
        y = (walker.y + image_row)[:POSITION_BITS]
        self._align(m, chunk, self._bytes_inside(m, x, y), row)

    def _bytes_inside(self, m: Module, x: Any, y: Any) -> list[Any]:
        """Which of the port's bytes from (x, y) on are in the image, a cycle later."""
        lanes = self.config.activation_port
        # The first byte inside, and the first beyond the row's end, limited to what matters.
        first = Signal(range(lanes + 1))
        beyond = Signal(range(lanes + 1))
        left = Signal(signed(POSITION_BITS + 1))
        m.d.comb += left.eq(self.descriptor.row_bytes - x)
        with m.If(x >= 0):
            m.d.sync += first.eq(0)
        with m.Else():
            m.d.sync += first.eq(_at_most((-x)[:POSITION_BITS], lanes)[: len(first)])
        with m.If((left <= 0) | (y >= self.descriptor.height)):
            m.d.sync += beyond.eq(0)
        with m.Else():
            m.d.sync += beyond.eq(_at_most(left[:POSITION_BITS], lanes)[: len(beyond)])
        return [(first <= lane) & (beyond > lane) for lane in range(lanes)]

    def _align(self, m: Module, chunk: Any, inside: list[Any], row: Any) -> None:
        """Turn bank order into row order: row r lies in lane ``r % activation_port``."""
        lanes = self.config.activation_port
        lane_bits = self.config.activation_lane_bits
        rotation = Signal(lane_bits)
        m.d.sync += rotation.eq((self.read.address[:lane_bits] - row[:lane_bits])[:lane_bits])
        banks = rotated([self.read.data[lane] for lane in range(lanes)], rotation)
        valid = rotated(inside, self._rotation_to_rows(m, chunk))
        for lane in range(lanes):
            # Flipping the top bit adds 128: the array always sees unsigned inputs.
            byte = Mux(valid[lane], banks[lane], self.descriptor.zero_point.as_unsigned())
            m.d.comb += chunk.bytes[lane].eq(byte ^ 0x80)

    def _gather(self, m: Module, chunks: Any) -> None:
        """Put chunks into their rows; hand a complete window over to its macros' registers."""
        gathered = Signal(self._window_layout)
        complete = Signal()
        complete_is_last = Signal()
        held = Signal()
        held_is_last = Signal()
        taken = Signal()
        hand_over = Signal()
        accept = Signal()
        chunk = data.View(self._chunk_layout, chunks.r_data)
        ends_round = self._hand_over(m, gathered, hand_over, complete_is_last)
        m.d.comb += [
            taken.eq(self.o.valid & self.o.ready),
            hand_over.eq(complete & (~held | taken | ~ends_round)),
            accept.eq(chunks.r_rdy & (~complete | hand_over)),
            chunks.r_en.eq(accept),
            self.o.valid.eq(held),
            self.done.eq(taken & held_is_last),
        ]
        with m.If(taken):
            m.d.sync += held.eq(0)
        with m.If(hand_over):
            m.d.sync += complete.eq(0)
            with m.If(ends_round):
                m.d.sync += [held.eq(1), held_is_last.eq(complete_is_last)]
        present = Signal(self.config.activation_port)
        self._find_planes(m, chunk, present, hand_over & ends_round)
        with m.If(accept):
            self._store_rows(m, gathered, chunk, present)
            m.d.sync += [complete.eq(chunk.ends_window), complete_is_last.eq(chunk.ends_all)]
        with m.If(self.start):
            m.d.sync += gathered.eq(0)

    def _hand_over(self, m: Module, gathered: Any, hand_over: Signal, is_last: Signal) -> Value:
        """The macros' registers; whether the window that is complete is the last of its round.

        Macros need their inputs for all planes, so the windows of the next round wait beside them.
        """
        config = self.config
        if config.macros == 1:
            inputs = Signal(self._window_layout, name="vector", reset_less=True)
            with m.If(hand_over):
                m.d.sync += inputs.eq(gathered)
            m.d.comb += self.o.payload[0].eq(inputs)
            return Const(1, 1)
        # The window's place in its round, and that of the last one.
        place = Signal(config.most_split)
        last_place = Signal(config.most_split)
        ends_round = Signal()
        m.d.comb += [
            last_place.eq(((1 << self.descriptor.split) - 1)[: len(last_place)]),
            ends_round.eq(is_last | (place == last_place)),
        ]
        with m.If(hand_over):
            m.d.sync += place.eq(Mux(ends_round, 0, place + 1)[: len(place)])
        # Neighbouring macros share a window.
        share = (config.most_split - self.descriptor.split)[: len(self.descriptor.split)]
        for macro in range(config.macros):
            inputs = Signal(self._window_layout, name=f"vector{macro}", reset_less=True)
            waiting = Signal(self._window_layout, name=f"waiting{macro}", reset_less=True)
            is_own = Signal(name=f"is_own{macro}")
            m.d.comb += [
                is_own.eq(place == (Const(macro, config.most_split) >> share)),
                self.o.payload[macro].eq(inputs),
            ]
            with m.If(hand_over & is_own):
                m.d.sync += waiting.eq(gathered)
            with m.If(hand_over & ends_round):
                m.d.sync += inputs.eq(Mux(is_own, gathered, waiting))
        return ends_round

    def _find_planes(
        self, m: Module, chunk: Any, present: Signal, passes_on: Value
    ) -> None:
        """Which planes of a round's windows have a one; the first goes on with the round."""
        bits = self.config.macro.input_bits
        if not self.config.macro.skip_zero_planes:
            m.d.comb += self.top_plane.eq(bits - 1)
            return
        here = Signal(bits)
        so_far = Signal(bits)
        first = Signal.like(self.top_plane)
        for plane in range(bits):
            ones = [chunk.bytes[lane][plane] for lane in range(self.config.activation_port)]
            m.d.comb += here[plane].eq((Cat(ones) & present).any())
            # Later planes are more significant, and override; the last one meets the array always.
            with m.If(so_far[plane]):
                m.d.comb += first.eq(plane)
        m.d.sync += so_far.eq(Mux(passes_on, 0, so_far) | here)
        with m.If(passes_on):
            all_planes = ~self.descriptor.skip_zero_planes
            m.d.sync += self.top_plane.eq(Mux(all_planes, bits - 1, first))

    def _rotation_to_rows(self, m: Module, chunk: Any) -> Signal:
        """How far lanes turn so that the first byte comes to the lane of its row."""
        bits = self.config.activation_lane_bits
        amount = Signal(bits)
        # A row's number may be narrower than a lane's.
        m.d.comb += amount.eq((Const(0, bits) - chunk.row[:bits])[:bits])
        return amount

    def _store_rows(self, m: Module, gathered: Any, chunk: Any, present: Signal) -> None:
        """Put a chunk's bytes into their rows; `present` are those that it has."""
        lanes = self.config.activation_port
        lane_bits = self.config.activation_lane_bits
        to_rows = self._rotation_to_rows(m, chunk)
        m.d.comb += present.eq(Cat(rotated([chunk.count > lane for lane in range(lanes)], to_rows)))
        block = Signal(bits_for(self.config.macro.rows // lanes + 1))
        m.d.comb += block.eq(chunk.row[lane_bits:])
        for row in range(self.config.macro.rows):
            lane = row % lanes
            # Lanes below the first row's belong to the rows of the next block.
            own_block = block + wraps(chunk.row[:lane_bits], lane)
            with m.If(present[lane] & (own_block == row // lanes)):
                m.d.sync += gathered[row].eq(chunk.bytes[lane])


def _at_most(value: Any, limit: Any) -> Any:
    return Mux(value > limit, limit, value)
