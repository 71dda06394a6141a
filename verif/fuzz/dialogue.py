# SPDX-License-Identifier: Apache-2.0
"""Packets sent to an NPU in rows, and every answer compared with the golden model's.

The model carries out a packet when its answer has come: what it expects does not depend on how far
the NPU came before a reset. Only a program's end is foreseen, as it says how long to wait.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.latency import ANSWER_CYCLES
from ...hdl.npu.packets import IDENTITY_WORDS, Request, Status
from ..bench.npu_stimulus import NpuStimulus
from ..golden.npu import NpuModel
from ..golden.packets import Expected, find_fault, take_apart
from .link import LAST, Link, Stalls, stream_words
from .outlook import Outlook
from .packets import FuzzPacket
from .tally import FuzzError, Tally

__all__ = ["Dialogue"]

#: Cycles that a word surely does not exceed under any of the stalls, nor a defined program.
_WORD_CYCLES, _PROGRAM_CYCLES = 200, 100_000
#: Cycles in which a RESET has surely ended a program, and the watchdog surely not; and those of
#: each word of a READ.
_RESET_CYCLES, _CYCLES_OF_A_READ = 100, ANSWER_CYCLES

#: Of 256 cycles those without a word offered, and without one taken.
_STALLS = ((0, 0), (0, 0), (0, 0), (64, 64), (200, 0), (0, 200), (150, 220))

#: Of programs that are ended, those by a RESET and not by the reset of all.
_BY_PACKET = 0.75


@dataclass
class _Row:
    """Packets that are sent one right behind the other, and what has come of them."""

    packets: list[FuzzPacket]
    #: Of the first packet, where it runs a program.
    outlook: Outlook | None = None
    answers: deque[list[int]] = field(default_factory=deque)
    #: Words that were taken; known once it is over.
    taken: int = 0
    #: A RESET was sent to end the program; everything was reset.
    ended: bool = False
    cut: bool = False


class Dialogue:
    """Speaks to one NPU. Methods raise FuzzError where it does what it must not.

    Parameters
    ----------
    config : NpuConfig
    link : Link
    model : NpuModel
        In the same state as the NPU, or knowing what it does not know.
    stimulus : NpuStimulus
        Draws stalls, resets and tags.
    tally : Tally
        Counts what is done.
    """

    def __init__(
        self, config: NpuConfig, link: Link, model: NpuModel, stimulus: NpuStimulus, tally: Tally
    ) -> None:
        self.model = model
        self._link = link
        self._stimulus = stimulus
        self._tally = tally
        self._answer_words = max(IDENTITY_WORDS, 8 + config.stamps)
        #: Words of an answer that has not come to its end.
        self._words: list[int] = []
        #: Withdrawn words before; a link counts them from its start on.
        self._withdrawn: int | None = None

    def reset(self) -> None:
        """Reset the NPU, whatever it does."""
        self._exchange([], _Row([]), limit=0, reset=1 + self._stimulus.below(3))
        self._words.clear()
        self.model.lose_counters()

    def send(self, packets: Sequence[FuzzPacket]) -> list[list[int]]:
        """Send packets that run nothing; their answers."""
        row = _Row(list(packets))
        self._exchange(_words(row), row, limit=self._enough(row))
        return self._settle(row)

    def send_cut(self, packets: Sequence[FuzzPacket], cycles: int, *, ended: bool = True) -> None:
        """Send packets that run nothing, and reset the NPU after so many cycles.

        Unless `ended`, the last packet's end is not sent.
        """
        row = _Row(list(packets))
        words = _words(row)
        if not ended:
            words[-1] &= ~LAST
        self._exchange(words, row, limit=cycles)
        self._cut(row)

    def send_program(
        self, packets: Sequence[FuzzPacket], outlook: Outlook, patience: int | None = None
    ) -> str:
        """Send a RUN and packets behind it; what became of the program.

        Parameters
        ----------
        packets : sequence of FuzzPacket
            The first one has this `outlook`; the others run nothing.
        patience : int
            Cycles after which the program is ended; None to wait for its end.
        """
        row = _Row(list(packets), outlook)
        limit = patience or self._enough(row) + _PROGRAM_CYCLES
        waiting = self._exchange(_words(row), row, limit=limit)
        if waiting is not None and patience is not None:
            # A packet that waits behind the program hides the RESET behind it.
            if waiting == 0 and self._stimulus.chance(_BY_PACKET):
                row.packets.append(FuzzPacket("RESET", self._stimulus.simple(Request.RESET)))
                row.ended = True
                words = stream_words(row.packets[-1].words)
                # Where the program is over, the answer to a READ may still be on its way.
                limit = _RESET_CYCLES + _CYCLES_OF_A_READ * _words_read(row)
                self._exchange(words, row, limit=limit, stalls=(0, 0))
            else:
                self._cut(row)
                return "ended by reset"
        first = self._settle(row)[0]
        return Status(first[0] >> 16 & 0xFF).name

    # Words --------------------------------------------------------------------------------------

    def _exchange(
        self, words: list[int], row: _Row, *,
        limit: int, reset: int = 0, stalls: tuple[int, int] | None = None,
    ) -> int | None:
        """Exchange words; how many are not taken if answers are missing, None if all came."""
        shares = stalls or _STALLS[self._stimulus.below(len(_STALLS))]
        seed = 1 + self._stimulus.below((1 << 32) - 1)
        came = self._link.exchange(
            words, limit=limit, stalls=Stalls(*shares, seed), reset=reset
        )
        self._tally.cycles += came.cycles
        row.taken += len(words) - came.left
        for word in came.words:
            self._words.append(word & ~LAST)
            if word & LAST:
                row.answers.append(self._words)
                self._words = []
        if self._withdrawn not in (None, came.withdrawn):
            raise FuzzError(row.packets, "the NPU has withdrawn a word before it was taken")
        self._withdrawn = came.withdrawn
        return came.left if came.left or came.owed else None

    def _enough(self, row: _Row) -> int:
        """Cycles in which all answers surely come, once no program runs."""
        words = 10
        for packet in row.packets:
            code, count = take_apart(packet.words[0])
            is_read = code == Request.READ and not find_fault(packet.words, self.model.memories)
            words += len(packet.words) + (count if is_read else self._answer_words)
        return _WORD_CYCLES * words

    # Answers ------------------------------------------------------------------------------------

    def _cut(self, row: _Row) -> None:
        """Reset in the middle of a row."""
        self._tally.resets["in the middle of packets" if row.outlook is None else "programs"] += 1
        self.reset()
        row.cut = True
        self._settle(row)

    def _settle(self, row: _Row) -> list[list[int]]:
        """Compare the answers, and bring the model to where the NPU is."""
        answers = []
        self._tally.sent += len(row.packets)
        for index, packet in enumerate(row.packets):
            taken = packet.words[: row.taken]
            row.taken -= len(taken)
            if row.answers:
                answers.append(row.answers.popleft())
                self._verify(row, index, answers[-1])
                self._tally.answers[Status(answers[-1][0] >> 16 & 0xFF).name] += 1
            elif row.cut:
                self._carry_out_part(row, index, taken)
                self._tally.cut += 1
            else:
                raise FuzzError(row.packets[index:], "no answer has come")
        if row.answers:
            came = _show(row.answers[0])
            raise FuzzError(row.packets, f"an answer too much has come: {came}")
        return answers

    def _verify(self, row: _Row, index: int, answer: list[int]) -> None:
        packet = row.packets[index].words
        if index == 0 and row.outlook is not None:
            expected, ended = list(row.outlook.ends), None
            if row.ended or (len(row.packets) > 1 and _is_reset(row.packets[1].words)):
                ended = Expected.answer(packet[0], Status.ABORTED, [0], [0])
                if ended.difference(answer) is None:
                    self.model.forget_run(packet)
                    return
                expected.append(ended)
        else:
            expected = [self.model.expect(packet)]
        differences = [each.difference(answer) for each in expected]
        if None not in differences:
            wrong = "; or ".join(str(each) for each in differences)
            raise FuzzError(row.packets[index:], f"the answer is {_show(answer)}: {wrong}")

    def _carry_out_part(self, row: _Row, index: int, taken: list[int]) -> None:
        """What of an unanswered packet was taken before a reset; only a WRITE does anything."""
        if index == 0 and row.outlook is not None:
            self.model.forget_run(row.packets[0].words)
        elif len(taken) > 2 and taken[0] & 0xFF == Request.WRITE:
            self.model.expect(taken)


def _words_read(row: _Row) -> int:
    """Words that READs of a row ask for."""
    asked = (take_apart(packet.words[0]) for packet in row.packets)
    return sum(count for code, count in asked if code == Request.READ)


def _words(row: _Row) -> list[int]:
    return [word for packet in row.packets for word in stream_words(packet.words)]


def _is_reset(packet: Sequence[int]) -> bool:
    return len(packet) == 1 and packet[0] & 0xFF == Request.RESET


def _show(answer: Sequence[int]) -> str:
    more = f" ... ({len(answer)} words)" if len(answer) > 8 else ""
    return "[" + " ".join(f"{word:08x}" for word in answer[:8]) + more + "]"
