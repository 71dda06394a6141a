# SPDX-License-Identifier: Apache-2.0
"""The instruction set: no bit means two things, and what is encoded is what is decoded."""

import re

import pytest
from amaranth.hdl import Const
from hypothesis import given
from hypothesis import strategies as st

from cimple.hdl.npu.isa import (
    FIELDS,
    VERSION,
    WORDS,
    Descriptor,
    DescriptorError,
    Opcode,
    Queue,
    decode,
    layout,
)

PIXEL_WINDOW = (
    "start 1 0 u32", "row_stride 2 0 u16", "row_bytes 2 16 u16", "origin_x 3 0 i16",
    "origin_y 3 16 i16", "height 4 0 u16", "step_x 5 0 u16", "step_y 5 16 u16", "row_step 6 0 u32",
    "pixel_bytes 4 16 u16", "out_width 7 0 u16", "out_height 7 16 u16", "kernel_width 8 0 u8",
    "kernel_height 8 8 u8", "channels 8 16 u16",
)
OUTPUT = (
    "out_start 10 0 u32", "out_pixel_stride 11 0 u16", "out_row_stride 11 16 u16",
    "clamp_low 12 8 i8", "clamp_high 12 16 i8",
)
#: Where version 5 keeps each field: word, lowest bit, width and sign. Programs that are stored hold
#: them so; whatever changes here needs another version, but for a field where there was none that
#: is as if it were not there while it is 0.
VERSION_5 = {
    Opcode.END: (),
    Opcode.LOAD_WEIGHTS: (
        "address 1 0 u32", "group 2 0 u16", "groups 2 16 u16", "bank 3 0 u8", "macros 3 8 u8",
        "parts 3 16 u4",
    ),
    Opcode.COMPUTE: (
        "start 1 0 u32", "row_stride 2 0 u16", "row_bytes 2 16 u16", "origin_x 3 0 i16",
        "origin_y 3 16 i16", "height 4 0 u16", "step_x 5 0 u16", "step_y 5 16 u16",
        "row_step 6 0 u32", "run_bytes 4 16 u16", "out_width 7 0 u16", "out_height 7 16 u16",
        "skip 8 0 u16", "depth 8 16 u16", "zero_point 9 0 i8", "bank 9 8 u8",
        "split 9 16 u2", "skip_zero_planes 9 18 u1",
    ),
    Opcode.REQUANTISE: (
        "out_width 7 0 u16", "out_height 7 16 u16", "out_start 10 0 u32",
        "out_pixel_stride 11 0 u16", "out_row_stride 11 16 u16", "clamp_low 12 8 i8",
        "clamp_high 12 16 i8", "zero_point 12 0 i8", "rounding 12 24 u2", "add_partial 12 26 u1",
        "keep_partial 12 27 u1", "channels 13 0 u16", "channel 13 16 u16", "partial 14 0 u16",
        "split 14 16 u2",
    ),
    Opcode.MAX_POOL: (*PIXEL_WINDOW, *OUTPUT),
    Opcode.LOAD_TAPS: ("address 1 0 u32", "taps 2 16 u16", "bank 3 0 u8"),
    Opcode.DEPTHWISE: (
        *PIXEL_WINDOW, "padding 9 0 i8", "bank 9 8 u8", *OUTPUT, "zero_point 12 0 i8",
        "rounding 12 24 u2", "channel 13 16 u16",
    ),
    Opcode.AVERAGE_POOL: (
        *PIXEL_WINDOW, *OUTPUT, "zero_point 12 0 i8", "rounding 12 24 u2", "channel 13 16 u16",
    ),
    Opcode.ADD: (
        "start 1 0 u32", "other_start 2 0 u32", "bytes 3 0 u32", "out_start 10 0 u32",
        "clamp_low 12 8 i8", "clamp_high 12 16 i8", "zero_point 12 0 i8", "channel 13 16 u16",
    ),
    Opcode.FETCH: ("source 1 0 u32", "address 2 0 u32", "bytes 3 0 u32"),
}
#: The same in every descriptor, of every version.
HEADER = (
    "opcode 0 0 u8", "version 0 8 u4", "wait 0 16 u4", "signal 0 20 u4", "stamp 0 24 u1",
    "stamp_index 0 25 u7",
)


def free_fields(opcode):
    """The fields that a user sets."""
    return [field for field in FIELDS[opcode] if field.name not in ("opcode", "version")]


def ends(opcode):
    """Every field at its lowest and at its highest value, the others zero."""
    return [
        {field.name: value} for field in free_fields(opcode) for value in field.range
    ]


@st.composite
def descriptors(draw):
    opcode = draw(st.sampled_from(Opcode))
    values = {
        field.name: draw(st.integers(*field.range)) for field in free_fields(opcode)
        if draw(st.booleans())
    }
    return Descriptor(opcode, values)


@pytest.mark.parametrize("opcode", Opcode)
def test_fields_do_not_overlap_nor_cross_a_word(opcode):
    taken = 0
    for field in FIELDS[opcode]:
        assert 0 <= field.word < WORDS
        assert field.low + field.bits <= 32
        mask = (1 << field.bits) - 1 << field.offset
        assert not taken & mask, field.name
        taken |= mask


def test_names_are_unique():
    for opcode in Opcode:
        names = [field.name for field in FIELDS[opcode]]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("opcode", Opcode)
def test_fields_stay_where_they_are(opcode):
    assert VERSION == 5
    assert {
        f"{field.name} {field.word} {field.low} {'i' if field.signed else 'u'}{field.bits}"
        for field in FIELDS[opcode]
    } == {*HEADER, *VERSION_5[opcode]}


def test_a_whole_descriptor():
    """Word for word."""
    descriptor = Descriptor(Opcode.REQUANTISE, {
        "wait": 0b100, "signal": 0b011, "stamp": 1, "stamp_index": 0x55, "out_width": 0x1234,
        "out_height": 0x5678, "out_start": 0x9ABCDEF0, "out_pixel_stride": 0x1111,
        "out_row_stride": 0x2222, "zero_point": -3, "clamp_low": -128, "clamp_high": 127,
        "rounding": 1, "add_partial": 1, "channels": 0x0102, "channel": 0x0304, "partial": 0x0506,
    })
    assert descriptor.encode() == [
        0xAB34_0503, 0, 0, 0, 0, 0, 0, 0x5678_1234, 0, 0, 0x9ABC_DEF0, 0x2222_1111, 0x057F_80FD,
        0x0304_0102, 0x0000_0506, 0,
    ]


@given(descriptors())
def test_decode_reads_what_encode_wrote(descriptor):
    words = descriptor.encode()
    assert len(words) == WORDS
    assert all(0 <= word < 1 << 32 for word in words)
    decoded = decode(words)
    assert decoded.opcode == descriptor.opcode
    assert decoded["version"] == VERSION
    for field in free_fields(descriptor.opcode):
        assert decoded[field.name] == descriptor[field.name]
    assert Descriptor(decoded.opcode, decoded.values).encode() == words


@given(descriptors())
def test_reserved_bits_are_zero(descriptor):
    number = sum(word << 32 * index for index, word in enumerate(descriptor.encode()))
    for field in FIELDS[descriptor.opcode]:
        number &= ~((1 << field.bits) - 1 << field.offset)
    assert number == 0


@pytest.mark.parametrize("opcode", Opcode)
def test_hardware_sees_the_fields_where_they_are_encoded(opcode):
    shape = layout(opcode)
    assert shape.size == 32 * WORDS
    for values in ends(opcode):
        words = Descriptor(opcode, values).encode()
        view = shape.from_bits(sum(word << 32 * index for index, word in enumerate(words)))
        for field in FIELDS[opcode]:
            expected = values.get(field.name, 0)
            expected = {"opcode": opcode, "version": VERSION}.get(field.name, expected)
            value = view[field.name]
            assert (value.value if isinstance(value, Const) else value) == expected


@pytest.mark.parametrize(
    ("opcode", "values", "message"),
    [
        (Opcode.END, {"depth": 1}, "END has no field 'depth'"),
        (Opcode.COMPUTE, {"depth": 65536},
         "COMPUTE.depth must be between 0 and 65535, not 65536"),
        (Opcode.COMPUTE, {"depth": -1}, "COMPUTE.depth must be between 0 and 65535, not -1"),
        (Opcode.COMPUTE, {"origin_x": 32768},
         "COMPUTE.origin_x must be between -32768 and 32767, not 32768"),
        (Opcode.REQUANTISE, {"zero_point": -129},
         "REQUANTISE.zero_point must be between -128 and 127, not -129"),
        (Opcode.MAX_POOL, {"kernel_width": 256},
         "MAX_POOL.kernel_width must be between 0 and 255, not 256"),
        (Opcode.LOAD_WEIGHTS, {"wait": 16}, "LOAD_WEIGHTS.wait must be between 0 and 15, not 16"),
    ],
)
def test_refused_values(opcode, values, message):
    with pytest.raises(DescriptorError, match=f"^{re.escape(message)}$"):
        Descriptor(opcode, values)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (VERSION + 1 << 8, f"version must be {VERSION}, not {VERSION + 1}"),
        (0, f"version must be {VERSION}, not 0"),
        (0xF << 8 | 1, f"version must be {VERSION}, not 15"),
        (VERSION << 8 | 10, "opcode must be at most 9, not 10"),
        (VERSION << 8 | 255, "opcode must be at most 9, not 255"),
    ],
)
def test_words_that_are_no_descriptor(header, message):
    with pytest.raises(DescriptorError, match=f"^{message}$"):
        decode([header, *[0] * 15])


def test_queues():
    assert Opcode.END.queue is None
    assert {opcode: opcode.queue for opcode in Opcode if opcode.queue is not None} == {
        Opcode.LOAD_WEIGHTS: Queue.LOAD, Opcode.COMPUTE: Queue.COMPUTE,
        Opcode.REQUANTISE: Queue.VECTOR, Opcode.MAX_POOL: Queue.VECTOR,
        Opcode.LOAD_TAPS: Queue.LOAD, Opcode.DEPTHWISE: Queue.VECTOR,
        Opcode.AVERAGE_POOL: Queue.VECTOR, Opcode.ADD: Queue.VECTOR,
        Opcode.FETCH: Queue.FETCH,
    }
    descriptor = Descriptor(Opcode.COMPUTE, {"wait": 0b101, "signal": 0b100})
    assert descriptor.waits_for() == [Queue.LOAD, Queue.VECTOR]
    assert descriptor.signals() == [Queue.VECTOR]
