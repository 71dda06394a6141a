# SPDX-License-Identifier: Apache-2.0
"""Some rows' share of the step register: one bit of each input, for each plane of the step."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .bit_selector import BitSelector
from .config import MacroConfig
from .step_choice import SHARED

__all__ = ["PlaneSelector"]


class PlaneSelector(wiring.Component):
    """Registers the bits of a step for up to `SHARED` rows, or the row to read back.

    A row to be read back is named by its place among its neighbours; the selectors that it does not
    belong to are cleared.

    Latency: 1 cycle.

    Parameters
    ----------
    config : MacroConfig
    rows : int

    Members
    -------
    enable : In(1)
        The registers keep their values where it is low.
    data : In(ArrayLayout(config.input_bits, rows))
    step, read, low, clear
        Which step it is, as `number`, `reads`, `low` and `clear` of `StepChoice`. Step number n
        takes the planes from ``n * bits_per_cycle`` on.
    extend : In(1)
        It is the step of the top plane; the planes above are copies of it, or zero.
    top : In(log2(bits_per_cycle))
        The place of the top plane in that step.
    signed : In(1)
    o : Out(ArrayLayout(rows, config.bits_per_cycle))
    """

    enable: Signal
    data: Any
    step: Signal
    extend: Signal
    top: Signal
    signed: Signal
    read: Signal
    low: Signal
    clear: Signal
    o: Any

    def __init__(self, config: MacroConfig, rows: int) -> None:
        self.config = config
        self.rows = rows
        super().__init__(self.signature_for(config, rows))

    @staticmethod
    def signature_for(config: MacroConfig, rows: int) -> wiring.Signature:
        """The signature, without building the block."""
        return wiring.Signature(
            {
                "enable": In(1),
                "data": In(data.ArrayLayout(config.input_bits, rows)),
                "step": In(config.step_number_bits),
                "extend": In(1),
                "top": In(exact_log2(config.bits_per_cycle)),
                "signed": In(1),
                "read": In(1),
                "low": In(SHARED),
                "clear": In(1),
                "o": Out(data.ArrayLayout(rows, config.bits_per_cycle)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows = range(self.rows)
        if self.config.bits_per_cycle == 1:
            planes = [[self._bit(m, row) for row in rows]]
        else:
            digits = [self._digit(m, row) for row in rows]
            # One plane is enough to read.
            named = [[self.low[row] for row in rows], *[[0] * self.rows] * (len(self.o) - 1)]
            planes = [
                [Mux(self.read, named[plane][row], digits[row][plane]) for row in rows]
                for plane in range(len(named))
            ]
        for plane, (bits, o) in enumerate(zip(planes, self.o, strict=True)):
            # A reset beside the clearing would cost a LUT; what is here needs none, as its tag
            # says whether it is looked at.
            register = Signal(self.rows, name=f"plane{plane}", reset_less=True)
            m.d.comb += o.eq(register)
            with m.If(self.enable):
                m.d.sync += register.eq(Cat(*bits))
                with m.If(self.clear):
                    m.d.sync += register.eq(0)
        return m

    def _word(self, m: Module, row: int) -> Signal:
        # A signal of its own: generation takes time for every slice of a wide port.
        word = Signal(self.config.input_bits, name=f"input{row}")
        m.d.comb += word.eq(self.data[row])
        return word

    def _bit(self, m: Module, row: int) -> Value:
        """The bit of one input that belongs to the step, or whether the row is the one to read."""
        selector = BitSelector(self.config)
        m.submodules[f"selector{row}"] = selector
        m.d.comb += [
            selector.data.eq(self._word(m, row)),
            selector.low.eq(self.low[row]),
            selector.high.eq(self.step[1:]),
            selector.read.eq(self.read),
        ]
        return selector.o

    def _digit(self, m: Module, row: int) -> Value:
        """The bits of one input that belong to the step."""
        planes = self.config.bits_per_cycle
        # Planes that a vector can name beyond `input_bits` are zero.
        padding = Const(0, (planes << len(self.step)) - self.config.input_bits)
        digit = Signal(planes, name=f"digit{row}")
        m.d.comb += digit.eq(Cat(self._word(m, row), padding).word_select(self.step, planes))
        sign = self.signed & digit.bit_select(self.top, 1)
        extended = Signal.like(digit, name=f"extended{row}")
        m.d.comb += extended[0].eq(digit[0])
        for bit in range(1, planes):
            m.d.comb += extended[bit].eq(Mux(self.extend & (bit > self.top), sign, digit[bit]))
        return extended
