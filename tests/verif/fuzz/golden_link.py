# SPDX-License-Identifier: Apache-2.0
"""A link to the golden model, which takes a word a cycle, with faults on demand."""

from collections.abc import Callable, Sequence

from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.packets import Request, Status, response_header
from cimple.hdl.npu.watchdog import patience
from cimple.verif.fuzz.link import LAST, Exchange, Stalls, stream_words
from cimple.verif.golden.npu import NpuModel, ProgramError

Answer = list[int]


class GoldenLink:
    """The golden model as an NPU whose undefined programs come to a standstill.

    Parameters
    ----------
    config : NpuConfig
    spoil : callable
        Gets the number of an answer, the packet and the answer; gives the answers to send instead.

    Attributes
    ----------
    packets : int
        How many were answered.
    """

    def __init__(
        self, config: NpuConfig,
        spoil: Callable[[int, Sequence[int], Answer], list[Answer]] = lambda n, p, a: [a],
    ) -> None:
        self.model = NpuModel(config)
        self.spoil = spoil
        self.packets = self.withdrawn = 0
        self._queue: list[int] = []
        self._packet: list[int] = []
        self._run: list[int] | None = None
        #: Cycles since it stands still.
        self._stood = 0

    def exchange(
        self, words: Sequence[int], *, limit: int, stalls: Stalls, reset: int = 0
    ) -> Exchange:
        if reset:
            self._forget()
        self._queue += words
        came: list[int] = []
        cycles = 0
        while (self._queue or self._run) and cycles < limit:
            cycles += 1
            if self._run is not None and self._waits():
                self._stood += 1
                if self._stood == patience(self.model.config):
                    came += self._end(self._run, Status.DEADLOCK)
                continue
            word = self._queue.pop(0)
            if self._run is not None:
                came += self._end(self._run, Status.ABORTED)
            self._packet.append(word & ~LAST)
            if word & LAST:
                came += self._take()
        owed = int(self._run is not None)
        return Exchange(came, cycles, len(self._queue), owed, self.withdrawn)

    def _waits(self) -> bool:
        """It is no RESET that comes next."""
        next_word = self._queue[0] if self._queue else 0
        return not next_word & LAST or next_word & 0xFF != Request.RESET

    def _take(self) -> list[int]:
        packet, self._packet = self._packet, []
        try:
            return self._answer(packet, self.model.transact(packet))
        except ProgramError:
            self._run = packet
            return []

    def _end(self, run: list[int], status: Status) -> list[int]:
        self._run, self._stood = None, 0
        return self._answer(run, [response_header(Request.RUN, run[0] >> 8 & 0xFF, status), 0])

    def _answer(self, packet: Sequence[int], answer: Answer) -> list[int]:
        self.packets += 1
        sent = self.spoil(self.packets, packet, answer)
        return [word for each in sent for word in stream_words(each)]

    def _forget(self) -> None:
        if len(self._packet) > 2:
            self.model.expect(self._packet)
        self._queue, self._packet, self._run, self._stood = [], [], None, 0
