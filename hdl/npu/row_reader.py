# SPDX-License-Identifier: Apache-2.0
"""Row reader: rows of weights and taps of kernels from the weight memory, and where each goes."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .config import NpuConfig
from .isa import Opcode, layout
from .latency import WEIGHT_CYCLES, WEIGHT_WORDS

__all__ = ["LoadedRow", "RowPlace", "RowReader"]

#: Rows that can wait: one is offered while the next is read.
_SLOTS = 2


class RowPlace(data.StructLayout):
    """Where a row of weights or a kernel's tap goes.

    ``group`` is a row group's number or a tap's, which means nothing where the macro does not have
    the group. ``macros`` are those that it is for, a bit each. ``for_macro``: it is a row of a
    group that the macro has; ``is_tap``: it is a tap. ``ends_group``, ``is_last``: it is the last
    row of its group, of the descriptor.
    """

    def __init__(self, config: NpuConfig) -> None:
        super().__init__(
            {
                "row": range(config.macro.rows_per_group),
                "group": bits_for(max(config.macro.groups, config.taps) - 1),
                "macros": config.macros,
                "for_macro": 1,
                "is_tap": 1,
                "ends_group": 1,
                "is_last": 1,
            }
        )


class LoadedRow(data.StructLayout):
    """The words of a row or tap, the last one on top, and its place."""

    def __init__(self, config: NpuConfig) -> None:
        words = max(config.row_words, config.tap_words)
        super().__init__({"words": 8 * config.weight_port * words, "place": RowPlace(config)})


class RowReader(wiring.Component):
    """Reads the rows of a LOAD_WEIGHTS or LOAD_TAPS word by word, each into one of two registers.

    All that it does follows from registers, not from whether a row is taken in this cycle: the
    next one is read meanwhile. Words are asked for as long as there is room for them in a queue;
    nothing enters a row from there behind the last one.

    Latency: from `run` as many cycles to the first row as it has words, and ``WEIGHT_CYCLES + 1``.
    Throughput: a word a cycle.

    Members
    -------
    run : In(1)
        Rows are read; while it is low there are none, and the first word is asked for.
    descriptor : In(layout(Opcode.LOAD_WEIGHTS))
        To be there from the cycle before `run` on.
    address : Out(...)
        Word of the weight memory; its data comes `WEIGHT_CYCLES` later.
    data : In(8 * config.weight_port)
    o : Out(stream of LoadedRow)
    """

    run: Signal
    descriptor: data.View
    address: Signal
    data: Signal
    o: stream.Interface

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "run": In(1),
                "descriptor": In(layout(Opcode.LOAD_WEIGHTS)),
                "address": Out(config.weight_word_bits),
                "data": In(8 * config.weight_port),
                "o": Out(stream.Signature(LoadedRow(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        # Rows that are whole; whether the last has been read.
        there = Signal(range(_SLOTS + 1))
        ended = Signal()
        is_tap = Signal()
        m.d.sync += is_tap.eq(self.descriptor.opcode == Opcode.LOAD_TAPS)
        words = self._read(m)
        enters = Signal()
        completes = Signal()
        place = self._place(m, is_tap, completes)
        taken = Signal()
        count = Signal(range(max(config.row_words, config.tap_words)))
        most = Mux(is_tap, config.tap_words - 1, config.row_words - 1)
        # Both known from registers, as the rows' many hear of it: a word, and room for it.
        has_word, has_room = Signal(), Signal()
        will_be_there, will_end = Signal.like(there), Signal()
        m.d.comb += [
            enters.eq(has_room & has_word),
            words.r_en.eq(enters),
            completes.eq(enters & (count == most)),
            taken.eq(self.o.valid & self.o.ready),
            self.o.valid.eq(self.run & (there != 0)),
            will_be_there.eq(Mux(self.run, there + completes - taken, 0)[: len(there)]),
            will_end.eq(self.run & (ended | (completes & place.is_last))),
        ]
        m.d.sync += [
            there.eq(will_be_there),
            ended.eq(will_end),
            has_room.eq((will_be_there != _SLOTS) & ~will_end),
            has_word.eq(self.run & ((words.level + words.w_en - enters) != 0)),
        ]
        with m.If(~self.run):
            m.d.sync += count.eq(0)
        with m.Elif(enters):
            m.d.sync += count.eq(Mux(completes, 0, count + 1)[: len(count)])
        self._keep(m, words.r_data, place, enters, completes, taken)
        return m

    def _read(self, m: Module) -> Any:
        """The queue of the words that have come; those under way as `run` ends are dropped."""
        words: Any = fifo.SyncFIFO(width=len(self.data), depth=WEIGHT_WORDS)
        m.submodules.queue = ResetInserter(~self.run)(words)
        coming = Signal(WEIGHT_CYCLES)
        asks = Signal()
        m.d.comb += [
            # Room for this word and for all that are under way.
            asks.eq(self.run & (words.level < WEIGHT_WORDS - WEIGHT_CYCLES)),
            words.w_en.eq(coming[-1]),
            words.w_data.eq(self.data),
        ]
        first = self.descriptor.address[exact_log2(self.config.weight_port) :]
        with m.If(~self.run):
            m.d.sync += [self.address.eq(first[: len(self.address)]), coming.eq(0)]
        with m.Else():
            m.d.sync += [
                self.address.eq((self.address + asks)[: len(self.address)]),
                coming.eq(Cat(asks, coming)[:WEIGHT_CYCLES]),
            ]
        return words

    def _place(self, m: Module, is_tap: Value, completes: Value) -> Any:
        """Where the row that is being read goes."""
        config, fields = self.config, self.descriptor
        row = Signal(range(config.macro.rows_per_group))
        group = Signal(16)
        left = Signal(16)
        place: Any = Signal(RowPlace(config))
        ends_turn = self._take_turns(m, completes & place.ends_group, place)
        m.d.comb += [
            place.row.eq(row),
            place.group.eq(group[: len(place.group)]),
            place.for_macro.eq(~is_tap & (group < config.macro.groups)),
            place.is_tap.eq(is_tap),
            place.ends_group.eq(is_tap | (row == config.macro.rows_per_group - 1)),
            place.is_last.eq(place.ends_group & ends_turn & (left == 0)),
        ]
        with m.If(~self.run):
            m.d.sync += [row.eq(0), group.eq(fields.group), left.eq((fields.groups - 1)[:16])]
        with m.Elif(completes):
            m.d.sync += row.eq(Mux(place.ends_group, 0, row + 1)[: len(row)])
            with m.If(place.ends_group & ends_turn):
                m.d.sync += [group.eq(group + 1), left.eq(left - 1)]
        return place

    def _take_turns(self, m: Module, ends_group: Value, place: Any) -> Value:
        """The macros that are written; whether a row group is the last of those in turn."""
        config, fields = self.config, self.descriptor
        if config.macros == 1:
            m.d.comb += place.macros.eq(1)
            return Const(1, 1)
        part = Signal(range(config.macros))
        everyone = (1 << config.macros) - 1
        chosen = fields.macros[: config.macros]
        ends_turn = Signal()
        m.d.comb += [
            place.macros.eq(Mux(chosen == 0, everyone, chosen << part)[: config.macros]),
            ends_turn.eq(part + 1 >= fields.parts),
        ]
        with m.If(~self.run):
            m.d.sync += part.eq(0)
        with m.Elif(ends_group):
            m.d.sync += part.eq(Mux(ends_turn, 0, part + 1)[: len(part)])
        return ends_turn

    def _keep(
        self, m: Module, word: Value, place: Any, enters: Value, completes: Value, taken: Value
    ) -> None:
        """Rows fill their registers from the top, one register after the other."""
        slots = [
            Signal(LoadedRow(self.config), name=f"slot{slot}", reset_less=True)
            for slot in range(_SLOTS)
        ]
        fills = Signal(range(_SLOTS))
        offers = Signal(range(_SLOTS))
        for index, slot in enumerate(slots):
            row: Any = slot
            with m.If(enters & (fills == index)):
                m.d.sync += [
                    row.place.eq(place),
                    row.words.eq(Cat(row.words, word)[len(word) :]),
                ]
        m.d.comb += self.o.payload.eq(Array(slots)[offers])
        with m.If(~self.run):
            m.d.sync += [fills.eq(0), offers.eq(0)]
        with m.Else():
            m.d.sync += [fills.eq(fills + completes), offers.eq(offers + taken)]
