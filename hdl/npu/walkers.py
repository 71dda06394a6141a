# SPDX-License-Identifier: Apache-2.0
"""Address generators: over the windows of an image, and over the pixels of a result."""

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import NpuConfig

__all__ = ["POSITION_BITS", "PixelWalker", "WindowWalker", "countdown", "wrapped"]

#: Width of a position in an image, in bytes or rows: 16 bits, a sign, and room for one step beyond.
POSITION_BITS = 18


def countdown(m: Module, name: str, count: Value, begin: Value, advance: Value) -> Signal:
    """Whether the last of `count` steps, at least 1, is there: known from a register.

    After `begin` the first is there, after `advance` the next; `begin` comes before `advance`.
    """
    left = Signal(count.shape(), name=f"{name}_left")
    is_last = Signal(name=f"last_of_{name}")
    with m.If(begin):
        m.d.sync += [left.eq(count), is_last.eq(count == 1)]
    with m.Elif(advance):
        m.d.sync += [left.eq(left - 1), is_last.eq(left == 2)]
    return is_last


class _ExtentCounter(wiring.Component):
    """Counts through ``out_height`` rows of ``out_width``.

    Members
    -------
    start : In(1)
        The next cycle is the first pixel's.
    advance : In(1)
        The next cycle is the next pixel's.
    width, height : In(16)
        Both at least 1.
    last_in_row, last : Out(1)
        The pixel is the last of its row, of all.
    """

    start: Signal
    advance: Signal
    width: Signal
    height: Signal
    last_in_row: Signal
    last: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "advance": In(1),
                "width": In(16),
                "height": In(16),
                "last_in_row": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        begins_row = Signal()
        last_row = countdown(m, "rows", self.height, self.start, begins_row)
        m.d.comb += [
            begins_row.eq(self.start | (self.advance & self.last_in_row)),
            self.last_in_row.eq(countdown(m, "columns", self.width, begins_row, self.advance)),
            self.last.eq(self.last_in_row & last_row),
        ]
        return m


class PixelWalker(wiring.Component):
    """Address of each pixel of a result: ``start + oy * row_stride + ox * pixel_stride``.

    Members
    -------
    start, advance : In(1)
        The next cycle is the first, the next pixel's.
    first_address : In(config.activation_address_bits)
    pixel_stride, row_stride, width, height : In(16)
    address : Out(config.activation_address_bits)
    last : Out(1)
        The pixel is the last.
    """

    start: Signal
    advance: Signal
    first_address: Signal
    pixel_stride: Signal
    row_stride: Signal
    width: Signal
    height: Signal
    address: Signal
    last: Signal

    def __init__(self, config: NpuConfig) -> None:
        bits = config.activation_address_bits
        super().__init__(
            {
                "start": In(1),
                "advance": In(1),
                "first_address": In(bits),
                "pixel_stride": In(16),
                "row_stride": In(16),
                "width": In(16),
                "height": In(16),
                "address": Out(bits),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.extent = extent = _ExtentCounter()
        row_address = Signal.like(self.address)
        bits = len(row_address)
        next_row = (row_address + self.row_stride)[:bits]
        m.d.comb += [
            extent.start.eq(self.start),
            extent.advance.eq(self.advance),
            extent.width.eq(self.width),
            extent.height.eq(self.height),
            self.last.eq(extent.last),
        ]
        with m.If(self.start):
            m.d.sync += [
                self.address.eq(self.first_address),
                row_address.eq(self.first_address),
            ]
        with m.Elif(self.advance):
            m.d.sync += self.address.eq((self.address + self.pixel_stride)[:bits])
            with m.If(extent.last_in_row):
                m.d.sync += [self.address.eq(next_row), row_address.eq(next_row)]
        return m


class WindowWalker(wiring.Component):
    """Position and address of each window that moves over an image.

    Members
    -------
    start, advance : In(1)
        The next cycle is the first, the next window's.
    descriptor : In(config layout)
        The fields `start`, `origin_x` .. `row_step`, `out_width`, `out_height` are used.
    address : Out(config.activation_address_bits)
        Of the window's first byte, modulo the address space, as if the image went on all around.
    x, y : Out(signed(POSITION_BITS))
        Byte within the image row, and image row, of the window's first byte. They wrap around.
    begins_row, ends_row : Out(1)
        The window is the first, the last of its row.
    last : Out(1)
        The window is the last.
    """

    start: Signal
    advance: Signal
    descriptor: data.View
    address: Signal
    x: Signal
    y: Signal
    begins_row: Signal
    ends_row: Signal
    last: Signal

    def __init__(self, config: NpuConfig, descriptor_layout: data.FlexibleLayout) -> None:
        bits = config.activation_address_bits
        super().__init__(
            {
                "start": In(1),
                "advance": In(1),
                "descriptor": In(descriptor_layout),
                "address": Out(bits),
                "x": Out(signed(POSITION_BITS)),
                "y": Out(signed(POSITION_BITS)),
                "begins_row": Out(1),
                "ends_row": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fields = self.descriptor
        bits = len(self.address)
        m.submodules.extent = extent = _ExtentCounter()
        row_address = Signal.like(self.address)
        next_row = (row_address + fields.row_step)[:bits]
        m.d.comb += [
            extent.start.eq(self.start),
            extent.advance.eq(self.advance),
            extent.width.eq(fields.out_width),
            extent.height.eq(fields.out_height),
            self.ends_row.eq(extent.last_in_row),
            self.last.eq(extent.last),
        ]
        with m.If(self.start):
            m.d.sync += [
                self.address.eq(fields.start[:bits]),
                row_address.eq(fields.start[:bits]),
                self.x.eq(fields.origin_x),
                self.y.eq(fields.origin_y),
                self.begins_row.eq(1),
            ]
        with m.Elif(self.advance):
            m.d.sync += [
                self.begins_row.eq(extent.last_in_row),
                self.address.eq((self.address + fields.step_x)[:bits]),
                self.x.eq(wrapped(self.x + fields.step_x)),
            ]
            with m.If(extent.last_in_row):
                m.d.sync += [
                    self.address.eq(next_row),
                    row_address.eq(next_row),
                    self.x.eq(fields.origin_x),
                    self.y.eq(wrapped(self.y + fields.step_y)),
                ]
        return m


def wrapped(position: Value) -> Value:
    """A position, signed, of as many bits as positions have."""
    return position[:POSITION_BITS].as_signed()
