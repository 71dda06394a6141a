# SPDX-License-Identifier: Apache-2.0
"""The two kinds of serialisers: steps are planes of the inputs, or rows."""

from functools import partial
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.utils import exact_log2

from ..stamp import Stamp
from .config import MacroConfig
from .leading_zeros import LeadingZeros
from .plane_selector import PlaneSelector
from .serialiser import Serialiser, Step
from .step_choice import SHARED, StepChoice

__all__ = ["PlaneSerialiser", "RowSerialiser", "serialiser"]


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

    def _take_operand(self, m: Module, step: Step) -> None:
        vector, row = self.i.payload, self.read_request.payload.row
        shared = exact_log2(SHARED)
        in_step = exact_log2(self.config.bits_per_cycle)
        for first in range(0, self.config.rows, SHARED):
            rows = range(first, min(first + SHARED, self.config.rows))
            m.submodules[f"choice{first}"] = choice = StepChoice(self.config)
            m.submodules[f"rows{first}"] = part = self._selector(len(rows))
            # A signal of its own: generation takes time for every slice of the wide payload.
            words: Any = Signal(part.data.shape(), name=f"words{first}")
            low, high = rows.start * self.config.input_bits, rows.stop * self.config.input_bits
            m.d.comb += [
                choice.enable.eq(self.enable),
                choice.begin.eq(step.begin),
                choice.next_number.eq(step.next_number),
                choice.goes_on.eq(step.goes_on),
                choice.asks.eq(step.asks),
                choice.prefers_read.eq(step.prefers_read),
                choice.place.eq(row[:shared]),
                choice.elsewhere.eq(row[shared:] != first // SHARED),
                words.as_value().eq(vector.data.as_value()[low:high]),
                part.data.eq(words),
                part.enable.eq(self.enable),
                part.step.eq(choice.number),
                part.read.eq(choice.reads),
                part.low.eq(choice.low),
                part.clear.eq(choice.clear),
                part.extend.eq(step.number == step.top),
                part.top.eq(vector.top_plane[:in_step]),
                part.signed.eq(vector.signed),
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

    def _take_operand(self, m: Module, step: Step) -> None:
        config, vector = self.config, self.i.payload
        row = Signal(config.row_bits)
        with m.If(self.enable):
            m.d.sync += row.eq(self.read_request.payload.row)
        words = []
        for number in range(config.rows):
            value = Signal(config.input_bits, name=f"input{number}")
            m.d.comb += value.eq(vector.data[number])
            words.append(value)
        word = Signal(config.input_bits)
        sign = Signal()
        m.d.comb += word.eq(Array(words)[step.number])
        # Planes that `top_plane` can name beyond `input_bits` are zero.
        padded = [*word, *[Const(0, 1)] * ((1 << config.plane_bits) - config.input_bits)]
        m.d.comb += sign.eq(vector.signed & Array(padded)[vector.top_plane])
        above = [Mux(bit > vector.top_plane, sign, word[bit]) for bit in range(1, len(word))]
        exists = row < config.rows
        with m.If(self.enable):
            m.d.sync += [
                self.operand.value.eq(
                    Mux(step.reads, exists, Cat(word[0], *above, sign)).as_signed()
                ),
                self.operand.row.eq(Mux(step.reads, row, step.number)),
            ]


def serialiser(config: MacroConfig) -> Serialiser:
    """The serialiser for the configured cell."""
    kind = RowSerialiser if "row" in dict(config.operand_layout) else PlaneSerialiser
    return kind(config)
