# SPDX-License-Identifier: Apache-2.0
"""Rounds of the fuzzer: hostile packets, then all memories, a reset sequence and an inference.

A round is drawn from its number alone and begins with a reset and new contents of all memories, so
that any of them can be run by itself.
"""

from collections.abc import Callable

from ...hdl.npu.config import WORD_BYTES, NpuConfig
from ...hdl.npu.isa import Descriptor
from ...hdl.npu.packets import Memory, Request, Status, memory_bytes
from ..bench.npu_stimulus import Packet
from ..golden.npu import NpuModel
from .dialogue import Dialogue
from .link import Link
from .outlook import Outlook, look_ahead, runs
from .packets import FuzzPacket, FuzzPackets
from .tally import FuzzError, Tally

__all__ = ["ROUND", "Round"]

#: Hostile packets of a round.
ROUND = 250
#: Hostile packets from a comparison of all memories to the next.
_COMPARE = 64
#: Most packets in a row, the next one right behind the other, and most of them behind a RUN.
_IN_A_ROW, _BEHIND = 12, 3
#: Most cycles that a program may run before it is ended.
_PATIENCE = 1500
#: Vectors of an inference, about.
_VECTORS = 40
#: Words of a packet that a reset sequence begins and does not end.
_BEGINNING = 40


class Round:
    """One round; see the module.

    Parameters
    ----------
    config : NpuConfig
    link : Link
    seed, number : int
        What it is drawn from.
    tally : Tally
        Counts what is done.

    Attributes
    ----------
    sent : int
        Hostile packets so far.
    """

    def __init__(
        self, config: NpuConfig, link: Link, seed: int, number: int, tally: Tally
    ) -> None:
        self.config = config
        self.number = number
        self.sent = 0
        self._tally = tally
        self._source = FuzzPackets(config, (seed, number))
        self._stimulus = self._source.stimulus
        self._below = self._stimulus.below
        self._model = NpuModel(config, seed)
        self._dialogue = Dialogue(config, link, self._model, self._stimulus, tally)

    def run(self, packets: int = ROUND, progress: Callable[[int], None] = lambda n: None) -> None:
        """Send so many packets, then compare memories and an inference; `progress` is told some.

        Raises FuzzError where the NPU does what it must not.
        """
        try:
            self._begin()
            while self.sent < packets:
                before = self.sent
                self._some(packets)
                progress(self.sent - before)
                if before // _COMPARE != self.sent // _COMPARE:
                    self._compare_memories()
            self._compare_memories()
            self._reset_sequence()
            self._inference()
            self._adopt_activations()
            self._compare_memories()
        except FuzzError as failure:
            failure.round, failure.sent = self.number, self.sent
            raise

    def _begin(self) -> None:
        """Everything that packets can reach is known; what is in the engines is not."""
        self._dialogue.reset()
        self._model.forget_engines()
        for memory in Memory:
            values = self._source.contents(memory)
            self._check("contents", *self._stimulus.writes(memory, 0, values))
        self._check("contents", *self._stimulus.data())

    # Hostile packets ----------------------------------------------------------------------------

    def _some(self, most: int) -> None:
        """Send some in a row. A RUN is the first of its row: what it runs must be known."""
        row: list[FuzzPacket] = []
        run: FuzzPacket | None = None
        for _ in range(min(1 + self._below(_IN_A_ROW), most - self.sent)):
            drawn = self._draw()
            if runs(drawn.words, self._model.memories):
                run = drawn
                break
            row.append(drawn)
        if row and self._stimulus.chance(0.02):
            words = sum(len(packet.words) for packet in row)
            self._dialogue.send_cut(row, 1 + self._below(6 * words))
        elif row:
            self._dialogue.send(row)
        if run is not None:
            self._program(run, most)

    def _program(self, run: FuzzPacket, most: int) -> None:
        """Run a program, with packets behind it or without, to its end or some cycles of it."""
        row = [run]
        while len(row) <= _BEHIND and self.sent < most and self._stimulus.chance(0.4):
            drawn = self._draw(self._source.behind if self._stimulus.chance(0.4) else None)
            if runs(drawn.words, self._model.memories):
                # Two programs in a row are two rows, but this one may wait behind the other.
                drawn = FuzzPacket(drawn.kind, [*drawn.words, self._stimulus.word()])
            row.append(drawn)
        outlook = look_ahead(self._model, run.words)
        to_its_end = outlook.soon and self._stimulus.chance(0.5)
        patience = None if to_its_end else 1 + self._below(1 + self._below(_PATIENCE))
        end = self._dialogue.send_program(row, outlook, patience)
        self._tally.programs[f"{'defined' if outlook.defined else 'undefined'}, {end}"] += 1
        if not outlook.defined or end != Status.OK.name:
            self._adopt_activations()

    def _draw(self, draw: Callable[[], FuzzPacket] | None = None) -> FuzzPacket:
        drawn = (draw or self._source.draw)()
        self.sent += 1
        self._tally.packets[drawn.kind] += 1
        return drawn

    def _adopt_activations(self) -> None:
        """Compare those that are known; from now on all are."""
        for packet in self._stimulus.reads(Memory.ACTIVATIONS, 0, self._words(Memory.ACTIVATIONS)):
            (answer,) = self._check("activations", packet)
            place = self._model.memories.locate(packet[1], len(answer) - 1)
            assert place is not None
            self._model.memories.write(*place, answer[1:])

    # Checks -------------------------------------------------------------------------------------

    def _compare_memories(self) -> None:
        for memory in Memory:
            count = self._words(memory)
            self._check(f"all {memory.name}", *self._stimulus.reads(memory, 0, count))
            self._tally.words += count

    def _reset_sequence(self) -> None:
        """One of the ways of a host to begin anew."""
        kinds = {
            "reset": self._dialogue.reset,
            "RESET": lambda: self._check("reset", self._stimulus.simple(Request.RESET)),
            "reset in a packet": self._reset_in_a_packet,
            "RESET in a packet, RESET": self._resynchronise,
            "RESET of a hostile program": self._end_a_program,
            "RESET of a program that waits in vain": self._wait_in_vain,
        }
        kind = list(kinds)[self._below(len(kinds))]
        self._tally.resets[kind] += 1
        kinds[kind]()

    def _reset_in_a_packet(self) -> None:
        words = self._source.draw().words[:_BEGINNING]
        self._dialogue.send_cut([FuzzPacket("reset", words)], 100 * len(words), ended=False)

    def _resynchronise(self) -> None:
        """A host that does not know whether a packet is under way: a RESET ends it, or is one."""
        words = self._source.draw().words[:_BEGINNING]
        if words[0] & 0xFF == Request.RUN and len(words) == 1:
            words = words * 2
        packet = [*words, *self._stimulus.simple(Request.RESET)]
        self._check("reset", packet, self._stimulus.simple(Request.RESET))

    def _end_a_program(self) -> None:
        """Nobody looks at what it leaves behind before the next program."""
        self._send_hostile(self._source.program())

    def _wait_in_vain(self) -> None:
        """Tokens that a program has left are not there for the next one."""
        self._send_hostile(self._source.program("spare tokens"))
        self._send_hostile(self._source.program("vain"))

    def _send_hostile(self, program: list[FuzzPacket]) -> None:
        *packets, run = program
        self._check(run.kind, *(packet.words for packet in packets))
        outlook = look_ahead(self._model, run.words)
        self._model.forget_run(run.words)
        self._dialogue.send_program([run], outlook, 1 + self._below(_PATIENCE))
        self._tally.checks += 1

    def _inference(self) -> None:
        """Weights and kernels are loaded and a sound program is run, as if nothing had been."""
        self._stimulus.move()
        self._check("inference", *self._stimulus.data())
        for program in self._stimulus.load_all():
            self._run(program)
        self._run(self._stimulus.program(_VECTORS).builder.finish())
        self._check("inference", self._stimulus.simple(Request.COUNTERS))
        self._tally.inferences += 1

    def _run(self, descriptors: list[Descriptor]) -> None:
        packets, run = self._stimulus.run(descriptors)
        self._check("inference", *packets)
        outlook = Outlook([self._model.expect(run)], defined=True)
        self._dialogue.send_program([FuzzPacket("inference", run)], outlook)
        self._tally.checks += 1

    def _check(self, kind: str, *packets: Packet) -> list[list[int]]:
        """Send packets that are to be in order; their answers."""
        answers = []
        for first in range(0, len(packets), _IN_A_ROW):
            row = [FuzzPacket(kind, words) for words in packets[first : first + _IN_A_ROW]]
            answers += self._dialogue.send(row)
        self._tally.checks += len(packets)
        return answers

    def _words(self, memory: Memory) -> int:
        return memory_bytes(self.config, memory) // WORD_BYTES
