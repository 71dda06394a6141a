# SPDX-License-Identifier: Apache-2.0
"""The self-test's program: what it covers, and that a fault changes its signature."""

import numpy as np
import pytest

from cimple.hdl.npu.packets import Memory, Request, Status, memory_bytes
from cimple.host import self_test
from cimple.host.commands.compile import load_npu
from cimple.host.self_test import Entry, expand, make_self_test, step
from cimple.verif.golden.npu import NpuModel

PRESETS = ["npu_least", "npu_nano", "npu_small", "npu_digits", "ulx3s_85f", "npu_edge"]


def packets(test) -> list[list[int]]:
    """The requests as words."""
    return [words for words, _ in expand(test.entries)]


@pytest.mark.parametrize("preset", PRESETS)
def test_all_memories_are_filled_and_read_whole(preset):
    config = load_npu(preset)
    covered = {request: dict.fromkeys(Memory, 0) for request in (Request.WRITE, Request.READ)}
    for words in packets(make_self_test(config)):
        if words[0] & 0xFF in covered and words[0] >> 8 & 0xFF in (2, 6):
            covered[Request(words[0] & 0xFF)][Memory(words[1] >> 28)] += 4 * (words[0] >> 16)
    for memory in Memory:
        size = memory_bytes(config, memory)
        assert covered[Request.WRITE][memory] == 2 * size
        # Activations are read once more, with the results among them.
        assert covered[Request.READ][memory] == size * (3 if memory is Memory.ACTIVATIONS else 2)


def test_every_bit_is_high_once_and_low_once():
    config = load_npu("npu_nano")
    model, written = NpuModel(config), []
    for words in packets(make_self_test(config)):
        model.transact(words)
        if words[0] >> 8 & 0xFF == 2 and words[1] >> 28 == Memory.PROGRAM:
            written.append([model.memories.descriptor(number) for number in range(8)])
    first, second = np.array(written, np.uint32)
    assert np.array_equal(first, ~second)


@pytest.mark.parametrize("preset", PRESETS)
def test_results_of_the_array_are_varied(preset):
    """Results that are all at a rail would hide most faults."""
    config = load_npu(preset)
    model = NpuModel(config)
    for words in packets(make_self_test(config)):
        assert model.transact(words)[0] >> 16 & 0xFF == Status.OK
    half = config.activation_bytes // 2
    size = 8 * min(config.columns, config.channels, config.activation_bytes // 32)
    results = model.memories.activations[half : half + size].view(np.int8)
    assert len(set(results.tolist())) > min(6, size // 2)
    assert np.mean(np.abs(results.astype(int)) >= 127) < 0.5


FAULTS = ["weight high", "weight low", "activation", "parameter", "result"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_the_signature(fault, monkeypatch):
    config = load_npu("npu_nano")
    sound = make_self_test(config).signature

    class Faulty(NpuModel):
        """One bit of one memory is stuck, or one sum is off by one."""

        def expect(self, packet):
            memories = self.memories
            if fault == "weight high":
                memories.weights[5] |= 1
            elif fault == "weight low":
                memories.weights[5] &= 0xFE - 0x100
            elif fault == "activation":
                memories.activations[17] &= 0xFD
            elif fault == "parameter":
                memories.parameters[0, 2] |= 1
            if packet[0] & 0xFF == Request.RUN and fault == "result":
                answer = super().expect(packet)
                memories.activations[config.activation_bytes // 2] ^= 1
                return answer
            return super().expect(packet)

    monkeypatch.setattr(self_test, "NpuModel", Faulty)
    assert make_self_test(config).signature != sound


def test_the_register_takes_all_values():
    """The polynomial is primitive: no shorter cycle, here of the prime factors of 2**32 - 1."""
    order = (1 << 32) - 1

    def power(count: int) -> list[int]:
        """What each single bit becomes in so many steps."""
        columns = [1 << bit for bit in range(32)]
        base = [step(column) for column in columns]
        while count:
            if count & 1:
                columns = [apply(base, column) for column in columns]
            base = [apply(base, column) for column in base]
            count >>= 1
        return columns

    def apply(matrix: list[int], value: int) -> int:
        result = 0
        for bit in range(32):
            result ^= matrix[bit] if value >> bit & 1 else 0
        return result

    one = [1 << bit for bit in range(32)]
    assert power(order) == one
    assert all(power(order // prime) != one for prime in (3, 5, 17, 257, 65537))


def test_an_answer_that_tells_time_counts_by_its_header_alone():
    test = make_self_test(load_npu("npu_nano"))
    timed = [entry for entry in test.entries if entry.timed]
    assert timed == [Entry(0, last=True, timed=True)]
    assert test.flipped(4).signature == test.signature ^ 4
