# SPDX-License-Identifier: Apache-2.0
"""The macro's input side: vectors and read requests in, the operand of one step a cycle out."""

from functools import partial
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..stamp import Stamp
from .config import MacroConfig
from .leading_zeros import LeadingZeros
from .plane_selector import SHARED, PlaneSelector
from .tags import TagLayout

__all__ = ["PlaneSerialiser", "RowSerialiser", "Serialiser", "serialiser"]


class Serialiser(wiring.Component):
    """Takes vectors apart into steps.

    A vector stays on `i` while its steps are taken, so it needs no register here: the transfer
    happens with the last step. A row is read back as a vector of one step with a single one in it;
    that may happen between accumulations. Where vectors and requests wait at once, they take turns.

    Throughput: a step a cycle. Latency: 1 cycle from `i` to `operand`.

    Members
    -------
    i : In(stream of config.input_layout)
    read_request : In(stream of config.read_request_layout)
    enable : In(1)
        Nothing moves where it is low.
    hold : In(1)
        No vector and no read of bank `hold_bank` may begin.
    hold_bank : In(config.bank_bits)
    operand : Out(config.operand_layout)
        The step register; `bank` and `tag` belong to it.
    bank : Out(config.bank_bits)
    tag : Out(TagLayout(config))
    in_use : Out(1)
        A step of bank `hold_bank` meets the weights in this cycle or, as the vector has begun or
        begins now, in one of the next.
    waits : Out(1)
        A vector or read of bank `hold_bank` is there and has not begun.
    skipped : Out(32)
        Steps that zero planes have saved since the reset, modulo 2**32.
    """

    i: stream.Interface
    read_request: stream.Interface
    enable: Signal
    hold: Signal
    hold_bank: Signal
    operand: Any
    bank: Signal
    tag: data.View
    in_use: Signal
    waits: Signal
    skipped: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.input_layout)),
                "read_request": In(stream.Signature(config.read_request_layout)),
                "enable": In(1),
                "hold": In(1),
                "hold_bank": In(config.bank_bits),
                "operand": Out(config.operand_layout),
                "bank": Out(config.bank_bits),
                "tag": Out(TagLayout(config)),
                "in_use": Out(1),
                "waits": Out(1),
                "skipped": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vector, request = self.i.payload, self.read_request.payload
        vector_bank, request_bank = self.config.bank_of(vector), self.config.bank_of(request)

        # A vector between its first and last step, and the step that is next then.
        within = Signal()
        top, begin = self._first_steps(m)
        following = Signal.like(begin)
        accumulating = Signal()
        read_was_last = Signal()

        current = Signal.like(begin)
        launch = Signal()
        launch_read = Signal()
        may_begin = Signal()
        may_read = Signal()
        vector_held = self.hold & (vector_bank == self.hold_bank)
        request_held = self.hold & (request_bank == self.hold_bank)
        m.d.comb += [
            current.eq(Mux(within, following, begin)),
            may_begin.eq(self.i.valid & ~vector_held),
            may_read.eq(self.read_request.valid & ~within & ~accumulating & ~request_held),
            launch_read.eq(may_read & ~(may_begin & read_was_last)),
            launch.eq(within | (may_begin & ~launch_read)),
            self.i.ready.eq(self.enable & launch & (current == 0)),
            self.read_request.ready.eq(self.enable & launch_read),
        ]
        opens, closes = self._bounds(vector)
        with m.If(self.enable & launch):
            m.d.sync += [
                within.eq(current != 0),
                following.eq(current - 1),
                read_was_last.eq(0),
            ]
            with m.If(current == 0):
                m.d.sync += accumulating.eq(~closes)
            if self.config.skip_zero_planes:
                with m.If(~within):
                    saved = (top - begin)[: len(begin)]
                    m.d.sync += self.skipped.eq((self.skipped + saved)[:32])
        with m.If(self.enable & launch_read):
            m.d.sync += read_was_last.eq(1)

        launched_bank = Mux(launch_read, request_bank, vector_bank)
        m.d.comb += [
            self.in_use.eq(
                (self.tag.valid & (self.bank == self.hold_bank))
                | ((launch | launch_read) & (launched_bank == self.hold_bank))
            ),
            self.waits.eq(
                (self.i.valid & (vector_bank == self.hold_bank))
                | (self.read_request.valid & (request_bank == self.hold_bank))
            ),
        ]
        self._take_operand(m, current, top, launch_read)
        with m.If(self.enable):
            m.d.sync += [
                self.tag.valid.eq(launch | launch_read),
                self.tag.last.eq(launch_read | (current == 0)),
                self.tag.negative.eq(self._is_negative(vector, current == top) & ~launch_read),
                self.tag.opens.eq(launch_read | opens),
                self.tag.closes.eq(launch_read | closes),
                self.tag.reads.eq(launch_read),
                self.tag.fused.eq(Mux(launch_read, 0, vector.fused)),
                self.bank.eq(launched_bank),
            ]
        return m

    def _bounds(self, vector: data.View) -> tuple[Value, Value]:
        """Whether the vector is the first and the last of its accumulation."""
        if self.config.accumulations == 1:
            return Const(1, 1), Const(1, 1)
        return vector.first, vector.last

    def _first_steps(self, m: Module) -> tuple[Value, Value]:
        """The number of the vector's top step, and of the one it begins with; the last is 0."""
        raise NotImplementedError

    def _is_negative(self, vector: data.View, is_top: Value) -> Value:
        """Whether the step counts negative."""
        raise NotImplementedError

    def _take_operand(self, m: Module, current: Signal, top: Value, read: Signal) -> None:
        """Register the operand of step `current`, or that which reads a row back."""
        raise NotImplementedError


class PlaneSerialiser(Serialiser):
    """Steps are planes, `bits_per_cycle` at once, the most significant first.

    Where `skip_zero_planes` is set, a vector begins with the first step in which any input has a
    one.
    """

    def _first_steps(self, m: Module) -> tuple[Value, Value]:
        shift = exact_log2(self.config.bits_per_cycle)
        vector = self.i.payload
        bits = self.config.step_number_bits
        top = Signal(bits)
        m.d.comb += top.eq(vector.top_plane[shift:])
        if not self.config.skip_zero_planes:
            return top, top
        m.submodules.zeros = zeros = LeadingZeros(self.config)
        m.d.comb += [zeros.data.eq(vector.data), zeros.top_plane.eq(vector.top_plane)]
        begin = Signal(bits)
        m.d.comb += begin.eq(zeros.first_plane[shift:])
        return top, begin

    def _is_negative(self, vector: data.View, is_top: Value) -> Value:
        return vector.signed & is_top

    def _take_operand(self, m: Module, current: Signal, top: Value, read: Signal) -> None:
        vector, request = self.i.payload, self.read_request.payload
        shared = exact_log2(SHARED)
        in_step = exact_log2(self.config.bits_per_cycle)
        for first in range(0, self.config.rows, SHARED):
            rows = range(first, min(first + SHARED, self.config.rows))
            m.submodules[f"rows{first}"] = part = self._selector(len(rows))
            # A signal of its own: generation takes time for every slice of the wide payload.
            words: Any = Signal(part.data.shape(), name=f"words{first}")
            low, high = rows.start * self.config.input_bits, rows.stop * self.config.input_bits
            m.d.comb += [
                words.as_value().eq(vector.data.as_value()[low:high]),
                part.data.eq(words),
                part.enable.eq(self.enable),
                part.step.eq(current),
                part.extend.eq(current == top),
                part.top.eq(vector.top_plane[:in_step]),
                part.signed.eq(vector.signed),
                part.read.eq(read),
                part.place.eq(request.row[:shared]),
                part.clear.eq(self.enable & read & (request.row[shared:] != first // SHARED)),
            ]
            m.d.comb += [
                plane[first : rows.stop].eq(bits)
                for plane, bits in zip(self.operand, part.o, strict=True)
            ]

    def _selector(self, rows: int) -> Any:
        return Stamp(
            key=(PlaneSelector, self.config.digest(), rows),
            kind=f"rows{rows}",
            signature=PlaneSelector.signature_for(self.config, rows),
            build=partial(PlaneSelector, self.config, rows),
        )


class RowSerialiser(Serialiser):
    """Steps are rows, the last one first: an input and its row's number."""

    def _first_steps(self, m: Module) -> tuple[Value, Value]:
        begin = Const(self.config.rows - 1, self.config.row_bits)
        return begin, begin

    def _is_negative(self, vector: data.View, is_top: Value) -> Value:
        return Const(0, 1)

    def _take_operand(self, m: Module, current: Signal, top: Value, read: Signal) -> None:
        config, vector = self.config, self.i.payload
        words = []
        for row in range(config.rows):
            value = Signal(config.input_bits, name=f"input{row}")
            m.d.comb += value.eq(vector.data[row])
            words.append(value)
        word = Signal(config.input_bits)
        sign = Signal()
        m.d.comb += word.eq(Array(words)[current])
        # Planes that `top_plane` can name beyond `input_bits` are zero.
        padded = [*word, *[Const(0, 1)] * ((1 << config.plane_bits) - config.input_bits)]
        m.d.comb += sign.eq(vector.signed & Array(padded)[vector.top_plane])
        above = [Mux(bit > vector.top_plane, sign, word[bit]) for bit in range(1, len(word))]
        exists = self.read_request.payload.row < config.rows
        with m.If(self.enable):
            m.d.sync += [
                self.operand.value.eq(Mux(read, exists, Cat(word[0], *above, sign)).as_signed()),
                self.operand.row.eq(Mux(read, self.read_request.payload.row, current)),
            ]


def serialiser(config: MacroConfig) -> Serialiser:
    """The serialiser for the configured cell."""
    kind = RowSerialiser if "row" in dict(config.operand_layout) else PlaneSerialiser
    return kind(config)
