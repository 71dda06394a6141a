# SPDX-License-Identifier: Apache-2.0
"""Tap walker: asks for the pixels of windows one by one, for whatever is done with their bytes."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import NpuConfig
from .delay import delayed
from .isa import Opcode, layout
from .latency import BYTES_AFTER
from .walkers import POSITION_BITS, PixelWalker, WindowWalker, countdown

__all__ = ["TAP_NUMBER_BITS", "TapWalker", "tap_layout"]

#: Width of a tap's number in its window: rows and columns have 8 bits each.
TAP_NUMBER_BITS = 16


def tap_layout(config: NpuConfig) -> data.StructLayout:
    """A tap whose bytes are there, and where its window's result goes."""
    return data.StructLayout(
        {
            "valid": 1,
            "inside": 1,
            "first": 1,
            "last": 1,
            "ends_all": 1,
            "count": range(config.pool_lanes + 1),
            "address": config.activation_address_bits,
        }
    )


class TapWalker(wiring.Component):
    """Takes up to `width` channels of a pixel at once (a chunk), tap after tap, then the next
    chunk, then the next window.

    A chunk of sums leaves in `sum_beats` cycles; one of fewer taps waits until they have passed.

    Throughput: a tap a cycle, and a chunk in ``max(taps, sum_beats)``; of a MAX_POOL in ``taps``.
    Latency: 2 cycles from `start` to the first `asks`; a tap is there with its bytes, ``BYTES_AFTER
    - 1`` cycles after it.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until the last result is written.
    descriptor : In(layout(Opcode.MAX_POOL))
        Or any whose windows are of pixels: their fields lie in the same places.
    width : In(range(config.pool_lanes + 1))
        Bytes of a chunk.
    asks : Out(1)
        Bytes are asked for, from `address` on; they surely come.
    will_ask : Out(1)
        They are in the next cycle.
    address : Out(config.activation_address_bits)
    number : Out(TAP_NUMBER_BITS)
        Which of its window's taps comes a cycle later.
    tap : Out(tap_layout(config))
    """

    start: Signal
    descriptor: data.View
    width: Signal
    asks: Signal
    will_ask: Signal
    address: Signal
    number: Signal
    tap: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.MAX_POOL)),
                "width": In(range(config.pool_lanes + 1)),
                "asks": Out(1),
                "will_ask": Out(1),
                "address": Out(config.activation_address_bits),
                "number": Out(TAP_NUMBER_BITS),
                "tap": Out(tap_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fields = self.descriptor
        m.submodules.windows = windows = WindowWalker(self.config, fields.shape())
        m.submodules.pixels = pixels = PixelWalker(self.config)
        asked = Signal(tap_layout(self.config))
        running = Signal()
        channel = Signal(16)
        channels_left = Signal(16)
        ends_channels = Signal()
        ends_window = Signal()
        number = Signal.like(self.number)
        row, column_offset, offset = self._walk_taps(m, asked, number)
        bits = len(self.address)
        x = (windows.x + column_offset)[:POSITION_BITS]
        y = (windows.y + row)[:POSITION_BITS]
        # A sum of two, in the cycle before the memory takes it.
        base = Signal.like(self.address)
        offset_in_window = Signal.like(offset)
        m.d.sync += [
            self.asks.eq(self.will_ask),
            base.eq((windows.address + channel)[:bits]),
            offset_in_window.eq(offset),
        ]
        m.d.comb += [
            self.will_ask.eq(asked.valid),
            ends_window.eq(asked.last & ends_channels),
            self.address.eq((base + offset_in_window)[:bits]),
            self.number.eq(delayed(m, "number", number, BYTES_AFTER - 1)),
            self.tap.eq(delayed(m, "tap", asked, BYTES_AFTER)),
            # As unsigned numbers, positions before the image are larger than any beyond it.
            asked.inside.eq((x < fields.row_bytes) & (y < fields.height)),
            asked.valid.eq(running & self._is_due(m, asked, number)),
            asked.ends_all.eq(ends_window & windows.last),
            asked.count.eq(Mux(ends_channels, channels_left, self.width)[: len(asked.count)]),
            asked.address.eq((pixels.address + channel)[:bits]),
            windows.descriptor.eq(fields),
            windows.start.eq(self.start),
            windows.advance.eq(asked.valid & ends_window),
            pixels.start.eq(self.start),
            pixels.advance.eq(asked.valid & ends_window),
            pixels.first_address.eq(fields.out_start[:bits]),
            pixels.pixel_stride.eq(fields.out_pixel_stride),
            pixels.row_stride.eq(fields.out_row_stride),
            pixels.width.eq(fields.out_width),
            pixels.height.eq(fields.out_height),
        ]
        with m.If(self.start | (asked.valid & ends_window)):
            m.d.sync += [
                channel.eq(0),
                channels_left.eq(fields.channels),
                ends_channels.eq(fields.channels <= self.width),
            ]
        with m.Elif(asked.valid & asked.last):
            m.d.sync += [
                channel.eq((channel + self.width)[:16]),
                channels_left.eq((channels_left - self.width)[:16]),
                ends_channels.eq(channels_left <= 2 * self.width),
            ]
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.Elif(asked.valid & asked.ends_all):
            m.d.sync += running.eq(0)
        return m

    def _is_due(self, m: Module, asked: Any, number: Signal) -> Value:
        """Whether so many cycles have passed since the chunk before began as its sums take."""
        beats = self.config.sum_beats
        if beats == 1:
            return Const(1, 1)
        left = Signal(range(beats))
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        is_sum = self.descriptor.opcode != Opcode.MAX_POOL
        with m.If(asked.valid & asked.last & is_sum & (number < beats - 1)):
            m.d.sync += left.eq((beats - 1 - number)[: len(left)])
        return left == 0

    def _walk_taps(
        self, m: Module, asked: Any, number: Signal
    ) -> tuple[Signal, Signal, Signal]:
        """Row of the tap; bytes from the window's first to the tap's pixel, in its row and in all.
        """
        fields = self.descriptor
        row = Signal(8)
        column_offset = Signal(POSITION_BITS)
        offset = Signal(self.config.activation_address_bits)
        next_row = Signal.like(offset)
        bits = len(offset)
        begins_window = self.start | (asked.valid & asked.last)
        begins_row = Signal()
        ends_row = countdown(m, "columns", fields.kernel_width, begins_row, asked.valid)
        last_row = countdown(m, "rows", fields.kernel_height, begins_window, begins_row)
        m.d.comb += [
            begins_row.eq(self.start | (asked.valid & ends_row)),
            asked.first.eq(number == 0),
            asked.last.eq(ends_row & last_row),
        ]
        with m.If(begins_window):
            m.d.sync += [
                number.eq(0),
                row.eq(0),
                offset.eq(0),
                next_row.eq(fields.row_stride[:bits]),
            ]
        with m.Elif(asked.valid):
            m.d.sync += [
                number.eq(number + 1),
                offset.eq((offset + fields.pixel_bytes)[:bits]),
            ]
            with m.If(ends_row):
                m.d.sync += [
                    row.eq(row + 1),
                    offset.eq(next_row),
                    next_row.eq((next_row + fields.row_stride)[:bits]),
                ]
        with m.If(begins_row):
            m.d.sync += column_offset.eq(0)
        with m.Elif(asked.valid):
            following = column_offset + fields.pixel_bytes
            m.d.sync += column_offset.eq(following[:POSITION_BITS])
        return row, column_offset, offset
