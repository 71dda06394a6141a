# SPDX-License-Identifier: Apache-2.0
"""Window feeder: gathers convolution windows from the activation memory into input vectors."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .chunk_walker import ChunkWalker
from .config import NpuConfig
from .delay import delayed
from .isa import Opcode, layout
from .latency import CHUNKS, READ_CYCLES
from .ports import ActivationReadPort
from .rotate import rotated
from .vector_slots import round_layout
from .walkers import POSITION_BITS
from .window_gatherer import WindowGatherer, chunk_layout

__all__ = ["WindowFeeder"]


class WindowFeeder(wiring.Component):
    """Reads windows' runs in chunks of up to `activation_port` bytes and lays them out as rows.

    No copy of the windows is made in memory (no im2col): a window is a few runs of consecutive
    bytes, one from each image row. Bytes beyond the image are the zero point. Rows that the window
    does not reach are zero, so it does not matter what weights they meet.

    Data flow::

        walker -> chunk (one read a cycle) -> memory -> queue -> gatherer -> rounds

    Windows that slide on in a row keep what they share with the one before (`latency.slide`): of
    each run only the last `step_x` bytes are read.

    Throughput: a round every `chunks` cycles of its windows, where a run of which n bytes are read
    has ``ceil(n / activation_port)`` chunks; one or two more where its first window has two chunks
    or one. Latency: ``READ_CYCLES + 6`` cycles from `start` to the first round of one window of one
    chunk; another for each further chunk and window.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.COMPUTE))
    done : Out(1)
        The last round is taken in this cycle.
    read : Out(ActivationReadPort)
    o : Out(stream of round_layout(config))
        Unsigned bytes: the int8 value plus 128. Planes above the first that is to meet the array
        are zero.
    """

    start: Signal
    descriptor: data.View
    done: Signal
    read: Any
    o: stream.Interface

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.COMPUTE)),
                "done": Out(1),
                "read": Out(ActivationReadPort(config)),
                "o": Out(stream.Signature(round_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout_ = chunk_layout(self.config)
        m.submodules.walker = walker = ChunkWalker(self.config)
        chunks: Any = fifo.SyncFIFO(width=layout_.size, depth=CHUNKS)
        m.submodules.chunks = chunks
        m.submodules.gatherer = gatherer = WindowGatherer(self.config)
        asks = Signal()
        # For all that are under way, one that is asked for as this is told, and the next.
        has_room = Signal()
        m.d.sync += has_room.eq(chunks.level < CHUNKS - READ_CYCLES - 1)
        m.d.comb += [
            walker.start.eq(self.start),
            walker.descriptor.eq(self.descriptor),
            self.read.valid.eq(walker.valid & has_room),
            self.read.address.eq(walker.address),
            asks.eq(self.read.valid & self.read.ready),
            walker.advance.eq(asks),
        ]
        # When the bytes are there, so is what belongs to them. Row r lies in lane r % port.
        chunk = Signal(layout_)
        first_lane = walker.place.row[: self.config.activation_lane_bits]
        place = delayed(m, "place", walker.place, READ_CYCLES, reset_less=True)
        exist, inside = self._find_bytes(m, walker)
        zero_point = self.descriptor.zero_point.as_unsigned()
        m.d.comb += [
            self.read.lane.eq(first_lane),
            *(
                chunk[name].eq(place[name])
                for name in ("row", "moves", "next_slides", "ends_window", "ends_all")
            ),
            chunk.lanes.eq(exist),
            # Flipping the top bit adds 128: the array always sees unsigned inputs.
            *(
                chunk.bytes[lane].eq(Mux(inside[lane], self.read.data[lane], zero_point) ^ 0x80)
                for lane in range(self.config.activation_port)
            ),
            chunks.w_en.eq(delayed(m, "arrives", asks, READ_CYCLES)),
            chunks.w_data.eq(chunk),
        ]
        connect(m, gatherer.o, flipped(self.o))
        m.d.comb += [
            gatherer.start.eq(self.start),
            gatherer.descriptor.eq(self.descriptor),
            gatherer.i.valid.eq(chunks.r_rdy),
            gatherer.i.payload.eq(chunks.r_data),
            chunks.r_en.eq(gatherer.i.ready),
            self.done.eq(gatherer.done),
        ]
        return m

    def _find_bytes(self, m: Module, walker: Any) -> tuple[Value, Value]:
        """Which lanes have bytes of the chunk, and which of those are of the image: when they come.
        """
        lanes, lane_bits = self.config.activation_port, self.config.activation_lane_bits
        # The first byte inside, and the first beyond the row's end, limited to what matters; both
        # are registered, as is what comes of turning them to their lanes.
        wait = READ_CYCLES - 3
        x = delayed(m, "x", walker.x, wait, reset_less=True).as_signed()
        y = delayed(m, "y", walker.y, wait, reset_less=True).as_unsigned()
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
        count = delayed(m, "count", walker.place.count, wait + 1, reset_less=True)
        row = delayed(m, "row", walker.place.row, wait + 1, reset_less=True)
        in_order = [
            Cat(count > lane, (first <= lane) & (beyond > lane)) for lane in range(lanes)
        ]
        # A row's number may be narrower than a lane's.
        turn = (Const(0, lane_bits) - row[:lane_bits])[:lane_bits]
        in_lanes = rotated(m, "inside", in_order, turn)
        exist, inside = (Cat(pair[index] for pair in in_lanes) for index in range(2))
        exist_later = delayed(m, "exist", exist, 1, reset_less=True)
        return exist_later, delayed(m, "is_inside", inside, 1, reset_less=True)


def _at_most(value: Value, limit: int) -> Value:
    return Mux(value > limit, limit, value)
