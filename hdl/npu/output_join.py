# SPDX-License-Identifier: Apache-2.0
"""Output join: whether the outputs of a beat are there, and when a macro may go on to its next."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .config import NpuConfig

__all__ = ["OutputJoin"]


class OutputJoin(wiring.Component):
    """Takes each macro's output in the last beat that has some of it, the others' in the round's
    last.

    Where there are several, that an output is there comes from a register, and so does that it was
    taken, as macros lie all over the die. An output that follows one is seen two cycles late, while
    other macros have their beats.

    Throughput: a beat a cycle. Between a macro's last beat of a round and its first of the next lie
    two cycles, or more, where there are several.

    Members
    -------
    valid : In(config.macros)
        The macro offers an output.
    ready : Out(config.macros)
        It is taken in this cycle: that of its beat, or the one behind where there are several.
    which : In(range(config.beats))
        The beat that is next, of all macros' outputs.
    ends_vector : In(1)
        It is the last of its window.
    ends_round : In(1)
        And the last of all windows that were computed at once.
    is_there : Out(1)
        So are the outputs of the beat.
    takes : In(1)
        The beat is taken in this cycle; only where `is_there`.
    """

    valid: Signal
    ready: Signal
    which: Signal
    ends_vector: Signal
    ends_round: Signal
    is_there: Signal
    takes: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "valid": In(config.macros),
                "ready": Out(config.macros),
                "which": In(bits_for(config.beats - 1)),
                "ends_vector": In(1),
                "ends_round": In(1),
                "is_there": Out(1),
                "takes": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        macros, beats = self.config.macros, self.config.beats
        if macros == 1:
            m.d.comb += [
                self.is_there.eq(self.valid),
                self.ready.eq(self.takes & self.ends_round),
            ]
            return m
        each = beats // macros
        there = Signal(macros)
        # Whose output of this round was taken.
        had = Signal(macros)
        owns = Cat(
            self.which.matches(*range(first, first + each)) for first in range(0, beats, each)
        )
        ends_own = self.which.matches(*range(each - 1, beats, each)) | self.ends_vector
        leaves, taken = Signal(macros), Signal(macros)
        wanted = Signal(macros)
        m.d.comb += [
            wanted.eq(Mux(self.ends_round, ~had, owns)),
            leaves.eq(Mux(self.takes & (self.ends_round | ends_own), wanted, 0)),
            self.is_there.eq((there | ~wanted).all()),
            self.ready.eq(taken),
        ]
        m.d.sync += [taken.eq(leaves), there.eq(self.valid & ~leaves & ~taken)]
        with m.If(self.takes):
            m.d.sync += had.eq(Mux(self.ends_round, 0, had | leaves))
        return m
