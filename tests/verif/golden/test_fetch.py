# SPDX-License-Identifier: Apache-2.0
"""FETCH in the golden model: what it copies, what it refuses, and tokens that it must see."""

import re

import numpy as np
import pytest

from cimple.hdl.npu.isa import Descriptor, Opcode, Queue
from cimple.hdl.npu.packets import Memory, Request, Status, address, header
from cimple.verif.golden.npu import NpuModel, ProgramError
from tests.verif.golden.machine import CONFIGS, Machine, npu

CONFIG = npu(20, 8, "lookup", 2, external_port=8)
LOAD, COMPUTE, VECTOR, FETCH = (1 << queue for queue in Queue)
EXTERNAL = np.random.default_rng(1).integers(-128, 128, 8192).astype(np.int8)


def machine(config=CONFIG, external=EXTERNAL) -> Machine:
    made = Machine(config)
    made.model = NpuModel(config, external=external.tobytes())
    return made


def fetch(**changes: int):
    return Opcode.FETCH, {"source": 64, "address": 32, "bytes": 96} | changes


def load(**changes: int):
    return Opcode.LOAD_WEIGHTS, {"groups": 1} | changes


def refused(message: str, *program, config=CONFIG) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        machine(config).run(*program)


def test_bytes_go_where_they_should() -> None:
    found = machine()
    before = np.arange(1024, dtype=np.uint8).view(np.int8)
    found.write(Memory.WEIGHTS, 0, before)
    assert found.run(fetch(), fetch(source=8, address=1016, bytes=8)).status is Status.OK
    expected = before.copy()
    expected[32:128] = EXTERNAL[64:160]
    expected[1016:] = EXTERNAL[8:16]
    assert np.array_equal(found.read(Memory.WEIGHTS, 0, 1024), expected)


def test_what_is_fetched_is_what_is_loaded() -> None:
    found = machine()
    size = CONFIG.group_bytes
    found.run(
        fetch(source=128, address=0, bytes=size, signal=LOAD), load(wait=FETCH, address=0)
    )
    rows = EXTERNAL[128 : 128 + size].reshape(CONFIG.macro.rows_per_group, -1)[:, :8]
    assert np.array_equal(found.model.macros[0].weights[0, : len(rows)], rows)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": 68}, "source must be a multiple of 8 (external_port), not 68"),
        ({"address": 4}, "address must be a multiple of 8 (external_port), not 4"),
        ({"bytes": 12}, "bytes must be a multiple of 8 (external_port), not 12"),
        ({"bytes": 0}, "bytes must be between 8 and 1024 (a beat to weight_bytes), not 0"),
        ({"bytes": 1032}, "bytes must be between 8 and 1024 (a beat to weight_bytes), not 1032"),
        ({"address": 936},
         "address must be between 0 and 928 (weight_bytes, less the bytes), not 936"),
        ({"source": 0xFFFFFFA8},
         "source must be between 0 and 4294967200 (32 bits, less the bytes), not 4294967208"),
        ({"source": 8104},
         "reads 96 bytes from 0x1fa8 on, and external memory has 8192 bytes"),
        ({"wait": FETCH}, "wait must not name its own queue, FETCH"),
        ({"stamp": 1}, "stamp must be 0, as only the VECTOR queue leaves time stamps"),
    ],
)
def test_fields(changes: dict[str, int], message: str) -> None:
    refused(f"descriptor 0 (FETCH): {message}", fetch(**changes))


def test_an_npu_without_a_port_knows_no_fetch() -> None:
    answer = Machine(CONFIGS["lookup"]).run(load(), fetch())
    assert (answer.status, answer.words) == (Status.BAD_DESCRIPTOR, (1,))
    for field in ("wait", "signal"):
        refused(
            f"descriptor 0 (LOAD_WEIGHTS): {field} must not name FETCH, as the NPU has no external "
            "port", load(**{field: FETCH}), config=CONFIGS["lookup"],
        )


TAPS = (Opcode.LOAD_TAPS, {"taps": 4, "address": 120})


@pytest.mark.parametrize(
    ("program", "writer", "reader", "place"),
    [
        ((fetch(), load(address=120)), 0, 1, 0x78),
        ((load(address=32), fetch()), 1, 0, 0x20),
        ((fetch(), TAPS), 0, 1, 0x78),
    ],
)
def test_a_missing_token_is_found(program, writer: int, reader: int, place: int) -> None:
    kind = program[reader][0].name
    refused(
        f"descriptor {writer} (FETCH) writes and descriptor {reader} ({kind}) reads address "
        f"{place:#x} of the weights, and nothing orders them: let one signal and the other wait",
        *program,
    )


def test_tokens_order_both_ways_and_other_places_need_none() -> None:
    found = machine()
    first, second = fetch(signal=LOAD), load(address=32, wait=FETCH, signal=FETCH)
    assert found.run(first, second, fetch(wait=LOAD)).status is Status.OK
    assert found.run(load(address=128), fetch(), load(address=0)).status is Status.OK


def test_a_refused_read_leaves_unknown_what_it_was_to_write() -> None:
    found = machine()
    found.write(Memory.WEIGHTS, 0, np.zeros(1024, np.int8))
    found.program(fetch(), load(address=200))
    expected = found.model.refuse([header(Request.RUN, 5), 0], 0x48)
    assert expected.words == [header(Request.RUN, 5) | Status.BUS_ERROR << 16, 0x48]
    read = found.model.expect([header(Request.READ, 0, 256), address(Memory.WEIGHTS, 0)])
    known = [mask == 0xFFFFFFFF for mask in read.masks[1:]]
    assert known == [not 32 <= 4 * word < 128 for word in range(256)]
    # What is loaded from there is unknown too, until it is fetched, or written.
    run = Opcode.COMPUTE, {"depth": 1, "row_bytes": 1, "run_bytes": 1, "height": 1,
                           "out_width": 1, "out_height": 1, "wait": LOAD}
    result = Opcode.REQUANTISE, {"out_width": 1, "out_height": 1, "channels": 8,
                                 "clamp_low": -128, "clamp_high": 127}
    with pytest.raises(ProgramError, match="weights that an ended program left undefined"):
        found.run(load(address=104, signal=COMPUTE), run, result)
    found.write(Memory.WEIGHTS, 104, np.zeros(24, np.int8))
    assert found.run(load(address=104, signal=COMPUTE), run, result).status is Status.OK
    assert found.run(fetch()).status is Status.OK
    assert set(found.model.expect(
        [header(Request.READ, 0, 256), address(Memory.WEIGHTS, 0)]
    ).masks) == {0xFFFFFFFF}


def test_a_program_that_is_ended_may_have_fetched() -> None:
    found = machine()
    found.program(fetch(), Descriptor(Opcode.LOAD_WEIGHTS, {"groups": 1, "address": 200}))
    found.model.abort([header(Request.RUN, 5), 0])
    assert found.model.memories.weights_unknown.sum() == 96
    found.model.forget_engines()
    assert found.model.memories.weights_unknown.all()
