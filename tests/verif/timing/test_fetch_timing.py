# SPDX-License-Identifier: Apache-2.0
"""Cycles of fetches by themselves: sums done by hand. The bench compares them with the hardware's.
"""

import pytest

from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import WORDS, Descriptor, Opcode, Queue
from cimple.hdl.npu.latency import PROGRAM_CYCLES
from cimple.verif.timing.external_memory import LATENCY, FixedLatency, MemoryTiming, Recorded
from cimple.verif.timing.npu import RunTiming, predict

CONFIG = NpuConfig.from_mapping(
    {
        "macro": {"rows": 12, "columns": 4}, "weight_bytes": 8192, "weight_port": 8,
        "external_port": 4,
    },
    source="test",
)
#: As for every first descriptor: see `test_npu_timing`.
START = PROGRAM_CYCLES + 2 + 1 + WORDS + 1


def busy(memory: MemoryTiming | None = None, **fields: int) -> int:
    return run(memory, (Opcode.FETCH, {"bytes": 40} | fields)).busy[Queue.FETCH]


def run(memory: MemoryTiming | None, *descriptors: tuple[Opcode, dict[str, int]]) -> RunTiming:
    program = [*(Descriptor(*each) for each in descriptors), Descriptor(Opcode.END, {})]
    return predict(CONFIG, program, memory=memory)


def test_one_burst() -> None:
    """A cycle to ask, the address in the next, then the latency, then a beat a cycle."""
    assert busy() == 1 + 1 + LATENCY + 10 - 1
    assert busy(FixedLatency(1)) == 1 + 1 + 1 + 10 - 1
    assert busy(FixedLatency(1), bytes=4) == 3


def test_bursts_end_at_boundaries_and_follow_each_other_closely() -> None:
    assert busy(FixedLatency(20), bytes=4096) == 2 + 20 + 1024 - 1
    # From the last word before a boundary of 1 KiB on: one beat, then a gap until the second comes.
    assert busy(FixedLatency(20), source=1020, bytes=800) == 2 + 20 + 1 + 2 - 1 + 199 - 1


def test_four_bursts_may_be_under_way() -> None:
    """The fifth is asked for when the last beat of the first has come."""
    first_end = 2 + 2000 + 256 - 1
    assert busy(FixedLatency(2000), bytes=5 * 1024) == first_end + 1 + 1 + 2000 + 256 - 1


def test_what_was_recorded() -> None:
    waits, gaps = [3, 0], [5, 1, 4, 7]
    # The second burst's address is long taken when its first beat comes.
    found = busy(Recorded(waits, gaps), source=1016, bytes=16)
    assert found == 1 + 1 + 3 + sum(gaps)
    with pytest.raises(StopIteration):
        busy(Recorded(waits, gaps[:3]), source=1016, bytes=16)


def test_a_load_waits_for_a_fetch() -> None:
    load = (Opcode.LOAD_WEIGHTS, {"groups": 1})
    alone = run(None, load)
    fetch = (Opcode.FETCH, {"bytes": 2048, "signal": 1 << Queue.LOAD})
    found = run(None, fetch, (Opcode.LOAD_WEIGHTS, {"groups": 1, "wait": 1 << Queue.FETCH}))
    assert found.busy[Queue.LOAD] == alone.busy[Queue.LOAD]
    # A cycle from the end to the token, which is seen in the next and then taken; from there on all
    # is as it is alone.
    assert found.cycles == START + found.busy[Queue.FETCH] + 3 + alone.cycles - START
    beside = run(None, (Opcode.FETCH, {"bytes": 2048}), load)
    assert beside.cycles == START + beside.busy[Queue.FETCH] + 4


def test_an_npu_without_a_port_takes_as_long_as_ever() -> None:
    load = [Descriptor(Opcode.LOAD_WEIGHTS, {"groups": 2}), Descriptor(Opcode.END, {})]
    assert predict(CONFIG, load) == predict(CONFIG.replace(external_port=0), load)
