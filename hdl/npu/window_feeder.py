# SPDX-License-Identifier: Apache-2.0
"""Window feeder: gathers convolution windows from the activation memory into input vectors."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .chunk_walker import ChunkWalker
from .config import NpuConfig
from .delay import delayed
from .isa import Opcode, layout
from .latency import CHUNKS, READ_CYCLES
from .ports import ActivationReadPort
from .rotate import rotated
from .walkers import POSITION_BITS
from .window_gatherer import WindowGatherer, chunk_layout, rotation_to_rows, windows_layout

__all__ = ["WindowFeeder"]


class WindowFeeder(wiring.Component):
    """Reads a window's runs in chunks of up to `activation_port` bytes and lays them out as rows.

    No copy of the windows is made in memory (no im2col): a window is a few runs of consecutive
    bytes, one from each image row. Bytes beyond the image are the zero point. Rows that the window
    does not reach are zero, so it does not matter what weights they meet.

    Data flow::

        walker -> chunk (one read a cycle) -> memory -> rotate -> queue -> gatherer -> vectors
                                                                           (rows)

    Throughput: a round every ``max(chunks, planes)`` cycles, 2 at least, where a run of n bytes has
    ``ceil(n / activation_port)`` chunks. Latency: ``READ_CYCLES + 7`` cycles from `start` to the
    first round of one window of one chunk; another for each further chunk and window.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.COMPUTE))
    done : Out(1)
        The last vector is taken in this cycle.
    read : Out(ActivationReadPort)
    o : Out(stream of windows_layout(config))
        Unsigned bytes: the int8 value plus 128.
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
                "o": Out(stream.Signature(windows_layout(config))),
                "top_plane": Out(config.macro.plane_bits),
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
        m.d.comb += [
            walker.start.eq(self.start),
            walker.descriptor.eq(self.descriptor),
            # Room for this chunk and for all that are under way.
            self.read.valid.eq(walker.valid & (chunks.level < CHUNKS - READ_CYCLES)),
            self.read.address.eq(walker.address),
            asks.eq(self.read.valid & self.read.ready),
            walker.advance.eq(asks),
        ]
        # When the bytes are there, so is what belongs to them.
        chunk = Signal(layout_)
        m.d.comb += [
            chunk.place.eq(delayed(m, "place", walker.place, READ_CYCLES)),
            chunk.bytes.eq(self._align(m, walker)),
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
            self.top_plane.eq(gatherer.top_plane),
        ]
        return m

    def _align(self, m: Module, walker: Any) -> Value:
        """Turn bank order into row order: row r lies in lane ``r % activation_port``."""
        lanes = self.config.activation_port
        lane_bits = self.config.activation_lane_bits
        row = walker.place.row
        to_lanes = (walker.address[:lane_bits] - row[:lane_bits])[:lane_bits]
        rotation = delayed(m, "rotation", to_lanes, READ_CYCLES)
        banks = rotated([self.read.data[lane] for lane in range(lanes)], rotation)
        # Which bytes are in the image is known a cycle before they are there.
        row_soon = delayed(m, "row_soon", row, READ_CYCLES - 1)
        inside = rotated(self._bytes_inside(m, walker), rotation_to_rows(self.config, row_soon))
        valid = delayed(m, "inside", Cat(inside), 1)
        zero_point = self.descriptor.zero_point.as_unsigned()
        # Flipping the top bit adds 128: the array always sees unsigned inputs.
        return Cat(Mux(valid[lane], banks[lane], zero_point) ^ 0x80 for lane in range(lanes))

    def _bytes_inside(self, m: Module, walker: Any) -> list[Value]:
        """Which of the port's bytes are in the image, a cycle before they are there."""
        lanes = self.config.activation_port
        x = delayed(m, "x", walker.x, READ_CYCLES - 2).as_signed()
        y = delayed(m, "y", walker.y, READ_CYCLES - 2).as_unsigned()
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


def _at_most(value: Value, limit: int) -> Value:
    return Mux(value > limit, limit, value)
