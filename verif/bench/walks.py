# SPDX-License-Identifier: Apache-2.0
"""Random windows over images, and places for results, as fields of descriptors.

Most are as a compiler would make them. Some fields are then changed to whatever else they may be;
whether that still is legal, others check.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ...hdl.npu.config import NpuConfig

__all__ = ["Arena", "Fields", "Walks"]

Fields: TypeAlias = dict[str, int]

_ADDRESS = 0xFFFFFFFF


@dataclass(frozen=True)
class Arena:
    """Some bytes of a memory."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def halves(self) -> tuple["Arena", "Arena"]:
        """The lower and the upper half."""
        middle = (self.start + self.stop) // 2
        return Arena(self.start, middle), Arena(middle, self.stop)

    def place(self, size: int, unit: int, random: np.random.Generator) -> int:
        """A random place for `size` bytes at a multiple of `unit`, at either end more often."""
        last = (self.stop - size) // unit
        first = -(-self.start // unit)
        ends = random.random()
        if ends < 0.1:
            return first * unit
        return (last if ends < 0.2 else int(random.integers(first, last + 1))) * unit


class Walks:
    """Draws windows and outputs.

    Parameters
    ----------
    config : NpuConfig
    random : numpy.random.Generator
    arena : Arena
        The bytes of the activation memory that may be used.
    channels : range
        As many channels as a pool or an image's pixel may have.
    slides : bool
        COMPUTEs have pixels as wide as the activation port, and overlap: their windows slide.
    """

    def __init__(
        self, config: NpuConfig, random: np.random.Generator, arena: Arena, *, channels: range,
        slides: bool = False,
    ) -> None:
        self.config = config
        self._random = random
        self._arena = arena
        self._most = min(len(channels), 24)
        self._slides = slides

    def window(self) -> tuple[Fields, int]:
        """A COMPUTE's window, and the bytes it has over all passes."""
        pixel = 1 + self._below(self._most if self._chance(0.3) else min(6, self._most))
        if self._slides:
            pixel = self.config.activation_port
        elif self._chance(0.2):
            return self._row_of_bytes()
        window, kernel = self._image(pixel, overlaps=self._slides)
        window["run_bytes"] = run = kernel[1] * pixel
        depth = kernel[0] * run
        most = 3 * self.config.macro.rows
        return window, min(depth, most)

    def pool(self) -> Fields:
        """Windows of pixels and where their results go, as pools have them."""
        pixel = 1 + self._below(self._most if self._chance(0.3) else min(6, self._most))
        window, kernel = self._image(pixel)
        window |= {"pixel_bytes": pixel, "kernel_height": kernel[0], "kernel_width": kernel[1]}
        channels = pixel if self._chance(0.7) else 1 + self._below(self._most)
        return window | {"channels": channels} | self.output(window, channels, "step_x")

    def bytes(self, count: int) -> int:
        """A place for so many bytes, at most all there are."""
        return self._arena.place(min(count, len(self._arena)), 1, self._random)

    def zero_point(self) -> int:
        """Any value of int8, often an extreme one."""
        values = (-128, 127, 0, int(self._random.integers(-128, 128)))
        return values[self._below(len(values))]

    def output(self, window: Fields, channels: int, step: str) -> Fields:
        """A place for results: somewhere, with gaps or without, or just where they come from."""
        extent = {name: window[name] for name in ("out_width", "out_height")}
        if self._chance(0.15):
            strides = {"out_pixel_stride": window[step], "out_row_stride": window["row_step"]}
            return extent | {"out_start": window["start"]} | strides
        pixel = channels + (self._below(4) if self._chance(0.3) else 0)
        row = extent["out_width"] * pixel + (self._below(8) if self._chance(0.3) else 0)
        size = (extent["out_height"] - 1) * row + (extent["out_width"] - 1) * pixel + channels
        start = self._arena.place(min(size, len(self._arena)), 1, self._random)
        return extent | {"out_start": start, "out_pixel_stride": pixel, "out_row_stride": row}

    def fewer(self, window: Fields, vectors: int) -> Fields:
        """The same window with at most so many places."""
        width = min(window["out_width"], vectors)
        return window | {
            "out_width": width, "out_height": min(window["out_height"], vectors // width)
        }

    def advance(self, window: Fields, first: int) -> Fields:
        """The pass that begins with byte `first` of the window."""
        row, skip = divmod(first, window["run_bytes"])
        return window | {
            "start": window["start"] + row * window["row_stride"] & _ADDRESS,
            "origin_y": window["origin_y"] + row,
            "skip": skip,
        }

    def split(self, window: Fields, rows: int) -> list[Fields]:
        """The first rows of places, and the others."""
        others = {
            "out_height": window["out_height"] - rows,
            "start": window["start"] + rows * window["row_step"] & _ADDRESS,
            "origin_y": window["origin_y"] + rows * window["step_y"],
        }
        return [window | {"out_height": rows}, window | others]

    def split_output(self, output: Fields, rows: int, words: int) -> list[Fields]:
        """The first rows of results, and the others; `words` of partial sums a vector."""
        others = {
            "out_height": output["out_height"] - rows,
            "out_start": output["out_start"] + rows * output["out_row_stride"],
            "partial": output["partial"] + rows * output["out_width"] * words,
        }
        return [output | {"out_height": rows}, output | others]

    def _row_of_bytes(self) -> tuple[Fields, int]:
        """A fully connected layer: all bytes of a window in one run, a few windows."""
        most = min(2 * self.config.macro.rows + 3, len(self._arena) // 2)
        depth, count = 1 + self._below(most), 1 + self._below(4)
        count = min(count, len(self._arena) // depth)
        start = self._arena.place(depth * count, 1, self._random)
        return {
            "start": start, "row_stride": depth, "row_bytes": depth * count, "height": 1,
            "step_x": depth, "step_y": 1, "row_step": depth, "run_bytes": depth,
            "origin_x": 0, "origin_y": 0, "out_width": count, "out_height": 1,
        }, depth

    def _image(self, pixel: int, overlaps: bool = False) -> tuple[Fields, tuple[int, int]]:
        """A window over an image of pixels of so many bytes; its kernel's height and width."""
        kernel = 1 + self._below(3), 2 + self._below(3) if overlaps else 1 + self._below(3)
        gap = self._below(5) if self._chance(0.3) else 0
        width = min(1 + self._below(7), (len(self._arena) - gap) // pixel)
        stride = width * pixel + gap
        height = min(1 + self._below(7), len(self._arena) // stride)
        steps = 1 + self._below(2), 1 + self._below(kernel[1] - 1 if overlaps else 3)
        pads = self._below(kernel[0] + 1), self._below(kernel[1] + 1)
        places = [
            max(1, (size + 2 * pad - taps) // step + 1)
            for size, pad, taps, step in zip((height, width), pads, kernel, steps, strict=True)
        ]
        start = self._arena.place(height * stride, 1, self._random)
        window = {
            "start": start - pads[0] * stride - pads[1] * pixel & _ADDRESS,
            "row_stride": stride, "row_bytes": width * pixel, "height": height,
            "origin_y": -pads[0], "origin_x": -pads[1] * pixel,
            "step_y": steps[0], "step_x": steps[1] * pixel, "row_step": steps[0] * stride,
            "out_height": min(places[0], 6), "out_width": min(places[1], 6),
        }
        return (self._bend(window) if self._chance(0.25) else window), kernel

    def _bend(self, window: Fields) -> Fields:
        """Change a field, so that the window is not one of an image any more."""
        names = ("step_x", "step_y", "row_step", "row_bytes", "height", "origin_x", "origin_y")
        name = names[self._below(len(names))]
        value = window[name] + int(self._random.integers(-4, 5))
        return window | {name: value if name.startswith("origin") else max(0, value)}

    def _below(self, limit: int) -> int:
        return int(self._random.integers(limit))

    def _chance(self, probability: float) -> bool:
        return bool(self._random.random() < probability)
