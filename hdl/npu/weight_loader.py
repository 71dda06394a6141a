# SPDX-License-Identifier: Apache-2.0
"""Weight loader: weights from their memory into the macro, row by row, or kernels, tap by tap."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .config import TAP_BANKS, NpuConfig
from .delay import delayed
from .isa import Opcode, layout
from .ports import KernelWritePort
from .row_reader import RowReader

__all__ = ["WeightLoader"]


class WeightLoader(wiring.Component):
    """Offers each row to the macro; a depthwise kernel's taps are rows too.

    The kernels' memory takes every tap at once.

    Throughput: a word a cycle, so a row every ``config.row_words`` cycles where the macro takes
    them, a tap every ``config.tap_words``; a row group every ``config.load_interval`` cycles where
    nothing uses its bank. Latency: ``config.row_words + WEIGHT_CYCLES + 2`` cycles from `start` to
    the first row.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`; not in the cycle behind that of `done`.
    descriptor : In(layout(Opcode.LOAD_WEIGHTS))
        Or a LOAD_TAPS, whose fields lie in the same places: taps in that of `groups`.
    done : Out(1)
        The last row is taken in this cycle.
    written : In(1)
        The macro has taken the last row of a group in the cycle before. It holds up vectors that
        would meet weights of a table that is still being filled.
    settled : Out(1)
        No such table: a reset would leave the weights as they are.
    kernel : Out(KernelWritePort)
    address : Out(...)
        Word of the weight memory; its data comes `WEIGHT_CYCLES` later.
    data : In(8 * config.weight_port)
    w : Out(stream of config.macro.write_layout)
    macros : Out(config.macros)
        Those that the row is for, a bit each.
    ends_group : Out(1)
        It is the last row of its group.
    taken : Out(1)
        A row or tap goes, or would go to a row group that there is not.
    """

    start: Signal
    descriptor: data.View
    done: Signal
    written: Signal
    settled: Signal
    kernel: Any
    address: Signal
    data: Signal
    w: stream.Interface
    macros: Signal
    ends_group: Signal
    taken: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.LOAD_WEIGHTS)),
                "done": Out(1),
                "written": In(1),
                "settled": Out(1),
                "kernel": Out(KernelWritePort(config)),
                "address": Out(config.weight_word_bits),
                "data": In(8 * config.weight_port),
                "w": Out(stream.Signature(config.macro.write_layout)),
                "macros": Out(config.macros),
                "ends_group": Out(1),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reader = reader = RowReader(self.config)
        place: Any = reader.o.payload.place
        m.d.comb += [
            reader.descriptor.eq(self.descriptor),
            self.address.eq(reader.address),
            reader.data.eq(self.data),
            self.w.valid.eq(reader.o.valid & place.for_macro),
            # A group that the macro does not have is left out.
            reader.o.ready.eq(self.w.ready | ~place.for_macro),
            self.taken.eq(reader.o.valid & reader.o.ready),
            self.done.eq(self.taken & place.is_last),
            self.macros.eq(place.macros),
            self.ends_group.eq(place.ends_group),
            self.kernel.enable.eq(reader.o.valid & place.is_tap),
        ]
        self._offer(m, reader.o.payload.words, place)
        self._settle(m)
        with m.FSM():
            with m.State("Idle"), m.If(self.start):
                m.next = "Stream"
            with m.State("Stream"):
                m.d.comb += reader.run.eq(1)
                # Behind the last row there is none.
                with m.If(delayed(m, "ended", self.done, 1)):
                    m.next = "Idle"
        return m

    def _offer(self, m: Module, words: Value, place: Any) -> None:
        """The payload of the weight stream; a tap of a kernel, which is counted as groups are."""
        config, payload = self.config, self.w.payload
        weights, taps = payload.weights.as_value(), self.kernel.data.as_value()
        bank = self.descriptor.bank
        m.d.comb += [
            weights.eq(self._last(words, config.row_words)[: len(weights)]),
            payload.row.eq(place.row),
            payload.group.eq(place.group[: len(payload.group)]),
            payload.bank.eq(bank[: min(len(payload.bank), len(bank))]),
            taps.eq(self._last(words, config.tap_words)[: len(taps)]),
            self.kernel.address.eq(
                Cat(place.group[: bits_for(config.taps - 1)], bank[: exact_log2(TAP_BANKS)])
            ),
        ]

    def _last(self, words: Value, count: int) -> Value:
        """The last `count` words that came."""
        return words[-8 * self.config.weight_port * count :]

    def _settle(self, m: Module) -> None:
        """Count the cycles in which the macro fills the table of the row group just written."""
        if not self.config.macro.has_fill:
            m.d.comb += self.settled.eq(1)
            return
        filling = Signal(range(self.config.macro.fill_cycles))
        m.d.comb += self.settled.eq(~self.written & (filling == 0))
        with m.If(self.written):
            m.d.sync += filling.eq(self.config.macro.fill_cycles - 1)
        with m.Elif(filling != 0):
            m.d.sync += filling.eq(filling - 1)
