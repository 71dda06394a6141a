# SPDX-License-Identifier: Apache-2.0
"""Max pooling: the vector engine's way from activation memory to activation memory."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import NpuConfig
from .isa import Opcode, layout
from .ports import ActivationReadPort, ActivationWritePort
from .rotate import rotated
from .walkers import POSITION_BITS, PixelWalker, WindowWalker

__all__ = ["MaxPool"]


class MaxPool(wiring.Component):
    """Largest value of each channel in a window, clamped; taps beyond the image are ignored.

    Takes `activation_port` channels of a pixel at once (a chunk), tap after tap, then the next
    chunk, then the next window.

    Throughput: a tap a cycle: ``taps * ceil(channels / activation_port)`` cycles a window. Latency:
    1 cycle from `start` to the first read, 2 from the last read to `done`.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.MAX_POOL))
    done : Out(1)
        The last result is in memory after this cycle.
    read : Out(ActivationReadPort)
    write : Out(ActivationWritePort)
    """

    start: Signal
    descriptor: data.View
    done: Signal
    read: Any
    write: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.MAX_POOL)),
                "done": Out(1),
                "read": Out(ActivationReadPort(config)),
                "write": Out(ActivationWritePort(config)),
            }
        )

    @property
    def _tap_layout(self) -> data.StructLayout:
        """What belongs to a tap while its bytes are on their way."""
        return data.StructLayout(
            {
                "valid": 1,
                "inside": 1,
                "first": 1,
                "last": 1,
                "ends_all": 1,
                "rotation": self.config.activation_lane_bits,
                "count": range(self.config.activation_port + 1),
                "address": self.config.activation_address_bits,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        asked = Signal(self._tap_layout)
        tap = Signal(self._tap_layout)
        self._ask(m, asked)
        m.d.sync += tap.eq(asked)
        self._reduce(m, tap)
        return m

    def _ask(self, m: Module, asked: Any) -> None:
        """Walk over windows, chunks and taps; ask for one tap a cycle."""
        fields = self.descriptor
        lanes = self.config.activation_port
        m.submodules.windows = windows = WindowWalker(self.config, fields.shape())
        m.submodules.pixels = pixels = PixelWalker(self.config)
        running = Signal()
        channel = Signal(16)
        column = Signal(8)
        row = Signal(8)
        # Bytes from the window's first byte to the tap's pixel, and to its row.
        column_offset = Signal(POSITION_BITS)
        row_offset = Signal(self.config.activation_address_bits)
        address_bits = len(row_offset)

        channels_left = Signal(16)
        ends_row = Signal()
        ends_chunk = Signal()
        ends_window = Signal()
        tap_address = Signal(address_bits)
        x = (windows.x + column_offset)[:POSITION_BITS]
        y = (windows.y + row)[:POSITION_BITS]
        m.d.comb += [
            channels_left.eq((fields.channels - channel)[:16]),
            ends_row.eq(column == (fields.kernel_width - 1)[:8]),
            ends_chunk.eq(ends_row & (row == (fields.kernel_height - 1)[:8])),
            ends_window.eq(ends_chunk & (channels_left <= lanes)),
            tap_address.eq(
                (windows.address + row_offset + column_offset + channel)[:address_bits]
            ),
            self.read.valid.eq(running),
            self.read.address.eq(tap_address),
            # As unsigned numbers, positions before the image are larger than any beyond it.
            asked.inside.eq((x < fields.row_bytes) & (y < fields.height)),
            asked.valid.eq(running & self.read.ready),
            asked.first.eq((column == 0) & (row == 0)),
            asked.last.eq(ends_chunk),
            asked.ends_all.eq(ends_window & windows.last),
            asked.rotation.eq(tap_address[: len(asked.rotation)]),
            asked.count.eq(Mux(channels_left > lanes, lanes, channels_left)[: len(asked.count)]),
            asked.address.eq((pixels.address + channel)[:address_bits]),
        ]
        with m.If(asked.valid):
            m.d.sync += [
                column.eq(column + 1),
                column_offset.eq((column_offset + fields.pixel_bytes)[:POSITION_BITS]),
            ]
            with m.If(ends_row):
                m.d.sync += [
                    column.eq(0),
                    column_offset.eq(0),
                    row.eq(row + 1),
                    row_offset.eq((row_offset + fields.row_stride)[:address_bits]),
                ]
            with m.If(ends_chunk):
                m.d.sync += [row.eq(0), row_offset.eq(0), channel.eq((channel + lanes)[:16])]
            with m.If(ends_window):
                m.d.sync += channel.eq(0)
                with m.If(windows.last):
                    m.d.sync += running.eq(0)
        with m.If(self.start):
            m.d.sync += running.eq(1)
        m.d.comb += [
            windows.descriptor.eq(fields),
            windows.start.eq(self.start),
            windows.advance.eq(asked.valid & ends_window),
            pixels.start.eq(self.start),
            pixels.advance.eq(asked.valid & ends_window),
            pixels.first_address.eq(fields.out_start[:address_bits]),
            pixels.pixel_stride.eq(fields.out_pixel_stride),
            pixels.row_stride.eq(fields.out_row_stride),
            pixels.width.eq(fields.out_width),
            pixels.height.eq(fields.out_height),
        ]

    def _reduce(self, m: Module, tap: Any) -> None:
        """Keep the largest of the taps so far; write it out after the last."""
        fields = self.descriptor
        lanes = self.config.activation_port
        finished = Signal()
        count = Signal.like(tap.count)
        address = Signal.like(tap.address)
        ends_all = Signal()
        bytes_ = rotated([self.read.data[lane] for lane in range(lanes)], tap.rotation)
        results = []
        for lane in range(lanes):
            largest = Signal(signed(8), name=f"largest{lane}", reset_less=True)
            value = Mux(tap.inside, bytes_[lane].as_signed(), Const(-128, signed(8)))
            before = Mux(tap.first, Const(-128, signed(8)), largest)
            with m.If(tap.valid):
                m.d.sync += largest.eq(Mux(value > before, value, before))
            low, high = fields.clamp_low, fields.clamp_high
            results.append(Mux(largest < low, low, Mux(largest > high, high, largest)))
        m.d.sync += [
            finished.eq(tap.valid & tap.last),
            ends_all.eq(tap.ends_all),
            count.eq(tap.count),
            address.eq(tap.address),
        ]
        m.d.comb += [
            self.write.count.eq(Mux(finished, count, 0)),
            self.write.address.eq(address),
            self.write.data.eq(Cat(result[:8] for result in results)),
            self.done.eq(finished & ends_all),
        ]
