# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""What the fuzzer sends: the same for the same seed, and all that it is meant to."""

from collections import Counter, defaultdict

import pytest

from cimple.hdl.npu.packets import Memory, Request, Status, memory_bytes
from cimple.verif.bench.npu_malformed import MalformedPackets
from cimple.verif.bench.npu_stimulus import NpuStimulus
from cimple.verif.fuzz.packets import FuzzPacket, FuzzPackets
from cimple.verif.fuzz.programs import HostilePrograms
from cimple.verif.golden.memories import Memories
from cimple.verif.golden.packets import find_fault
from tests.compiler.networks import npu

CONFIG = npu(
    rows=4, columns=2, activation_bytes=256, weight_bytes=256, activation_port=4, lanes=2,
    channels=16, descriptors=32, stamps=16, partial_sum_words=16,
)


def drawn(seed: int | tuple[int, ...], count: int) -> list[FuzzPacket]:
    source = FuzzPackets(CONFIG, seed)
    return [source.draw() for _ in range(count)]


@pytest.fixture(scope="module")
def many() -> list[FuzzPacket]:
    return drawn(1, 12_000)


def test_a_seed_gives_the_same_packets() -> None:
    assert drawn((3, 1), 400) == drawn((3, 1), 400)
    assert drawn((3, 1), 400) != drawn((3, 2), 400) != drawn((4, 2), 400)


def test_every_kind_occurs_and_most_are_mutated(many: list[FuzzPacket]) -> None:
    counts = Counter(packet.kind for packet in many)
    source = FuzzPackets(CONFIG, 1)
    stimulus = NpuStimulus(CONFIG, 1)
    programs = HostilePrograms(stimulus).kinds
    expected = {
        "noise", "endless", "data", *(request.name for request in Request),
        *(f"mutated: {kind}" for kind in source._mutations),
        *(f"malformed: {kind}" for kind in MalformedPackets(CONFIG, stimulus.random).kinds),
        *(f"{what}: {kind}" for kind in programs for what in ("program", "run")),
    }
    assert set(counts) == expected
    families = Counter(packet.kind.partition(":")[0] for packet in many)
    assert families["mutated"] > len(many) / 3
    assert families["noise"] < len(many) / 20


def test_every_fault_of_every_request_occurs(many: list[FuzzPacket]) -> None:
    memories = Memories(CONFIG)
    found = defaultdict(set)
    for _, words in many:
        fault = find_fault(words, memories)
        status = Status.OK if fault is None else fault.status
        found[words[0] & 0xFF].add(status)
    single, operand = {Status.OK, Status.OVERLONG}, {Status.OK, Status.OVERLONG, Status.TRUNCATED}
    refused = {Status.BAD_COUNT, Status.BAD_ADDRESS}
    assert {request: found[request] for request in Request} == {
        Request.IDENTIFY: single, Request.RESET: single, Request.COUNTERS: single,
        Request.SYNC: operand, Request.RUN: operand | {Status.BAD_ADDRESS},
        Request.READ: operand | refused, Request.WRITE: operand | refused,
    }
    unknown = set(found) - set(Request)
    assert len(unknown) > 200
    assert set.union(*(found[code] for code in unknown)) == {Status.UNKNOWN_OPCODE}


def test_ranges_reach_and_cross_both_ends_of_every_memory(many: list[FuzzPacket]) -> None:
    ends = defaultdict(set)
    for _, words in many:
        if words[0] & 0xFF in (Request.READ, Request.WRITE) and len(words) > 1:
            memory, offset = words[1] >> 28, words[1] & (1 << 28) - 1
            if memory < len(Memory):
                beyond = offset + 4 * (words[0] >> 16) - memory_bytes(CONFIG, Memory(memory))
                ends[Memory(memory)] |= {("from", offset), ("to", beyond)}
            else:
                ends[None].add(memory)
    for memory in Memory:
        assert {("from", 0), ("to", 0), ("to", 4), ("from", (1 << 28) - 4)} <= ends[memory]
    assert ends[None] == set(range(len(Memory), 16))


def test_an_endless_packet_is_longer_than_a_count(many: list[FuzzPacket]) -> None:
    lengths = [len(packet.words) for packet in many if packet.kind == "endless"]
    assert all(length > 1 << 16 for length in lengths)
    assert max(len(packet.words) for packet in many if packet.kind != "endless") < 2000


def test_contents_fill_a_memory() -> None:
    source = FuzzPackets(CONFIG, 1)
    for memory in Memory:
        words = source.contents(memory)
        assert 4 * len(words) == memory_bytes(CONFIG, memory)
        assert len(set(words)) > 10
