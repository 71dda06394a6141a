# SPDX-License-Identifier: Apache-2.0
"""Chunk walker: the reads of a COMPUTE one by one, window after window, run after run."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .config import NpuConfig
from .isa import Opcode, layout
from .walkers import POSITION_BITS, WindowWalker, wrapped

__all__ = ["ChunkWalker", "place_layout"]


def place_layout(config: NpuConfig) -> data.StructLayout:
    """Where a chunk goes: its first row and how many, and whether more follow."""
    return data.StructLayout(
        {
            "row": bits_for(config.macro.rows - 1),
            "count": bits_for(config.activation_port),
            "ends_window": 1,
            "ends_all": 1,
        }
    )


class ChunkWalker(wiring.Component):
    """Each chunk is what is left of its run, or as much of it as the activation port reads at once.

    All that the next chunk depends on is counted down to zero in registers, and windows are walked
    one ahead: so neither differences nor products are formed between a chunk and the next.

    Throughput: a chunk a cycle. Latency: 2 cycles from `start` to the first chunk.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until the last chunk has gone.
    descriptor : In(layout(Opcode.COMPUTE))
    valid : Out(1)
        There is a chunk: the four below are its.
    advance : In(1)
        It goes; the next cycle is the next chunk's. Only where `valid` is high.
    address : Out(config.activation_address_bits)
    x, y : Out(signed(POSITION_BITS))
        Byte within the image row, and image row, of its first byte; they wrap around.
    place : Out(place_layout(config))
    """

    start: Signal
    descriptor: data.View
    valid: Signal
    advance: Signal
    address: Signal
    x: Signal
    y: Signal
    place: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.COMPUTE)),
                "valid": Out(1),
                "advance": In(1),
                "address": Out(config.activation_address_bits),
                "x": Out(signed(POSITION_BITS)),
                "y": Out(signed(POSITION_BITS)),
                "place": Out(place_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fields = self.descriptor
        m.submodules.windows = windows = WindowWalker(self.config, fields.shape())
        starts = Signal()
        ends_run = Signal()
        last_window = Signal()
        next_window = Signal()
        bits = len(self.address)
        port = self.config.activation_port
        left, is_last_run = self._count_bytes(m, next_window, self.advance & ends_run)
        place = self.place
        m.d.comb += [
            ends_run.eq(left <= port),
            place.count.eq(Mux(ends_run, left, port)[: len(place.count)]),
            place.ends_window.eq(ends_run & is_last_run),
            place.ends_all.eq(place.ends_window & last_window),
            next_window.eq(starts | (self.advance & place.ends_window)),
            windows.descriptor.eq(fields),
            windows.start.eq(self.start),
            windows.advance.eq(next_window),
        ]
        m.d.sync += starts.eq(self.start)
        with m.If(starts):
            m.d.sync += self.valid.eq(1)
        with m.Elif(self.advance & place.ends_all):
            m.d.sync += self.valid.eq(0)

        # Of the run that follows in this window.
        run_address = Signal.like(self.address)
        run_x = Signal.like(self.x)
        with m.If(next_window):
            m.d.sync += [
                last_window.eq(windows.last),
                place.row.eq(0),
                self.address.eq((windows.address + fields.skip)[:bits]),
                self.x.eq(wrapped(windows.x + fields.skip)),
                self.y.eq(windows.y),
                run_address.eq((windows.address + fields.row_stride)[:bits]),
                run_x.eq(windows.x),
            ]
        with m.Elif(self.advance):
            m.d.sync += [
                place.row.eq((place.row + place.count)[: len(place.row)]),
                self.address.eq((self.address + port)[:bits]),
                self.x.eq(wrapped(self.x + port)),
            ]
            with m.If(ends_run):
                m.d.sync += [
                    self.address.eq(run_address),
                    self.x.eq(run_x),
                    self.y.eq(wrapped(self.y + 1)),
                    run_address.eq((run_address + fields.row_stride)[:bits]),
                ]
        return m

    def _count_bytes(
        self, m: Module, next_window: Value, next_run: Value
    ) -> tuple[Signal, Value]:
        """Bytes of the run that are left; whether the window has no other run."""
        fields = self.descriptor
        left = Signal(16)
        # Bytes of the window behind this run.
        behind = Signal(16)
        # What a window begins with: the first run, from `skip` on, and the rest of the window.
        first_left = Signal(16)
        first_behind = Signal(16)
        first_run = (fields.run_bytes - fields.skip)[:16]
        is_only = fields.depth <= first_run
        is_last = behind <= fields.run_bytes
        m.d.sync += [
            first_left.eq(Mux(is_only, fields.depth, first_run)),
            first_behind.eq(Mux(is_only, 0, fields.depth - first_run)[:16]),
        ]
        with m.If(next_window):
            m.d.sync += [left.eq(first_left), behind.eq(first_behind)]
        with m.Elif(next_run):
            m.d.sync += [
                left.eq(Mux(is_last, behind, fields.run_bytes)),
                behind.eq(Mux(is_last, 0, behind - fields.run_bytes)[:16]),
            ]
        with m.Elif(self.advance):
            m.d.sync += left.eq((left - self.config.activation_port)[:16])
        return left, behind == 0
