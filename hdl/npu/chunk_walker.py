# SPDX-License-Identifier: Apache-2.0
"""Chunk walker: the reads of a COMPUTE one by one, window after window, run after run."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .config import NpuConfig
from .isa import Opcode, layout
from .run_counter import RunCounter
from .walkers import POSITION_BITS, WindowWalker, wrapped

__all__ = ["ChunkWalker", "place_layout", "slide_bits"]


def place_layout(config: NpuConfig) -> data.StructLayout:
    """Where a chunk goes: its first row and how many, and whether more follow.

    ``moves``: rows that were there move up first, by `activation_port`; they do so once for each
    chunk that has this. ``row`` is below the chunk's last place, by the moves that follow it.
    ``next_slides``, for those who skip planes: the window after this one keeps bytes of it.
    """
    return data.StructLayout(
        {
            "row": bits_for(config.macro.rows - 1),
            "count": bits_for(config.activation_port),
            "moves": 1,
            "next_slides": slide_bits(config),
            "ends_window": 1,
            "ends_all": 1,
        }
    )


def slide_bits(config: NpuConfig) -> int:
    """Whether a chunk says that the next window slides."""
    return int(config.macro.skip_zero_planes)


class ChunkWalker(wiring.Component):
    """Each chunk is what is left of its run, or as much of it as the activation port reads at once.

    Of a window that slides on in its row (`latency.slide`) runs begin where new bytes do.

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
        m.submodules.runs = runs = RunCounter(self.config)
        starts = Signal()
        last_window = Signal()
        next_window = Signal()
        bits = len(self.address)
        port = self.config.activation_port
        place = self.place
        # The final row of the chunk's first byte.
        row = Signal.like(place.row)
        row_behind = (row + place.count)[: len(row)]
        m.d.comb += [
            runs.descriptor.eq(fields),
            runs.next_window.eq(next_window),
            runs.slides_on.eq(~windows.begins_row),
            runs.advance.eq(self.advance),
            place.row.eq((row + runs.moves_left * port)[: len(row)]),
            place.count.eq(runs.count),
            place.moves.eq(runs.moves),
            place.ends_window.eq(runs.ends_window),
            place.ends_all.eq(runs.ends_window & last_window),
            next_window.eq(starts | (self.advance & runs.ends_window)),
            windows.descriptor.eq(fields),
            windows.start.eq(self.start),
            windows.advance.eq(next_window),
        ]
        m.d.sync += starts.eq(self.start)
        with m.If(starts):
            m.d.sync += self.valid.eq(1)
        with m.Elif(self.advance & place.ends_all):
            m.d.sync += self.valid.eq(0)

        if slide_bits(self.config):
            ends_row = Signal()
            with m.If(next_window):
                m.d.sync += ends_row.eq(windows.ends_row)
            m.d.comb += place.next_slides.eq(runs.slides & ~ends_row)
        # Of the run that follows in this window.
        run_address = Signal.like(self.address)
        run_x = Signal.like(self.x)
        # Where in its first run a window begins that slides on. It is there when it is asked for:
        # at least two chunks of the window before it come first.
        slid_skip = Signal(16)
        m.d.sync += slid_skip.eq((fields.skip + runs.first_offset)[:16])
        # Both are added and one is chosen: which, is known late.
        slides_on, skips = runs.begins_slid, (slid_skip, fields.skip)
        begins = ((windows.address + skip)[:bits] for skip in skips)
        begins_x = (wrapped(windows.x + skip) for skip in skips)
        with m.If(next_window):
            m.d.sync += [
                last_window.eq(windows.last),
                row.eq(Mux(slides_on, runs.first_offset, 0)),
                self.address.eq(Mux(slides_on, *begins)),
                self.x.eq(Mux(slides_on, *begins_x)),
                self.y.eq(windows.y),
                run_address.eq((windows.address + fields.row_stride)[:bits]),
                run_x.eq(windows.x),
            ]
        with m.Elif(self.advance):
            m.d.sync += [
                row.eq(row_behind),
                self.address.eq((self.address + port)[:bits]),
                self.x.eq(wrapped(self.x + port)),
            ]
            with m.If(runs.ends_run):
                m.d.sync += [
                    row.eq((row_behind + runs.offset)[: len(row)]),
                    self.address.eq((run_address + runs.offset)[:bits]),
                    self.x.eq(wrapped(run_x + runs.offset)),
                    self.y.eq(wrapped(self.y + 1)),
                    run_address.eq((run_address + fields.row_stride)[:bits]),
                ]
        return m
