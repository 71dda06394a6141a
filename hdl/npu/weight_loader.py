# SPDX-License-Identifier: Apache-2.0
"""Weight loader: weights from their memory into the macro, row by row, or kernels, tap by tap."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .config import TAP_BANKS, NpuConfig
from .isa import Opcode, layout
from .ports import KernelWritePort

__all__ = ["WeightLoader"]


class WeightLoader(wiring.Component):
    """Reads rows word by word and offers each to the macro; a depthwise kernel's taps are rows too.

    The words of a row enter a shift register from the top. While it is offered the memory's output
    holds the first word of the next row: the address moves on only as a word enters. The kernels'
    memory takes every tap at once.

    Throughput: a word a cycle, so a row every ``config.row_words`` cycles where the macro takes
    them, a tap every ``config.tap_words``; a row group every ``config.load_interval`` cycles where
    nothing uses its bank. Latency: ``config.row_words + 1`` cycles from `start` to the first row.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.LOAD_WEIGHTS))
        Or a LOAD_TAPS, whose fields lie in the same places: taps in that of `groups`.
    done : Out(1)
        The last row is taken in this cycle. It holds up vectors that would meet weights of a
        table that is still being filled.
    settled : Out(1)
        No such table: a reset would leave the weights as they are.
    kernel : Out(KernelWritePort)
    address : Out(...)
        Word of the weight memory; its data comes in the next cycle.
    data : In(8 * config.weight_port)
    w : Out(stream of config.macro.write_layout)
    macros : Out(config.macros)
        Those that the row is for, a bit each.
    taken : Out(1)
        A row or tap goes, or would go to a row group that there is not.
    """

    start: Signal
    descriptor: data.View
    done: Signal
    settled: Signal
    kernel: Any
    address: Signal
    data: Signal
    w: stream.Interface
    macros: Signal
    taken: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.LOAD_WEIGHTS)),
                "done": Out(1),
                "settled": Out(1),
                "kernel": Out(KernelWritePort(config)),
                "address": Out(config.weight_word_bits),
                "data": In(8 * config.weight_port),
                "w": Out(stream.Signature(config.macro.write_layout)),
                "macros": Out(config.macros),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        first_word = exact_log2(config.weight_port)
        most_words = max(config.row_words, config.tap_words)
        # The word at the memory's output, and the words of the row that have come.
        position = Signal.like(self.address)
        count = Signal(range(most_words + 1))
        words = Signal(8 * config.weight_port * most_words, reset_less=True)
        row = Signal(range(config.macro.rows_per_group))
        group = Signal(16)
        left = Signal(16)
        is_kernel = Signal()
        is_full = Signal()
        enters = Signal()
        ends_group = Signal()
        m.d.comb += [
            is_kernel.eq(self.descriptor.opcode == Opcode.LOAD_TAPS),
            self.w.valid.eq(is_full & ~is_kernel & (group < config.macro.groups)),
            # A group that the macro does not have is left out.
            self.taken.eq(is_full & (is_kernel | self.w.ready | ~(group < config.macro.groups))),
            enters.eq(~is_full | self.taken),
            ends_group.eq(self.taken & (is_kernel | (row == config.macro.rows_per_group - 1))),
            is_full.eq(count == Mux(is_kernel, config.tap_words, config.row_words)),
            self.kernel.enable.eq(is_full & is_kernel),
        ]
        ends_turn = self._take_turns(m, ends_group)
        self._offer(m, words, row, group)
        self._offer_tap(m, words, group)
        self._settle(m, self.w.valid & ends_group)
        with m.FSM():
            with m.State("Idle"):
                first = self.descriptor.address[first_word:][: len(self.address)]
                m.d.comb += self.address.eq(first)
                m.d.sync += [
                    position.eq(first),
                    group.eq(self.descriptor.group),
                    left.eq((self.descriptor.groups - 1)[:16]),
                ]
                with m.If(self.start):
                    m.next = "Stream"
            with m.State("Stream"):
                following = (position + 1)[: len(position)]
                m.d.comb += self.address.eq(Mux(enters, following, position))
                m.d.sync += position.eq(self.address)
                with m.If(enters):
                    word_bits = len(self.data)
                    m.d.sync += [
                        words.eq(Cat(words, self.data)[word_bits:]),
                        count.eq(Mux(self.taken, 1, count + 1)[: len(count)]),
                    ]
                with m.If(self.taken):
                    m.d.sync += row.eq(Mux(ends_group, 0, row + 1)[: len(row)])
                with m.If(ends_group & ends_turn):
                    m.d.sync += [group.eq(group + 1), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.d.comb += self.done.eq(1)
                        m.d.sync += count.eq(0)
                        m.next = "Idle"
        return m

    def _take_turns(self, m: Module, ends_group: Value) -> Value:
        """The macros that are written; whether a row group is the last of those in turn."""
        config = self.config
        if config.macros == 1:
            m.d.comb += self.macros.eq(1)
            return Const(1, 1)
        fields = self.descriptor
        part = Signal(range(config.macros))
        everyone = (1 << config.macros) - 1
        chosen = fields.macros[: config.macros]
        ends_turn = Signal()
        m.d.comb += [
            self.macros.eq(Mux(chosen == 0, everyone, chosen << part)[: config.macros]),
            ends_turn.eq(part + 1 >= fields.parts),
        ]
        with m.If(ends_group):
            m.d.sync += part.eq(Mux(ends_turn, 0, part + 1)[: len(part)])
        return ends_turn

    def _offer(self, m: Module, words: Signal, row: Signal, group: Signal) -> None:
        """The payload of the weight stream."""
        payload = self.w.payload
        weights = payload.weights.as_value()
        bank_bits = min(len(payload.bank), len(self.descriptor.bank))
        m.d.comb += [
            weights.eq(self._last(words, self.config.row_words)[: len(weights)]),
            payload.row.eq(row),
            payload.group.eq(group[: len(payload.group)]),
            payload.bank.eq(self.descriptor.bank[:bank_bits]),
        ]

    def _offer_tap(self, m: Module, words: Signal, tap: Signal) -> None:
        """The tap of a kernel; taps are counted as groups are."""
        config = self.config
        tap_bits = bits_for(config.taps - 1)
        weights = self.kernel.data.as_value()
        m.d.comb += [
            weights.eq(self._last(words, config.tap_words)[: len(weights)]),
            self.kernel.address.eq(
                Cat(tap[:tap_bits], self.descriptor.bank[: exact_log2(TAP_BANKS)])
            ),
        ]

    def _last(self, words: Signal, count: int) -> Value:
        """The last `count` words that came."""
        return words[-8 * self.config.weight_port * count :]

    def _settle(self, m: Module, written: Value) -> None:
        """Count the cycles in which the macro fills the table of the row group just written."""
        if not self.config.macro.has_fill:
            m.d.comb += self.settled.eq(1)
            return
        filling = Signal(range(self.config.macro.fill_cycles + 1))
        m.d.comb += self.settled.eq(filling == 0)
        with m.If(written):
            m.d.sync += filling.eq(self.config.macro.fill_cycles)
        with m.Elif(~self.settled):
            m.d.sync += filling.eq(filling - 1)
