# SPDX-License-Identifier: Apache-2.0
"""The cycle model by itself: against sums that are done by hand from the rates of the parts.

That it tells the hardware's cycles is for the NPU's bench: it compares every counter and every time
stamp of every program, on NPUs of many shapes.
"""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import WORDS, Descriptor, Opcode, Queue
from cimple.hdl.npu.latency import (
    BYTES_AFTER,
    MAX_POOL_CYCLES,
    PROGRAM_CYCLES,
    REQUANTISE_CYCLES,
    WINDOW_SUM_CYCLES,
)
from cimple.verif.timing.npu import RunTiming, TimingError, predict

CONFIG = NpuConfig.from_mapping(
    {
        "macro": {"rows": 12, "columns": 4, "cell": "lookup", "banks": 2}, "activation_port": 4,
        "weight_port": 4, "lanes": 2, "channels": 16, "queue_depth": 2,
    },
    source="test",
)  # fmt: skip
END = Descriptor(Opcode.END, {})
#: From the program's acceptance to a first descriptor's start: the memory is asked for a word,
#: which is read, looked at, and sent; all words are collected; tokens are looked for, and taken.
START = PROGRAM_CYCLES + 2 + 1 + WORDS + 1


def run(
    *descriptors: tuple[Opcode, dict[str, int]], planes: Sequence[Sequence[int]] = ()
) -> RunTiming:
    return predict(CONFIG, [*(Descriptor(*each) for each in descriptors), END], planes)


POOL = {
    "out_width": 3, "out_height": 2, "kernel_width": 2, "kernel_height": 2, "channels": 5,
    "row_bytes": 30, "height": 4, "stamp": 1, "stamp_index": 3,
}  # fmt: skip


def test_an_empty_program():
    # The first word is asked for, read, looked at, seen to be END, and all is found to be idle;
    # that is told in the last cycle.
    assert run() == RunTiming(PROGRAM_CYCLES + 5, dict.fromkeys(Queue, 0), {})


def test_max_pool():
    """A tap of four channels a cycle; two chunks of channels, four taps, six windows."""
    found = run((Opcode.MAX_POOL, POOL))
    work = 6 * 4 * 2 + BYTES_AFTER + MAX_POOL_CYCLES
    assert found.busy[Queue.VECTOR] == work
    assert found.stamps == {3: START + work}
    # Then it gives its tokens, and the end is seen and told.
    assert found.cycles == START + work + 4


def test_depthwise():
    """A tap of two channels a cycle; the last one's sum goes through the lanes."""
    found = run((Opcode.DEPTHWISE, POOL | {"channels": 2}))
    after = BYTES_AFTER + WINDOW_SUM_CYCLES + REQUANTISE_CYCLES + 1
    assert found.busy[Queue.VECTOR] == 6 * 4 + after


def test_addition():
    """Two bytes in two cycles, the last of them as a single one."""
    found = run((Opcode.ADD, {"bytes": 7}))
    more = run((Opcode.ADD, {"bytes": 17}))
    assert more.busy[Queue.VECTOR] - found.busy[Queue.VECTOR] == 2 * (9 - 4)


def test_loads_follow_each_other_at_the_rate_of_the_macro():
    spent = [
        run((Opcode.LOAD_WEIGHTS, {"groups": groups, "address": 0})).busy[Queue.LOAD]
        for groups in (1, 2, 3)
    ]
    assert CONFIG.load_interval == 8
    assert [b - a for a, b in pairwise(spent)] == [CONFIG.load_interval] * 2


def vectors(windows: int, *planes: int, **requantise: int) -> RunTiming:
    size = {"out_width": windows, "out_height": 1}
    return run(
        (Opcode.COMPUTE, {"depth": 6, "run_bytes": 6, "row_bytes": 64, "height": 1} | size),
        (Opcode.REQUANTISE, {"channels": 4} | size | requantise),
        planes=[planes],
    )


def test_the_array_sets_the_pace():
    """Eight planes a vector: two chunks and two beats take less."""
    assert vectors(12).cycles - vectors(11).cycles == 8


def test_planes_that_are_skipped_take_no_time():
    """Down to the two chunks of a window and a cycle; vectors of which nothing is said meet all."""
    whole = vectors(4).cycles
    assert vectors(4, 8, 8).cycles == whole
    assert [whole - vectors(4, 8, planes, 8, 8).cycles for planes in (7, 5, 2)] == [1, 3, 5]
    assert vectors(12, *[1] * 12).cycles - vectors(11, *[1] * 11).cycles == 3


def test_results_leave_later_than_partial_sums():
    kept, written = vectors(4, keep_partial=1), vectors(4)
    assert written.cycles - kept.cycles == REQUANTISE_CYCLES + 1


def test_tokens_hold_a_descriptor_up():
    load = (Opcode.LOAD_WEIGHTS, {"groups": 4, "signal": 1 << Queue.VECTOR})
    alone = run(load).busy[Queue.LOAD]
    found = run(load, (Opcode.MAX_POOL, POOL | {"wait": 1 << Queue.LOAD}))
    assert found.busy[Queue.LOAD] == alone
    # A cycle to give the token, one to see it, one to take it.
    assert found.stamps[3] == START + alone + 3 + found.busy[Queue.VECTOR]


def test_a_program_that_waits_for_ever():
    with pytest.raises(TimingError, match="comes to a stop in cycle"):
        run((Opcode.MAX_POOL, POOL | {"wait": 1 << Queue.LOAD}))
    with pytest.raises(TimingError):
        vectors(4, out_height=2)
