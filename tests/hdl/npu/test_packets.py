# SPDX-License-Identifier: Apache-2.0
"""Packets: headers, addresses and answers, word for word."""

import re

import pytest
from amaranth.hdl import Shape
from hypothesis import given
from hypothesis import strategies as st

from cimple.hdl.npu.isa import VERSION
from cimple.hdl.npu.packets import (
    COUNTERS,
    IDENTITY_WORDS,
    Memory,
    Request,
    RequestHeader,
    Response,
    ResponseHeader,
    Status,
    StreamWord,
    address,
    header,
    identity,
    memory_bytes,
    parameter_words,
    response_header,
)


def test_codes_never_change():
    """Hosts and bitstreams of different versions talk to each other."""
    assert {request.name: int(request) for request in Request} == {
        "IDENTIFY": 1, "WRITE": 2, "READ": 3, "RUN": 4, "SYNC": 5, "RESET": 6, "COUNTERS": 7,
    }
    assert {status.name: int(status) for status in Status} == {
        "OK": 0, "UNKNOWN_OPCODE": 1, "TRUNCATED": 2, "OVERLONG": 3, "BAD_ADDRESS": 4,
        "BAD_COUNT": 5, "BAD_DESCRIPTOR": 6, "ABORTED": 7, "DEADLOCK": 8,
        "BUS_ERROR": 9,
    }
    assert {memory.name: int(memory) for memory in Memory} == {
        "ACTIVATIONS": 0, "WEIGHTS": 1, "PARAMETERS": 2, "PROGRAM": 3,
    }
    assert COUNTERS == 5


def test_words():
    assert header(Request.READ, 0x5A, 0x1234) == 0x1234_5A03
    assert response_header(Request.READ, 0x5A, Status.BAD_COUNT) == 0x0005_5A03
    assert address(Memory.PROGRAM, 0x1230) == 0x3000_1230
    assert parameter_words(-2, 0x7FFFFFFF, 31) == [0xFFFFFFFE, 0x7FFFFFFF, 31, 0]


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 0xFFFF))
def test_hardware_sees_the_headers_fields(opcode, tag, count):
    view = RequestHeader.from_bits(header(opcode, tag, count))
    assert (view.opcode, view.tag, view.count) == (opcode, tag, count)
    for status in Status:
        view = ResponseHeader.from_bits(response_header(opcode, tag, status))
        assert (view.opcode, view.tag, view.status, view.reserved) == (opcode, tag, status, 0)


def test_a_transfer_has_33_bits():
    view = StreamWord.from_bits(1 << 32 | 0x12345678)
    assert (view.data, view.last) == (0x12345678, 1)
    assert Shape.cast(StreamWord).width == 33


def test_sizes_of_the_memories(npu_config):
    config = npu_config(channels=24, descriptors=17, activation_bytes=512, weight_bytes=1024)
    assert {memory: memory_bytes(config, memory) for memory in Memory} == {
        Memory.ACTIVATIONS: 512, Memory.WEIGHTS: 1024, Memory.PARAMETERS: 384,
        Memory.PROGRAM: 1088,
    }


def test_identity(npu_config):
    config = npu_config({"rows": 300, "columns": 6}, stamps=64, activation_port=16, weight_port=32,
                        requantisers=2)
    words = identity(config)
    assert len(words) == IDENTITY_WORDS
    assert b"".join(word.to_bytes(4, "little") for word in words[:1]) == b"CIMP"
    assert words[1] == VERSION
    assert "".join(f"{word:08x}" for word in words[2:6]) == config.digest()[:32]
    assert words[6] == 6 << 16 | 300
    assert words[7:11] == [512, 512, 32, 16]
    assert words[11] == 64 << 24 | 32 << 16 | 16 << 8 | 4
    assert words[12] == config.partial_sum_words
    assert words[13] == config.macros | 2 << 8 | config.taps << 16
    assert identity(config.replace(external_port=16))[12] == words[12] | 16 << 24


def test_answers_are_taken_apart():
    response = Response.parse([response_header(Request.READ, 7, Status.OK), 1, 2])
    assert response == Response(Request.READ, 7, Status.OK, (1, 2))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "not an answer: []"),
        ([0x0108_0003, 5], "not an answer: ['0x01080003', '0x00000005']"),
        ([0x000A_0003, 1, 2, 3, 4],
         "not an answer: ['0x000a0003', '0x00000001', '0x00000002', '0x00000003']"),
    ],
)
def test_words_that_are_no_answer(words, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Response.parse(words)
