# SPDX-License-Identifier: Apache-2.0
"""What the fuzzer has done, and what went wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...hdl.errors import CimpleError
from .packets import FuzzPacket

__all__ = ["FuzzError", "Tally"]

#: Packets, and words of each, that a message shows.
_PACKETS, _WORDS = 14, 40


@dataclass
class Tally:
    """What rounds have done so far."""

    #: Hostile packets by kind.
    packets: Counter[str] = field(default_factory=Counter)
    #: Packets that write contents, compare memories, or belong to an inference.
    checks: int = 0
    #: All of these, and the RESETs that end programs; their answers by status; those that a reset
    #: met before they were answered.
    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    #: What became of hostile packets' programs.
    programs: Counter[str] = field(default_factory=Counter)
    #: Resets in the middle of something, and reset sequences, by kind.
    resets: Counter[str] = field(default_factory=Counter)
    #: Words of memories that were compared.
    words: int = 0
    #: Programs behind a reset sequence whose results were compared.
    inferences: int = 0
    cycles: int = 0


class FuzzError(CimpleError):
    """The NPU did what it must not.

    Attributes
    ----------
    packets : list of FuzzPacket
        What was sent in a row, from the first packet on that was answered wrongly or not at all.
    problem : str
        What was expected and what came.
    round, sent : int
        The round, and how many hostile packets of it have been sent; known outside the round.
    """

    def __init__(self, packets: Sequence[FuzzPacket], problem: str) -> None:
        super().__init__(problem)
        self.packets = list(packets)
        self.problem = problem
        self.round, self.sent = 0, 0

    def __str__(self) -> str:
        lines = [f"round {self.round}, after {self.sent} packets of it: {self.problem}"]
        for kind, words in self.packets[:_PACKETS]:
            shown = " ".join(f"{word:08x}" for word in words[:_WORDS])
            more = f" ... ({len(words)} words)" if len(words) > _WORDS else ""
            lines.append(f"  {kind}: {shown}{more}")
        return "\n".join(lines)
