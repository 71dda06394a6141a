# SPDX-License-Identifier: Apache-2.0
"""The registers that choose which bits of some rows' inputs belong to a step."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..keep import keep_where
from .config import MacroConfig

__all__ = ["CHOSEN", "SHARED", "StepChoice"]

#: Rows whose part of the step register is cleared together: as many as an FPGA's flip-flops that
#: share a reset.
SHARED = 8

#: Such parts for which steps are chosen together.
CHOSEN = 3


class StepChoice(wiring.Component):
    """The number of the step, and whether it is none of a vector but reads a row back.

    All of it is known a cycle before, but for the step with which a vector begins. What chooses
    reaches every bit of the rows' inputs, a long way: it sets out from registers, of which each
    group of rows has its own where ``config.broadcast_registers`` is 1. A vector stays as long as
    its steps are taken, so the lowest bit, which reaches the most, is the one with which it begins,
    and the opposite in every other step: no register of it waits for the number.

    Latency: 1 cycle from the inputs but `begin`, which counts at once.

    Parameters
    ----------
    config : MacroConfig
    parts : int
        Parts of the step register, of up to `SHARED` rows each.

    Members
    -------
    enable : In(1)
        The registers keep their values where it is low.
    begin : In(config.step_number_bits)
        Number of the step with which the vector that is offered begins.
    next_high : In(config.step_number_bits - 1)
        Number of the step after this one, without its lowest bit.
    next_odd : In(1)
        If a vector goes on then, it is an odd number of steps after its first.
    goes_on : In(1)
        This step is taken, and the vector has more.
    asks : In(1)
        The next step reads a row back.
    place : In(log2(SHARED))
        That row's place in its part.
    elsewhere : In(parts)
        For each part, whether it is a row of another one.
    number : Out(config.step_number_bits)
        Number of the step; where `reads` is set, without meaning.
    reads : Out(1)
        The step reads a row back.
    low : Out(SHARED)
        For each row the lowest bit of `number`; where `reads` is set, whether the row is read.
    clear : Out(parts)
        For each part, whether the step reads a row of another one.
    """

    enable: Signal
    begin: Signal
    next_high: Signal
    next_odd: Signal
    goes_on: Signal
    asks: Signal
    place: Signal
    elsewhere: Signal
    number: Signal
    reads: Signal
    low: Signal
    clear: Signal

    def __init__(self, config: MacroConfig, parts: int) -> None:
        self.config = config
        number = config.step_number_bits
        super().__init__(
            {
                "enable": In(1),
                "begin": In(number),
                "next_high": In(number - 1),
                "next_odd": In(1),
                "goes_on": In(1),
                "asks": In(1),
                "place": In(exact_log2(SHARED)),
                "elsewhere": In(parts),
                "number": Out(number),
                "reads": Out(1),
                "low": Out(SHARED),
                "clear": Out(parts),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        keep = keep_where(self.config.broadcast_registers)
        odd = Signal(attrs=keep)
        reading = Signal(attrs=keep)
        here = Signal(SHARED, attrs=keep)
        clearing = Signal(len(self.elsewhere), attrs=keep)
        with m.If(self.enable):
            m.d.sync += [
                odd.eq(self.goes_on & self.next_odd),
                reading.eq(self.asks),
                here.eq(Cat(self.place == row for row in range(SHARED))),
                clearing.eq(Mux(self.asks, self.elsewhere, 0)),
            ]
        m.d.comb += [
            self.low.eq(Mux(reading, here, (self.begin[0] ^ odd).replicate(SHARED))),
            self.number[0].eq(self.low[0]),
            self.reads.eq(reading),
            self.clear.eq(clearing),
        ]
        if len(self.next_high):
            within = Signal(attrs=keep)
            high = Signal(len(self.next_high), attrs=keep)
            with m.If(self.enable):
                m.d.sync += [within.eq(self.goes_on), high.eq(self.next_high)]
            m.d.comb += self.number[1:].eq(Mux(within, high, self.begin[1:]))
        return m
