# SPDX-License-Identifier: Apache-2.0
"""The instruction set: descriptors of 16 words, defined once for all who read or write them.

A program is a list of descriptors. The sequencer hands each to the queue of its engine; the
engines run at once and order themselves by tokens, as in VTA (Moreau et al., IEEE Micro 39(5),
2019) and BISMO (Umuroglu et al., FPL 2018). A descriptor is a whole loop over a tile of an image.

Hardware layouts, encoder, decoder and the documentation's tables are derived from `FIELDS`.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

__all__ = [
    "ADD_SHIFT", "FIELDS", "VERSION", "WORDS", "BitField", "Descriptor", "DescriptorError",
    "Opcode", "Queue", "Rounding", "decode", "layout",
]

#: Bits by which ADD moves a byte up before it is scaled, as TFLite's reference kernel does.
ADD_SHIFT = 20
#: Words of 32 bits in a descriptor.
WORDS = 16
#: The version every descriptor carries; another one is refused. It counts up when a descriptor, or
#: the memory it works on, would be misread: version 1 had the rows of a row group packed together,
#: version 2 one bit for the rounding, version 3 one macro and half of the operations.
VERSION = 5


class Queue(enum.IntEnum):
    """The engines' queues; tokens pass between any two of them."""

    LOAD = 0
    COMPUTE = 1
    VECTOR = 2
    #: Only where the NPU has an external port.
    FETCH = 3


class Opcode(enum.IntEnum):
    """What a descriptor does."""

    END = 0
    LOAD_WEIGHTS = 1
    COMPUTE = 2
    REQUANTISE = 3
    MAX_POOL = 4
    LOAD_TAPS = 5
    DEPTHWISE = 6
    AVERAGE_POOL = 7
    ADD = 8
    #: Unknown to an NPU without an external port.
    FETCH = 9

    @property
    def queue(self) -> Queue | None:
        """The queue that takes it; END stays with the sequencer."""
        return _QUEUES.get(self)


_QUEUES = {
    Opcode.LOAD_WEIGHTS: Queue.LOAD,
    Opcode.COMPUTE: Queue.COMPUTE,
    Opcode.REQUANTISE: Queue.VECTOR,
    Opcode.MAX_POOL: Queue.VECTOR,
    Opcode.LOAD_TAPS: Queue.LOAD,
    Opcode.DEPTHWISE: Queue.VECTOR,
    Opcode.AVERAGE_POOL: Queue.VECTOR,
    Opcode.ADD: Queue.VECTOR,
    Opcode.FETCH: Queue.FETCH,
}


class Rounding(enum.IntEnum):
    """How the product of accumulator and multiplier becomes an integer."""

    #: TFLite's reference kernels: half up at bit 31, then half away from zero.
    TFLITE = 0
    #: ONNX: to 24 significant bits, half to even, then to an integer, half to even.
    ONNX = 1
    #: TFLite's reference kernel of fully connected layers: once, half up.
    TFLITE_SINGLE = 2


class DescriptorError(ValueError):
    """A descriptor that no hardware would take."""


@dataclass(frozen=True)
class BitField:
    """One field: word, lowest bit in it, width, sign and meaning."""

    name: str
    word: int
    low: int
    bits: int
    meaning: str
    signed: bool = False

    @property
    def offset(self) -> int:
        """Lowest bit, counted from the first word's."""
        return 32 * self.word + self.low

    @property
    def range(self) -> tuple[int, int]:
        """Lowest and highest value."""
        if self.signed:
            return -1 << (self.bits - 1), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


_HEADER = (
    BitField("opcode", 0, 0, 8, "what the descriptor does"),
    BitField("version", 0, 8, 4, "version of the instruction set"),
    BitField("wait", 0, 16, 4, "queues from which one token each is taken before the start"),
    BitField("signal", 0, 20, 4, "queues to which one token each is given at the end"),
    BitField("stamp", 0, 24, 1, "leave the cycle count of the end in a time stamp"),
    BitField("stamp_index", 0, 25, 7, "which time stamp"),
)

#: How a window moves over an image in the activation memory: a row of the image is `row_bytes`
#: consecutive bytes, pixel after pixel, channel after channel. The place of every byte that a
#: window reaches for, in the image or beyond, must lie within -2**17 to 2**17 - 1 bytes and rows.
_WINDOW = (
    BitField("start", 1, 0, 32, "address of the first window's first byte, modulo 2**32"),
    BitField("row_stride", 2, 0, 16, "bytes from an image row to the next"),
    BitField("row_bytes", 2, 16, 16, "bytes of an image row; beyond them is padding"),
    BitField("origin_x", 3, 0, 16, "first window's first byte within its row", signed=True),
    BitField("origin_y", 3, 16, 16, "first window's first image row", signed=True),
    BitField("height", 4, 0, 16, "rows of the image; beyond them is padding"),
    BitField("step_x", 5, 0, 16, "bytes from a window to the next in a row"),
    BitField("step_y", 5, 16, 16, "image rows from a row of windows to the next"),
    BitField("row_step", 6, 0, 32, "bytes from a row of windows to the next"),
)

_EXTENT = (
    BitField("out_width", 7, 0, 16, "windows in a row"),
    BitField("out_height", 7, 16, 16, "rows of windows"),
)

#: Windows whose channels stay apart: each tap is a pixel.
_PIXEL_WINDOW = (
    *_WINDOW,
    BitField("pixel_bytes", 4, 16, 16, "bytes from a pixel of the image to the next"),
    *_EXTENT,
    BitField("kernel_width", 8, 0, 8, "pixels of a window in a row, at least 1"),
    BitField("kernel_height", 8, 8, 8, "rows of a window, at least 1"),
)

_CLAMP = (
    BitField("clamp_low", 12, 8, 8, "lowest result", signed=True),
    BitField("clamp_high", 12, 16, 8, "highest result", signed=True),
)

#: Where results go in the activation memory.
_OUTPUT = (
    BitField("out_start", 10, 0, 32, "address of the first pixel's first byte"),
    BitField("out_pixel_stride", 11, 0, 16, "bytes from a pixel to the next"),
    BitField("out_row_stride", 11, 16, 16, "bytes from a row to the next"),
    *_CLAMP,
)
_ZERO_POINT = BitField("zero_point", 12, 0, 8, "zero point of the results", signed=True)
_ROUNDING = BitField("rounding", 12, 24, 2, "0: TFLite's, 1: ONNX's, 2: TFLite's single; not 3")

#: The fields of each kind of descriptor. All bits that no field names are reserved: zero.
FIELDS: dict[Opcode, tuple[BitField, ...]] = {
    Opcode.END: _HEADER,
    Opcode.LOAD_WEIGHTS: (
        *_HEADER,
        BitField("address", 1, 0, 32, "byte address in the weight memory, a multiple of its port"),
        BitField("group", 2, 0, 16, "first row group to write"),
        BitField("groups", 2, 16, 16, "row groups to write, at least 1"),
        BitField("bank", 3, 0, 8, "weight bank to write"),
        BitField("macros", 3, 8, 8, "macros to write, a bit each; 0: all"),
        BitField("parts", 3, 16, 4, "row groups written in turn, each to the next macros; 0: one"),
    ),
    Opcode.COMPUTE: (
        *_HEADER,
        *_WINDOW,
        BitField("run_bytes", 4, 16, 16, "consecutive bytes of a window in an image row"),
        *_EXTENT,
        BitField("skip", 8, 0, 16, "bytes of the first run that belong to an earlier pass"),
        BitField("depth", 8, 16, 16, "bytes of a window in this pass, 1 to the macro's rows"),
        BitField("zero_point", 9, 0, 8, "value of padding", signed=True),
        BitField("bank", 9, 8, 8, "weight bank to compute with"),
        BitField("split", 9, 16, 2, "binary logarithm of the windows that are computed at once"),
        BitField("skip_zero_planes", 9, 18, 1, "leading planes that are zero take no cycle"),
    ),
    Opcode.REQUANTISE: (
        *_HEADER,
        *_EXTENT,
        *_OUTPUT,
        _ZERO_POINT,
        _ROUNDING,
        BitField("add_partial", 12, 26, 1, "add the partial sums of the earlier passes"),
        BitField("keep_partial", 12, 27, 1, "keep the sums as partial sums, write no results"),
        BitField("channels", 13, 0, 16, "outputs of each vector, 1 to the columns of its macros"),
        BitField("channel", 13, 16, 16, "first channel's parameters, a multiple of `requantisers`"),
        BitField("partial", 14, 0, 16, "first word of the partial sums"),
        BitField("split", 14, 16, 2, "that of the COMPUTE whose vectors it takes"),
    ),
    Opcode.MAX_POOL: (
        *_HEADER,
        *_PIXEL_WINDOW,
        BitField("channels", 8, 16, 16, "bytes of a pixel that are pooled, at least 1"),
        *_OUTPUT,
    ),
    Opcode.LOAD_TAPS: (
        *_HEADER,
        BitField("address", 1, 0, 32, "byte address in the weight memory, a multiple of its port"),
        BitField("taps", 2, 16, 16, "taps of a kernel, at least 1, `lanes` channels each"),
        BitField("bank", 3, 0, 8, "bank of kernels to write, 0 or 1"),
    ),
    Opcode.DEPTHWISE: (
        *_HEADER,
        *_PIXEL_WINDOW,
        BitField("channels", 8, 16, 16, "bytes of a pixel that are convolved, 1 to the lanes"),
        BitField("padding", 9, 0, 8, "value of padding", signed=True),
        BitField("bank", 9, 8, 8, "bank of kernels to compute with"),
        *_OUTPUT,
        _ZERO_POINT,
        _ROUNDING,
        BitField("channel", 13, 16, 16, "first channel's parameters, a multiple of `requantisers`"),
    ),
    Opcode.AVERAGE_POOL: (
        *_HEADER,
        *_PIXEL_WINDOW,
        BitField("channels", 8, 16, 16, "bytes of a pixel that are pooled, at least 1"),
        *_OUTPUT,
        _ZERO_POINT,
        _ROUNDING,
        BitField("channel", 13, 16, 16, "parameters of `requantisers` channels, for all groups"),
    ),
    Opcode.ADD: (
        *_HEADER,
        BitField("start", 1, 0, 32, "address of the first image's first byte"),
        BitField("other_start", 2, 0, 32, "address of the second image's first byte"),
        BitField("bytes", 3, 0, 32, "bytes of each image, at least 1"),
        BitField("out_start", 10, 0, 32, "address of the first result"),
        *_CLAMP,
        _ZERO_POINT,
        BitField("channel", 13, 16, 16, "`requantisers` equal ones of each: second image, sum"),
    ),
    Opcode.FETCH: (
        *_HEADER,
        BitField("source", 1, 0, 32, "byte address in external memory, a multiple of its port"),
        BitField("address", 2, 0, 32, "byte address in the weight memory, likewise"),
        BitField("bytes", 3, 0, 32, "bytes to copy, at least one beat of the port, likewise"),
    ),
}


def layout(opcode: Opcode) -> data.FlexibleLayout:
    """The descriptor as the hardware sees it: all 16 words as one value."""
    return data.FlexibleLayout(
        32 * WORDS,
        {
            field.name: data.Field(
                signed(field.bits) if field.signed else unsigned(field.bits), field.offset
            )
            for field in FIELDS[opcode]
        },
    )


@dataclass(frozen=True)
class Descriptor:
    """One descriptor: its opcode and the values of its fields; fields not given are zero.

    Raises DescriptorError where a field does not exist or its value does not fit.
    """

    opcode: Opcode
    values: Mapping[str, int]

    def __post_init__(self) -> None:
        fields = {field.name: field for field in FIELDS[self.opcode]}
        for name, value in self.values.items():
            if name not in fields:
                raise DescriptorError(f"{self.opcode.name} has no field {name!r}")
            low, high = fields[name].range
            if not low <= value <= high:
                raise DescriptorError(
                    f"{self.opcode.name}.{name} must be between {low} and {high}, not {value}"
                )

    def __getitem__(self, name: str) -> int:
        return self.values.get(name, 0)

    def encode(self) -> list[int]:
        """The 16 words."""
        values = {"version": VERSION, **self.values, "opcode": self.opcode}
        number = 0
        for field in FIELDS[self.opcode]:
            value = values.get(field.name, 0) & ((1 << field.bits) - 1)
            number |= value << field.offset
        return [number >> 32 * word & 0xFFFFFFFF for word in range(WORDS)]

    def waits_for(self) -> list[Queue]:
        """Queues from which it takes a token."""
        return [queue for queue in Queue if self["wait"] >> queue & 1]

    def signals(self) -> list[Queue]:
        """Queues to which it gives a token."""
        return [queue for queue in Queue if self["signal"] >> queue & 1]


def decode(words: Iterable[int]) -> Descriptor:
    """The descriptor in 16 words. Raises DescriptorError on an unknown opcode or version."""
    number = sum(word << 32 * index for index, word in enumerate(words))
    version = number >> 8 & 0xF
    if version != VERSION:
        raise DescriptorError(f"version must be {VERSION}, not {version}")
    if (code := number & 0xFF) not in set(Opcode):
        raise DescriptorError(f"opcode must be at most {max(Opcode)}, not {code}")
    opcode = Opcode(code)
    values = {}
    for field in FIELDS[opcode]:
        value = number >> field.offset & ((1 << field.bits) - 1)
        if field.signed and value >> field.bits - 1:
            value -= 1 << field.bits
        values[field.name] = value
    return Descriptor(opcode, values)
