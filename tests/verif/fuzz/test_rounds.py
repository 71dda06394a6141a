# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Rounds of the fuzzer pass on an NPU that is right, and fail on whatever is wrong with one."""

from collections.abc import Callable, Sequence

import pytest

from cimple.hdl.npu.packets import Memory, Request, Status, memory_bytes
from cimple.verif.fuzz.link import LAST, Exchange
from cimple.verif.fuzz.rounds import ROUND, Round
from cimple.verif.fuzz.tally import FuzzError, Tally
from tests.verif.fuzz.golden_link import Answer, GoldenLink
from tests.verif.fuzz.test_packets import CONFIG


def run(link: GoldenLink, rounds: int = 1) -> Tally:
    tally = Tally()
    for number in range(rounds):
        Round(CONFIG, link, 1, number, tally).run()
    return tally


def failure(link: GoldenLink, rounds: int = 1) -> str:
    with pytest.raises(FuzzError) as caught:
        run(link, rounds)
    return str(caught.value)


def with_fault(fault: Callable[[Sequence[int], Answer], list[Answer]], number: int) -> GoldenLink:
    """One answer is changed."""
    return GoldenLink(CONFIG, lambda n, packet, answer: (
        fault(packet, answer) if n == number else [answer]
    ))


@pytest.fixture(scope="module")
def passed() -> Tally:
    return run(GoldenLink(CONFIG), 30)


def test_a_right_npu_passes(passed: Tally) -> None:
    assert passed.packets.total() == 30 * ROUND
    assert passed.inferences == 30
    # After some 64 packets each, at the end, and after the inference.
    assert passed.words == 30 * 5 * sum(memory_bytes(CONFIG, memory) // 4 for memory in Memory)


def test_every_packet_is_answered_or_met_by_a_reset(passed: Tally) -> None:
    assert passed.answers.total() + passed.cut == passed.sent
    assert passed.packets.total() + passed.checks < passed.sent
    # There is no external memory that could refuse a read.
    assert set(passed.answers) == {s.name for s in Status} - {Status.BUS_ERROR.name}


def test_programs_end_in_all_ways(passed: Tally) -> None:
    assert set(passed.programs) >= {
        "defined, OK", "undefined, BAD_DESCRIPTOR", "undefined, ABORTED",
        "undefined, ended by reset",
    }


def test_all_reset_sequences_occur(passed: Tally) -> None:
    sequences = {
        "reset", "RESET", "reset in a packet", "RESET in a packet, RESET",
        "RESET of a hostile program", "RESET of a program that waits in vain",
    }
    assert set(passed.resets) == sequences | {"programs", "in the middle of packets"}
    assert sum(passed.resets[kind] for kind in sequences) == 30


def test_a_round_is_drawn_from_its_number_alone() -> None:
    class Heard(GoldenLink):
        def exchange(self, words: Sequence[int], **options: object) -> Exchange:
            heard.append((list(words), options))
            return super().exchange(words, **options)  # type: ignore[arg-type]

    heard: list[object] = []
    link = Heard(CONFIG)
    Round(CONFIG, link, 1, 0, Tally()).run()
    Round(CONFIG, link, 1, 1, Tally()).run()
    Round(CONFIG, link, 1, 2, Tally()).run(37)
    third = len(heard)
    Round(CONFIG, Heard(CONFIG), 1, 2, Tally()).run(37)
    assert heard[third:] == heard[third - len(heard[third:]) : third]


# Faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [5, 70, 300])
def test_a_wrong_bit_of_an_answer(number: int) -> None:
    said = failure(with_fault(lambda packet, answer: [[answer[0] ^ 1 << 9, *answer[1:]]], number))
    assert said.startswith("round 0, after ")
    assert "the answer is [" in said
    assert ": word 0 is 0x" in said


def test_another_status() -> None:
    def all_is_well(n: int, packet: Sequence[int], answer: Answer) -> list[Answer]:
        refused = answer[0] >> 16 & 0xFF == Status.TRUNCATED
        return [[answer[0] & 0xFFFF]] if refused else [answer]

    assert ", expected 0x0002" in failure(GoldenLink(CONFIG, all_is_well))


def test_a_lost_answer() -> None:
    # No other answer comes: it is the first one that is missing.
    assert "no answer has come" in failure(
        GoldenLink(CONFIG, lambda n, packet, answer: [answer] if n < 150 else [])
    )
    # The next one is taken for it, if there is one in the same row.
    said = [failure(with_fault(lambda packet, answer: [], n)) for n in range(150, 158)]
    assert any(": word 0 is 0x" in each for each in said)


def test_an_answer_too_much() -> None:
    said = failure(with_fault(lambda packet, answer: [answer, answer], 150))
    assert "an answer too much has come: [" in said or ": word 0 is 0x" in said


def test_words_too_many_and_too_few() -> None:
    assert "words, expected" in failure(with_fault(lambda packet, answer: [[*answer, 0]], 99))
    assert "words, expected" in failure(with_fault(lambda packet, answer: [[*answer, 0, 0]], 40))


def memory_that_differs(said: str) -> int:
    """The memory whose words differ, by the READ that is named first."""
    assert ": word " in said
    first = said.splitlines()[1].split(": ")[-1].split()
    assert int(first[0], 16) & 0xFF == Request.READ
    return int(first[1], 16) >> 28


@pytest.mark.parametrize("memory", Memory)
def test_a_memory_that_changes(memory: Memory) -> None:
    """By itself, in one byte, when an IDENTIFY is answered."""

    def change(n: int, packet: Sequence[int], answer: Answer) -> list[Answer]:
        if packet[0] & 0xFF == Request.IDENTIFY:
            values = link.model.memories._bytes[memory]
            values[len(values) // 2 + 5] ^= n & 0xFF | 1
        return [answer]

    link = GoldenLink(CONFIG, change)
    assert memory_that_differs(failure(link)) == memory


def test_a_memory_that_a_faulty_write_changes() -> None:
    def write(n: int, packet: Sequence[int], answer: Answer) -> list[Answer]:
        if answer[0] >> 16 & 0xFF == Status.BAD_ADDRESS and len(packet) > 2:
            link.model.memories.write(Memory.WEIGHTS, 0, packet[2:3])
        return [answer]

    link = GoldenLink(CONFIG, write)
    assert "all WEIGHTS" in failure(link, 3) or "READ" in failure(link, 3)


def test_a_program_that_no_reset_ends() -> None:
    class Deaf(GoldenLink):
        def _waits(self) -> bool:
            return self._run is not None

    assert "no answer has come" in failure(Deaf(CONFIG), 3)


def test_a_program_that_stays_behind() -> None:
    """An inference is wrong where something of a program is left."""

    def spoil(n: int, packet: Sequence[int], answer: Answer) -> list[Answer]:
        status = answer[0] >> 16 & 0xFF
        if packet[0] & 0xFF == Request.RUN and status == Status.OK:
            activations = link.model.memories.activations
            activations[:] ^= 1
        return [answer]

    link = GoldenLink(CONFIG, spoil)
    assert memory_that_differs(failure(link)) == Memory.ACTIVATIONS


def test_a_word_that_is_withdrawn() -> None:
    def say(n: int, packet: Sequence[int], answer: Answer) -> list[Answer]:
        link.withdrawn += n == 100
        return [answer]

    link = GoldenLink(CONFIG, say)
    assert "the NPU has withdrawn a word before it was taken" in failure(link)
    # What was withdrawn before the round is known already.
    link.spoil = lambda n, packet, answer: [answer]
    run(link)


def test_an_undefined_program_ends_where_its_headers_say() -> None:
    class Eager(GoldenLink):
        def _take(self) -> list[int]:
            words = super()._take()
            if self._run is None:
                return words
            packet, self._run = self._run, None
            header = Request.RUN | packet[0] & 0xFF00 | Status.BAD_DESCRIPTOR << 16
            return [header, CONFIG.descriptors + 5 | LAST]

    assert "the answer is [0006" in failure(Eager(CONFIG), 3)
