# SPDX-License-Identifier: Apache-2.0
"""The two kinds of serialisers: steps are planes of the inputs, or rows."""

from collections.abc import Sequence
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
from .step_choice import CHOSEN, SHARED, StepChoice

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
        if self.config.input_bits == 1:
            # Their only plane is never skipped; any that `top_plane` names above it is zero.
            return top, Const(0, bits)
        m.submodules.zeros = zeros = LeadingZeros(self.config)
        m.d.comb += [zeros.data.eq(vector.data), zeros.top_plane.eq(vector.top_plane)]
        begin = Signal(bits)
        m.d.comb += begin.eq(zeros.first_plane[shift:])
        return top, begin

    def _is_negative(self, vector: data.View, is_top: Value) -> Value:
        return vector.signed & is_top

    def _take_operand(self, m: Module, step: Step) -> None:
        odd = Signal()
        next_odd = ~(step.within & odd)
        with m.If(self.enable):
            m.d.sync += odd.eq(next_odd)
        starts = range(0, self.config.rows, SHARED)
        for index in range(0, len(starts), CHOSEN):
            parts = starts[index : index + CHOSEN]
            choice = self._choice(m, step, next_odd, parts)
            for part, first in enumerate(parts):
                self._take_rows(m, step, choice, part, first)

    def _choice(
        self, m: Module, step: Step, next_odd: Value, parts: Sequence[int]
    ) -> StepChoice:
        """What some parts of the step register share; each is named by its first row."""
        choice = StepChoice(self.config, len(parts))
        m.submodules[f"choice{parts[0]}"] = choice
        row = self.read_request.payload.row
        shared = exact_log2(SHARED)
        m.d.comb += [
            choice.enable.eq(self.enable),
            choice.begin.eq(step.begin),
            choice.next_high.eq(step.next_number[1:]),
            choice.next_odd.eq(next_odd),
            choice.goes_on.eq(step.goes_on),
            choice.asks.eq(step.asks),
            choice.place.eq(row[:shared]),
            choice.elsewhere.eq(Cat(row[shared:] != first // SHARED for first in parts)),
        ]
        return choice

    def _take_rows(self, m: Module, step: Step, choice: StepChoice, part: int, first: int) -> None:
        """Register one part of the operand, of the rows from `first` on."""
        vector = self.i.payload
        in_step = exact_log2(self.config.bits_per_cycle)
        last = min(first + SHARED, self.config.rows)
        m.submodules[f"rows{first}"] = rows = self._selector(last - first)
        # A signal of its own: generation takes time for every slice of the wide payload.
        words: Any = Signal(rows.data.shape(), name=f"words{first}")
        low, high = first * self.config.input_bits, last * self.config.input_bits
        m.d.comb += [
            words.as_value().eq(vector.data.as_value()[low:high]),
            rows.data.eq(words),
            rows.enable.eq(self.enable),
            rows.step.eq(choice.number),
            rows.read.eq(choice.reads),
            rows.low.eq(choice.low),
            rows.clear.eq(choice.clear[part]),
            rows.extend.eq(step.is_top),
            rows.top.eq(vector.top_plane[:in_step]),
            rows.signed.eq(vector.signed),
        ]
        m.d.comb += [
            plane[first:last].eq(bits) for plane, bits in zip(self.operand, rows.o, strict=True)
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
