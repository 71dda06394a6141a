# SPDX-License-Identifier: Apache-2.0
"""Row slots: each macro has the row of weights that it is to take next in registers of its own."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..keep import keep_where
from .config import NpuConfig
from .delay import delayed

__all__ = ["RowSlots"]


class RowSlots(wiring.Component):
    """Hands each row to the macros that it is for; each keeps it until its macro takes it.

    The macros lie all over the die, so what is offered next does not hang on whether one of them
    takes a row in this cycle. A row with which no weights change is taken at once where the macro
    stages two row groups. For any other a macro has room for one, and says in the cycle after that
    it has taken it. With one macro there is no slot: its stream is that of the loader.

    Throughput: a row a cycle; 3 cycles behind one for which a macro has room for one, to the same
    macro. Latency: 1 cycle.

    Members
    -------
    i : In(stream of config.macro.write_layout)
    macros : In(config.macros)
        Those that the row is for, a bit each.
    ends_group : In(1)
        It is the last row of its group.
    o : Out(stream of config.macro.write_layout), one for each macro
    empty : Out(1)
        The macros have taken all rows.
    written : Out(1)
        A macro has taken the last row of a group in the cycle before.
    """

    i: stream.Interface
    macros: Signal
    ends_group: Signal
    o: Any
    empty: Signal
    written: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        rows = stream.Signature(config.macro.write_layout)
        super().__init__(
            {
                "i": In(rows),
                "macros": In(config.macros),
                "ends_group": In(1),
                "o": Out(rows).array(config.macros),
                "empty": Out(1),
                "written": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.config.macros == 1:
            connect(m, flipped(self.i), flipped(self.o[0]))
            taken = self.i.valid & self.i.ready & self.ends_group
            m.d.comb += [self.empty.eq(1), self.written.eq(delayed(m, "taken", taken, 1))]
            return m
        macros = self.config.macros
        # Rows that may have to wait: the last of their group, or all.
        all_wait = not self.config.macro.stages_two_groups
        # Which macros have room for a row that may have to wait, and which slots have a row.
        room = Signal(macros, init=(1 << macros) - 1)
        holds = Signal(macros)
        sends = Signal()
        m.d.comb += [
            self.i.ready.eq((room | ~self.macros).all()),
            sends.eq(self.i.valid & self.i.ready),
            self.empty.eq(~holds.any()),
        ]
        ends = []
        for index, output in enumerate(self.o):
            row = Signal(self.config.macro.write_layout, name=f"row{index}", reset_less=True)
            ended = Signal(name=f"ended{index}")
            freed = Signal(name=f"freed{index}")
            loads = Signal(name=f"loads{index}")
            will_hold, will_end = Signal(name=f"will_hold{index}"), Signal(name=f"will_end{index}")
            m.d.comb += [
                loads.eq(sends & self.macros[index]),
                output.valid.eq(holds[index]),
                output.payload.eq(row),
                will_hold.eq(loads | (holds[index] & ~output.ready)),
                will_end.eq(Mux(loads, self.ends_group, ended)),
            ]
            taken = holds[index] & output.ready
            m.d.sync += [
                holds[index].eq(will_hold),
                ended.eq(will_end),
                freed.eq(taken & (ended | all_wait)),
            ]
            # The row's many registers hear only what a register near them tells: a row that may not
            # have to wait never does.
            follows = Signal(name=f"follows{index}", init=1, attrs=keep_where(True))
            m.d.sync += follows.eq(~(will_hold & (will_end | all_wait)))
            with m.If(follows):
                m.d.sync += row.eq(self.i.payload)
            with m.If(loads & (self.ends_group | all_wait)):
                m.d.sync += room[index].eq(0)
            with m.Elif(freed):
                m.d.sync += room[index].eq(1)
            ends.append(taken & ended)
        m.d.comb += self.written.eq(delayed(m, "taken", Cat(ends).any(), 1))
        return m
