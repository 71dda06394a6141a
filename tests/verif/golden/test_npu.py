# SPDX-License-Identifier: Apache-2.0
"""The golden NPU's packets: every answer, every fault and which of several is named."""

import numpy as np
import pytest

from cimple.hdl.npu.isa import Descriptor, Opcode
from cimple.hdl.npu.packets import (
    IDENTITY_WORDS,
    Memory,
    Request,
    Response,
    Status,
    address,
    header,
    identity,
    memory_bytes,
)
from cimple.verif.golden.npu import NpuModel, ProgramError
from tests.verif.golden.machine import CONFIGS, Machine

CONFIG = CONFIGS["lookup"]
ONES = ("out_width", "out_height", "kernel_width", "kernel_height", "channels")
COPY = {"row_bytes": 1, "height": 1, "clamp_low": -128, "clamp_high": 127} | dict.fromkeys(ONES, 1)


@pytest.fixture
def machine() -> Machine:
    return Machine(CONFIG)


def answer(machine: Machine, *packet: int) -> tuple[Status, tuple[int, ...]]:
    response = Response.parse(machine.model.transact(packet))
    assert (response.request, response.tag) == (packet[0] & 0xFF, packet[0] >> 8 & 0xFF)
    return response.status, response.words


def test_identity(machine: Machine) -> None:
    status, words = answer(machine, header(Request.IDENTIFY, 77))
    assert (status, list(words)) == (Status.OK, identity(CONFIG))
    assert len(words) == IDENTITY_WORDS


def test_sync_returns_its_word(machine: Machine) -> None:
    assert answer(machine, header(Request.SYNC, 255, 9), 0xDEADBEEF) == (Status.OK, (0xDEADBEEF,))


def test_reset_when_nothing_runs(machine: Machine) -> None:
    assert answer(machine, header(Request.RESET, 1)) == (Status.OK, ())


@pytest.mark.parametrize("memory", Memory)
def test_memories_are_zero_and_keep_what_is_written(machine: Machine, memory: Memory) -> None:
    words = memory_bytes(CONFIG, memory) // 4
    whole = header(Request.READ, 3, words), address(memory, 0)
    assert answer(machine, *whole) == (Status.OK, (0,) * words)
    written = np.random.default_rng(1).integers(0, 1 << 32, words).tolist()
    assert answer(machine, header(Request.WRITE, 3, words), whole[1], *written)[0] == Status.OK
    kept = list(written)
    if memory is Memory.PARAMETERS:
        masks = (0xFFFFFFFF, 0x7FFFFFFF, 31, 0)
        kept = [word & masks[index % 4] for index, word in enumerate(written)]
    assert answer(machine, *whole)[1] == tuple(kept)
    answer(machine, header(Request.RESET, 0))
    last = header(Request.READ, 3, 1), address(memory, 4 * words - 4)
    assert answer(machine, *last) == (Status.OK, (kept[-1],))


END_OF_ACTIVATIONS = address(Memory.ACTIVATIONS, CONFIG.activation_bytes)
SHORT, LONG = Status.TRUNCATED, Status.OVERLONG


@pytest.mark.parametrize(
    ("packet", "status", "detail"),
    [
        # An unknown opcode hides everything else.
        ([0], Status.UNKNOWN_OPCODE, 0),
        ([0x12345608], Status.UNKNOWN_OPCODE, 0x12345608),
        ([0xFF, 1, 2, 3], Status.UNKNOWN_OPCODE, 0xFF),
        # Requests of one length: the length comes before all else.
        ([header(Request.IDENTIFY, 1), 0], LONG, 2),
        ([header(Request.RESET, 1), 0, 0], LONG, 3),
        ([header(Request.COUNTERS, 1), 0], LONG, 2),
        ([header(Request.SYNC, 1)], SHORT, 1),
        ([header(Request.SYNC, 1), 0, 0], LONG, 3),
        ([header(Request.RUN, 1)], SHORT, 1),
        ([header(Request.RUN, 1), 1 << 20, 0], LONG, 3),
        ([header(Request.READ, 1, 0)], SHORT, 1),
        ([header(Request.READ, 1, 0), 0, 0], LONG, 3),
        ([header(Request.READ, 1, 1), 1, 0], LONG, 3),
        # Then the count, then the address.
        ([header(Request.READ, 1, 0), 1], Status.BAD_COUNT, header(Request.READ, 1, 0)),
        ([header(Request.READ, 1, 1), 2], Status.BAD_ADDRESS, 2),
        ([header(Request.READ, 1, 1), 0x40000000], Status.BAD_ADDRESS, 0x40000000),
        ([header(Request.READ, 1, 1), END_OF_ACTIVATIONS], Status.BAD_ADDRESS, END_OF_ACTIVATIONS),
        ([header(Request.READ, 1, 2), END_OF_ACTIVATIONS - 4], Status.BAD_ADDRESS,
         END_OF_ACTIVATIONS - 4),
        # WRITE: a missing address, the count, the address, and only then the length.
        ([header(Request.WRITE, 1, 0)], SHORT, 1),
        ([header(Request.WRITE, 1, 0), 1], Status.BAD_COUNT, header(Request.WRITE, 1, 0)),
        ([header(Request.WRITE, 1, 0), 0, 5, 6], Status.BAD_COUNT, header(Request.WRITE, 1, 0)),
        ([header(Request.WRITE, 1, 3), 1], Status.BAD_ADDRESS, 1),
        ([header(Request.WRITE, 1, 1), 0xF0000000, 5, 6], Status.BAD_ADDRESS, 0xF0000000),
        ([header(Request.WRITE, 1, 3), 0], SHORT, 2),
        ([header(Request.WRITE, 1, 3), 0, 5, 6], SHORT, 4),
        ([header(Request.WRITE, 1, 1), 0, 5, 6, 7], LONG, 5),
        # A descriptor that is not there.
        ([header(Request.RUN, 1), CONFIG.descriptors], Status.BAD_ADDRESS, CONFIG.descriptors),
        ([header(Request.RUN, 1), 0xFFFFFFFF], Status.BAD_ADDRESS, 0xFFFFFFFF),
    ],
)
def test_faults(machine: Machine, packet: list[int], status: Status, detail: int) -> None:
    assert answer(machine, *packet) == (status, (detail,))


@pytest.mark.parametrize(
    ("packet", "memory"),
    [
        ([header(Request.WRITE, 1, 3), 8, 5, 6], (0, 0, 5, 6, 0)),
        ([header(Request.WRITE, 1, 1), 8, 5, 6], (0, 0, 5, 0, 0)),
        ([header(Request.WRITE, 1, 2), 9, 5, 6], (0, 0, 0, 0, 0)),
        ([header(Request.WRITE, 1, 0), 8, 5, 6], (0, 0, 0, 0, 0)),
        ([header(Request.WRITE, 1, 2), END_OF_ACTIVATIONS - 4, 5, 6], (0, 0, 0, 0, 0)),
    ],
)
def test_a_faulty_write_leaves_what_came(machine: Machine, packet: list[int], memory) -> None:
    assert answer(machine, *packet)[0] != Status.OK
    assert answer(machine, header(Request.READ, 1, 5), 0)[1] == memory


def test_an_empty_packet_is_no_packet(machine: Machine) -> None:
    with pytest.raises(ValueError, match=r"^a packet has at least one word$"):
        machine.model.transact([])


# Programs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "version"), [(5, 3), (255, 3), (0, 0), (4, 2), (2, 15)])
def test_a_bad_descriptor_is_named(machine: Machine, code: int, version: int) -> None:
    machine.program((Opcode.MAX_POOL, COPY))
    words = [code | version << 8, *[0] * 15]
    machine.write(Memory.PROGRAM, 64, np.array(words, np.uint32))
    assert answer(machine, header(Request.RUN, 1), 0) == (Status.BAD_DESCRIPTOR, (1,))
    assert answer(machine, header(Request.RUN, 1), 1) == (Status.BAD_DESCRIPTOR, (1,))


def test_a_program_without_end_comes_to_the_end_of_the_memory(machine: Machine) -> None:
    descriptors = machine.config.descriptors
    machine.write(
        Memory.PROGRAM, 0,
        np.array(Descriptor(Opcode.MAX_POOL, COPY).encode() * descriptors, np.uint32),
    )
    expected = (Status.BAD_DESCRIPTOR, (descriptors,))
    assert answer(machine, header(Request.RUN, 1), descriptors - 2) == expected


def test_what_an_ended_program_may_have_written_is_unknown() -> None:
    machine = Machine(CONFIG)
    machine.program((Opcode.MAX_POOL, COPY | {"out_start": 6, "channels": 3}))
    machine.write(Memory.PROGRAM, 64, np.full(16, 0xFFFFFFFF, np.uint32))
    machine.model.transact([header(Request.RUN, 1), 0])
    read = [header(Request.READ, 1, 3), 0]
    assert machine.model.expect(read).masks[1:] == [0xFFFFFFFF, 0x0000FFFF, 0xFFFFFF00]
    machine.write(Memory.ACTIVATIONS, 4, np.zeros(4, np.uint8))
    assert machine.model.expect(read).masks[1:] == [0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFF00]
    machine.write(Memory.PROGRAM, 0, np.array(Descriptor(Opcode.END, {}).encode(), np.uint32))
    with pytest.raises(ProgramError, match=r"reads activations that an ended program left"):
        machine.run((Opcode.MAX_POOL, COPY | {"start": 8, "out_start": 20}))
    assert machine.run((Opcode.MAX_POOL, COPY | {"out_start": 8})).status == Status.OK
    assert machine.model.expect(read).masks[1:] == [0xFFFFFFFF] * 3


def test_an_aborted_load_leaves_weights_unknown() -> None:
    machine = Machine(CONFIG)
    load = (Opcode.LOAD_WEIGHTS, {"groups": 2, "group": 1, "bank": 1})
    window = {"row_bytes": 9, "height": 1, "run_bytes": 9, "out_width": 1, "out_height": 1}
    result = {"out_start": 32, "out_width": 1, "out_height": 1, "channels": 1, "clamp_high": 127}
    machine.program(load)
    expected = machine.model.abort([header(Request.RUN, 9), 0])
    assert expected.words == [Request.RUN | 9 << 8 | Status.ABORTED << 16, 0]
    assert expected.masks == [0xFFFFFFFF, 0]
    rows = CONFIG.macro.rows_per_group
    known = (Opcode.COMPUTE, window | {"bank": 1, "depth": rows})
    machine.run(known, (Opcode.REQUANTISE, result))
    unknown = (Opcode.COMPUTE, window | {"bank": 1, "depth": rows + 1})
    message = r"^descriptor 1 \(REQUANTISE\): takes what bank 1 made of weights that an ended"
    with pytest.raises(ProgramError, match=message):
        machine.run(unknown, (Opcode.REQUANTISE, result))
    machine.run(load)
    assert machine.run(unknown, (Opcode.REQUANTISE, result)).status == Status.OK


def test_counters_and_stamps() -> None:
    machine = Machine(CONFIG)
    request = [header(Request.COUNTERS, 1)]
    count = 5 + CONFIG.stamps
    assert machine.model.expect(request).words[1:] == [0] * count
    assert machine.model.expect(request).masks[1:] == [0xFFFFFFFF] * count
    window = {"row_bytes": 1, "height": 1, "run_bytes": 1, "depth": 1, "out_height": 2}
    result = {"channels": 1, "clamp_high": 127, "out_height": 2, "stamp": 1, "stamp_index": 7}
    machine.run(
        (Opcode.COMPUTE, window | {"out_width": 3}),
        (Opcode.REQUANTISE, result | {"out_width": 3, "out_pixel_stride": 1, "out_start": 4}),
    )
    expected = machine.model.expect(request)
    assert expected.words[1:6] == [0, 0, 0, 0, 6 * 8]
    assert expected.masks[1:6] == [0, 0, 0, 0, 0xFFFFFFFF]
    assert [index for index, mask in enumerate(expected.masks[6:]) if not mask] == [7]
    machine.model.lose_counters()
    assert machine.model.expect(request).masks[1:] == [0] * count


def test_answers_are_compared_under_their_masks() -> None:
    expected = NpuModel(CONFIG).expect([header(Request.SYNC, 1), 0x12345678])
    good = [Request.SYNC | 1 << 8, 0x12345678]
    assert expected.difference(good) is None
    assert expected.difference([good[0], 0x12345679]) == (
        "word 1 is 0x12345679, expected 0x12345678"
    )
    assert expected.difference([*good, 0]) == "3 words, expected 2"
    assert expected.difference(good[:1]) == "1 words, expected 2"
    masked = type(expected)(good, [0xFFFFFFFF, 0xFF00FFFF])
    assert masked.difference([good[0], 0x12FF5678]) is None
    assert masked.difference([good[0], 0x13FF5678]) == (
        "word 1 is 0x13ff5678, expected 0x12345678 under 0xff00ffff"
    )
