# SPDX-License-Identifier: Apache-2.0
"""The packets of the fuzzer: sound ones, the same with something wrong in them, and noise."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...hdl.npu.config import WORD_BYTES, NpuConfig
from ...hdl.npu.isa import WORDS
from ...hdl.npu.packets import Memory, Request, address, header, memory_bytes
from ..bench.npu_malformed import MalformedPackets
from ..bench.npu_stimulus import NpuStimulus, Packet
from .programs import HostilePrograms

__all__ = ["FuzzPacket", "FuzzPackets"]

#: How often each family is drawn, of 10,000; a program is some ten packets in a row.
_SHARES = {
    "mutated": 5600, "sound": 2400, "malformed": 1400, "noise": 348, "program": 250, "endless": 2,
}  # fmt: skip

#: Words of an endless packet: more than a count of 16 bits can say.
_ENDLESS = (1 << 16) + 4


class FuzzPacket(NamedTuple):
    """A packet, and what it is meant to be."""

    kind: str
    words: Packet


class FuzzPackets:
    """Draws packets, one after the other, the same ones for the same seed.

    Parameters
    ----------
    config : NpuConfig
    seed : int, or sequence of int

    Attributes
    ----------
    stimulus : NpuStimulus
        Makes the sound requests and programs.
    """

    def __init__(self, config: NpuConfig, seed: int | Sequence[int]) -> None:
        self.config = config
        self.stimulus = NpuStimulus(config, seed)
        self._random = self.stimulus.random
        self._malformed = MalformedPackets(config, self._random)
        self._programs = HostilePrograms(self.stimulus)
        #: Packets of a program, which are sent in this order, others in between.
        self._planned: deque[FuzzPacket] = deque()
        self._starts = [0]
        self._mutations: dict[str, Callable[[Packet], Packet]] = {
            "cut": self._cut,
            "grown": self._grown,
            "header bits": lambda packet: self._flip(packet, 0, 1),
            "operand bits": lambda packet: self._flip(packet, 1, 2),
            "data bits": lambda packet: self._flip(packet, 2, len(packet)),
            "opcode": self._opcode,
            "count": self._count,
            "place": self._place,
            "end": self._end,
            "word lost": self._lost,
            "word doubled": self._doubled,
            "words swapped": self._swapped,
        }

    def contents(self, memory: Memory) -> Packet:
        """Words for all of a memory: any, but for programs that are taken here and there."""
        words = self._words(memory_bytes(self.config, memory) // WORD_BYTES)
        if memory is Memory.PROGRAM:
            for start in range(0, len(words), WORDS):
                if self.stimulus.chance(0.95):
                    words[start : start + WORDS] = self._programs.descriptor()
        return words

    def draw(self) -> FuzzPacket:
        """The next packet."""
        if self._planned and self.stimulus.chance(0.8):
            return self._planned.popleft()
        match self._family():
            case "mutated":
                return self._mutated()
            case "sound":
                return self._sound()
            case "malformed":
                kinds = list(self._malformed.kinds.items())
                kind, make = kinds[self._below(len(kinds))]
                return FuzzPacket(f"malformed: {kind}", make())
            case "noise":
                return FuzzPacket("noise", self._words(1 + self._below(8)))
            case "program":
                self._plan()
                return self._planned.popleft()
            case _:
                return FuzzPacket("endless", self._endless())

    def behind(self) -> FuzzPacket:
        """One that is worth sending while a program runs: what ends it, and what nearly does."""
        simple = self.stimulus.simple
        match self._below(4):
            case 0:
                return FuzzPacket("RESET", simple(Request.RESET))
            case 1:
                return FuzzPacket("overlong RESET", [*simple(Request.RESET), self.stimulus.word()])
            case 2:
                reset = simple(Request.RESET)[0]
                return FuzzPacket("RESET as an operand", simple(Request.SYNC, reset))
            case _:
                return FuzzPacket("READ", self._access(Request.READ))

    # Families -----------------------------------------------------------------------------------

    def _family(self) -> str:
        place = self._below(sum(_SHARES.values()))
        for family, share in _SHARES.items():
            if place < share:
                return family
            place -= share
        raise AssertionError("beyond the shares")

    def _sound(self) -> FuzzPacket:
        simple = self.stimulus.simple
        match self._below(12):
            case 0:
                return FuzzPacket("IDENTIFY", simple(Request.IDENTIFY))
            case 1:
                return FuzzPacket("SYNC", simple(Request.SYNC, self.stimulus.word()))
            case 2:
                return FuzzPacket("COUNTERS", simple(Request.COUNTERS))
            case 3:
                return FuzzPacket("RESET", simple(Request.RESET))
            case 4:
                return FuzzPacket("RUN", simple(Request.RUN, self._start()))
            case 5 | 6 | 7:
                return FuzzPacket("READ", self._access(Request.READ))
            case _:
                return FuzzPacket("WRITE", self._access(Request.WRITE))

    def _start(self) -> int:
        """Where a program was written lately, or any descriptor."""
        if self.stimulus.chance(0.5):
            return self._starts[self._below(len(self._starts))]
        return self._below(self.config.descriptors)

    def _access(self, request: Request) -> Packet:
        """A range anywhere in a memory, often at an end of it."""
        memory = Memory(self._below(len(Memory)))
        words = memory_bytes(self.config, memory) // WORD_BYTES
        count = min(words, 1 + self._below(6 if self.stimulus.chance(0.9) else 100))
        first = self._below(words - count + 1)
        if self.stimulus.chance(0.3):
            first = 0 if self.stimulus.chance(0.3) else words - count
        place = address(memory, WORD_BYTES * first)
        data = self._words(count) if request is Request.WRITE else []
        return [header(request, self._below(256), count), place, *data]

    def _mutated(self) -> FuzzPacket:
        packet = self._sound().words
        names = list(self._mutations)
        name = names[self._below(len(names))]
        packet = self._mutations[name](list(packet))
        if self.stimulus.chance(0.1):
            packet = self._mutations[names[self._below(len(names))]](packet)
        return FuzzPacket(f"mutated: {name}", packet)

    def _plan(self) -> None:
        """The packets of a program and the RUN that starts it."""
        if self.stimulus.chance(0.3):
            self.stimulus.move()
            self._planned.extend(FuzzPacket("data", words) for words in self.stimulus.data())
        self._planned.extend(self.program())

    def program(self, kind: str | None = None) -> list[FuzzPacket]:
        """Write a program of that kind, or of any; the last packet runs it."""
        names = list(self._programs.kinds)
        drawn = "sound" if self.stimulus.chance(0.3) else names[self._below(len(names))]
        name = kind or drawn
        words = self._programs.kinds[name]()
        packets, run = self.stimulus.run_words(words[: self.config.descriptors])
        self._starts = [*self._starts[-3:], run[1]]
        return [
            *(FuzzPacket(f"program: {name}", packet) for packet in packets),
            FuzzPacket(f"run: {name}", run),
        ]

    def _endless(self) -> Packet:
        """A packet longer than any can be; a WRITE among them, which must keep to its count."""
        packet = self._sound().words
        return packet + self._words(_ENDLESS - len(packet) + self._below(8))

    # Mutations ----------------------------------------------------------------------------------

    def _cut(self, packet: Packet) -> Packet:
        return packet[: 1 + self._below(max(1, len(packet) - 1))]

    def _grown(self, packet: Packet) -> Packet:
        return packet + self._words(1 + self._below(4 if self.stimulus.chance(0.9) else 100))

    def _flip(self, packet: Packet, first: int, stop: int) -> Packet:
        """Change some bits of words `first` to `stop` - 1, of the last word if there are none."""
        for _ in range(1 + self._below(3)):
            index = first + self._below(max(1, stop - first))
            packet[min(index, len(packet) - 1)] ^= 1 << self._below(32)
        return packet

    def _opcode(self, packet: Packet) -> Packet:
        known = self.stimulus.chance(0.8)
        code = 1 + self._below(len(Request)) if known else self._below(256)
        return [packet[0] & ~0xFF | code, *packet[1:]]

    def _count(self, packet: Packet) -> Packet:
        count = packet[0] >> 16
        counts = (0, count - 1, count + 1, 2 * count, 0xFFFF, self._below(1 << 16))
        chosen = counts[self._below(len(counts))] & 0xFFFF
        return [packet[0] & 0xFFFF | chosen << 16, *packet[1:]]

    def _place(self, packet: Packet) -> Packet:
        """A few bytes or words off, in another memory, or anywhere."""
        if len(packet) < 2:
            return packet
        word = packet[1]
        places = (
            word + self._below(7) - 3, word + WORD_BYTES * (self._below(65) - 32),
            word ^ self._below(16) << 28, self.stimulus.word(),
            word & 0xF << 28 | self._below(1 << 28), word & 0xF << 28 | 0x0FFF_FFFC,
        )  # fmt: skip
        return [packet[0], places[self._below(len(places))] & 0xFFFF_FFFF, *packet[2:]]

    def _end(self, packet: Packet) -> Packet:
        """The range begins at the end of a memory, or some words before or behind it."""
        if len(packet) < 2:
            return packet
        memory = Memory(self._below(len(Memory)))
        offset = memory_bytes(self.config, memory) + WORD_BYTES * (self._below(9) - 6)
        return [packet[0], address(memory, offset), *packet[2:]]

    def _lost(self, packet: Packet) -> Packet:
        if len(packet) > 1:
            del packet[self._below(len(packet))]
        return packet

    def _doubled(self, packet: Packet) -> Packet:
        index = self._below(len(packet))
        return [*packet[: index + 1], *packet[index:]]

    def _swapped(self, packet: Packet) -> Packet:
        first, second = self._below(len(packet)), self._below(len(packet))
        packet[first], packet[second] = packet[second], packet[first]
        return packet

    def _words(self, count: int) -> Packet:
        return self._random.integers(1 << 32, size=count).tolist()

    def _below(self, limit: int) -> int:
        return self.stimulus.below(limit)
