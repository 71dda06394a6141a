# SPDX-License-Identifier: Apache-2.0
"""The host's end of a serial link against the model of a device's, in time that is only counted."""

import random
from collections.abc import Sequence

import pytest

from cimple.hdl.link.frames import LINK_VERSION, Fact
from cimple.host.devices.host_link import ATTEMPTS, HostLink, LinkError, LinkPace
from cimple.host.devices.link_streams import WINDOW
from cimple.verif.golden.serial_link import LinkModel

BYTE = 1e-5


class Line:
    """Host, device, and what a share of frames meets between them."""

    def __init__(self, seed: int, rate: float) -> None:
        self.random = random.Random(seed)
        self.rate = rate
        self.now = 0.0
        self.model = LinkModel(self.answer)
        self.host = HostLink("toy", self.random.getrandbits(24), LinkPace(BYTE, 1e-3, 0.1))

    @staticmethod
    def answer(packet: Sequence[int]) -> list[int]:
        """An answer of as many words as the packet says, all of which depend on it."""
        return [packet[0] + len(packet)] * (1 + packet[0] % 200)

    def garble(self, data: bytes) -> bytes:
        if not data or self.random.random() >= self.rate:
            return data
        place, changed = self.random.randrange(len(data)), bytearray(data)
        match self.random.randrange(7):
            case 0:
                changed[place] ^= 1 << self.random.randrange(8)
            case 1:
                del changed[place : place + self.random.randint(1, 9)]
            case 2:
                changed.insert(place, changed[place])
            case 3:
                changed += data
            case 4:
                del changed[place:]
            case 5:
                changed[place:place] = self.random.randbytes(self.random.randint(1, 30))
            case _:
                changed.clear()
        return bytes(changed)

    def step(self) -> None:
        frame = self.host.poll(self.now)
        if not frame:
            self.now = max(self.now, self.host.wake)
            return
        self.now += BYTE * len(frame)
        answer = self.garble(self.model.receive(self.garble(frame)))
        self.now += 1e-4
        self.host.receive(answer, self.now)

    def exchange(self, packet: list[int]) -> list[int]:
        self.host.commands.add(packet)
        for _ in range(20_000):
            if self.host.answers.packets:
                return self.host.answers.packets.popleft()
            self.step()
        raise AssertionError("no answer")


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_every_packet_is_carried_out_once(seed: int, rate: float) -> None:
    line, sent = Line(seed, rate), []
    for _ in range(30):
        more = line.random.choice([0, 1, 5, 100, 3000])
        packet = [line.random.getrandbits(31) for _ in range(1 + more)]
        sent.append(packet)
        assert line.exchange(packet) == Line.answer(packet)
    assert line.model.packets == sent
    assert bool(line.host.commands.resent or line.host.timeouts) is (rate > 0)


def test_a_window_is_sent_without_an_answer() -> None:
    line = Line(1, 0.0)
    while not line.host.is_open:
        line.step()
    line.host.commands.add([0] * (2 * WINDOW))
    sent = 0
    while line.host.poll(line.now):
        sent += 1
    assert sent == WINDOW // 64
    assert line.host.commands.words_under_way == WINDOW


def test_patience_ends() -> None:
    line = Line(1, 0.0)
    line.exchange([1])
    line.host.commands.add([2])

    def poll_in_vain() -> None:
        for _ in range(3 * ATTEMPTS):
            if not line.host.poll(line.now):
                line.now = line.host.wake

    with pytest.raises(LinkError, match="toy: the device does not answer any more"):
        poll_in_vain()


def test_an_older_device_is_named() -> None:
    line = Line(1, 0.0)
    line.model.facts[Fact.VERSION] = LINK_VERSION + 1
    with pytest.raises(LinkError, match="another version of the serial link"):
        line.exchange([1])


def test_another_program_is_told() -> None:
    line = Line(1, 0.0)
    line.exchange([1])
    other = HostLink("toy", line.host.session ^ 1, line.host.pace)
    with pytest.raises(LinkError, match="another program has begun to use the device"):
        line.host.receive(line.model.receive(other.poll(0.0)), line.now)
