# SPDX-License-Identifier: Apache-2.0
"""The model of a device's end of a serial link: COBS, and what becomes of frames."""

import random
from collections.abc import Sequence

import pytest
from cobs import cobs

from cimple.hdl.link.frames import FRAME_WORDS, Answer, Command, LinkEvent
from cimple.host.devices.frame_codec import AnswerFrame, FrameFinder, command_frame, open_frame
from cimple.verif.golden.serial_link import LinkModel, cobs_decode, cobs_encode


@pytest.mark.parametrize("size", [0, 1, 5, 253, 254, 255, 256, 508, 509, 600])
def test_cobs_is_that_of_the_package(size: int) -> None:
    source = random.Random(size)
    for zeros in (0.0, 0.02, 0.5):
        data = bytes(
            0 if source.random() < zeros else source.randrange(1, 256) for _ in range(size)
        )
        assert cobs_decode(cobs.encode(data)) == data
        coded = cobs_encode(data)
        assert 0 not in coded
        assert cobs.decode(coded) == data
        assert len(coded) <= size + 1 + size // 254


def test_a_cut_block_is_no_data() -> None:
    assert cobs_decode(cobs.encode(b"abcdef")[:-1]) is None


def started() -> tuple[LinkModel, FrameFinder]:
    """A model that echoes, in a session."""

    def echo(packet: Sequence[int]) -> Sequence[int]:
        return packet

    model, finder = LinkModel(echo), FrameFinder()
    (report,) = finder.feed(model.receive(open_frame(5)))
    assert (report.session, report.flags) == (5, Answer.REPORT | Answer.OPEN)
    return model, finder


def ask(model: LinkModel, finder: FrameFinder, *frame: object) -> list[AnswerFrame]:
    return list(finder.feed(model.receive(command_frame(*frame))))  # type: ignore[arg-type]


def test_a_repeated_frame_is_taken_once_and_answered_again_when_asked() -> None:
    model, finder = started()
    (first,) = ask(model, finder, Command.LAST, 0, 0, [1, 2])
    assert (first.position, first.ack, first.words) == (0, 2, [1, 2])
    (again,) = ask(model, finder, Command.LAST, 0, 0, [1, 2])
    assert (again.ack, again.words) == (2, [])
    (resent,) = ask(model, finder, Command.RESEND, 2, 0)
    assert resent == first
    assert model.packets == [[1, 2]]
    assert model.counters[LinkEvent.REPEAT] == 1


def test_a_gap_is_told_until_it_is_filled() -> None:
    model, finder = started()
    (ahead,) = ask(model, finder, Command.LAST, 3, 0, [9])
    assert Answer.GAP in ahead.flags
    (filled,) = ask(model, finder, Command.LAST, 0, 0, [7])
    assert Answer.GAP not in filled.flags
    assert model.packets == [[7]]


def test_answers_are_divided() -> None:
    model, finder = started()
    frames: list[AnswerFrame] = []
    for start in range(0, 3 * FRAME_WORDS, FRAME_WORDS):
        flags = Command.LAST if start == 2 * FRAME_WORDS else Command(0)
        frames = ask(model, finder, flags, start, 0, range(start, start + FRAME_WORDS))
    assert [Answer.LAST in frame.flags for frame in frames] == [False, False, True]
    assert [word for frame in frames for word in frame.words] == list(range(3 * FRAME_WORDS))


def test_no_session_no_words() -> None:
    model, finder = started()
    model.power_on()
    (refused,) = ask(model, finder, Command.LAST, 0, 0, [1])
    assert Answer.OPEN not in refused.flags
    assert not model.packets
    assert model.counters[LinkEvent.CLOSED] == 1
