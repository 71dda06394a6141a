# SPDX-License-Identifier: Apache-2.0
"""The registers that choose which bits of some rows' inputs belong to a step."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..keep import keep_where
from .config import MacroConfig

__all__ = ["SHARED", "StepChoice"]

#: Rows for which steps are chosen together: as many as an FPGA's flip-flops that share a reset.
SHARED = 8


class StepChoice(wiring.Component):
    """The number of the step, and whether it is none of a vector but reads a row back.

    All of it is known a cycle before, but for the step with which a vector begins. What chooses
    reaches every bit of the rows' inputs, a long way: it sets out from registers, of which each
    group of rows has its own where ``config.broadcast_registers`` is 1.

    Latency: 1 cycle from the inputs but `begin`, which counts at once.

    Members
    -------
    enable : In(1)
        The registers keep their values where it is low.
    begin : In(config.step_number_bits)
        Number of the step with which the vector that is offered begins.
    next_number : In(config.step_number_bits)
        Number of the step after this one.
    goes_on : In(1)
        This step is taken, and the vector has more.
    asks : In(1)
        The next step reads a row back.
    prefers_read : In(1)
        High where `asks` is, low where `goes_on` is.
    place : In(log2(SHARED))
        That row's place in its group.
    elsewhere : In(1)
        It is a row of another group.
    number : Out(config.step_number_bits)
        Number of the step; where `reads` is set, without meaning.
    reads : Out(1)
        The step reads a row back.
    low : Out(SHARED)
        For each row the lowest bit of `number`; where `reads` is set, whether the row is read.
    clear : Out(1)
        The step reads a row of another group, and `enable` is set.
    """

    enable: Signal
    begin: Signal
    next_number: Signal
    goes_on: Signal
    asks: Signal
    prefers_read: Signal
    place: Signal
    elsewhere: Signal
    number: Signal
    reads: Signal
    low: Signal
    clear: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        number = config.step_number_bits
        super().__init__(
            {
                "enable": In(1),
                "begin": In(number),
                "next_number": In(number),
                "goes_on": In(1),
                "asks": In(1),
                "prefers_read": In(1),
                "place": In(exact_log2(SHARED)),
                "elsewhere": In(1),
                "number": Out(number),
                "reads": Out(1),
                "low": Out(SHARED),
                "clear": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        keep = keep_where(self.config.broadcast_registers)
        within = Signal(attrs=keep)
        high = Signal(len(self.number) - 1, attrs=keep)
        lowest = Signal(SHARED, attrs=keep)
        reading = Signal(attrs=keep)
        absent = Signal(attrs=keep)
        is_known = Signal()
        with m.If(self.enable):
            m.d.sync += [
                within.eq(self.goes_on),
                high.eq(self.next_number[1:]),
                reading.eq(self.asks),
                absent.eq(self.elsewhere),
                *(
                    bit.eq(Mux(self.prefers_read, self.place == row, self.next_number[0]))
                    for row, bit in enumerate(lowest)
                ),
            ]
        m.d.comb += [
            is_known.eq(within | reading),
            self.low.eq(Mux(is_known, lowest, self.begin[0].replicate(SHARED))),
            self.number[0].eq(self.low[0]),
            self.reads.eq(reading),
            self.clear.eq(self.enable & reading & absent),
        ]
        if len(high):
            m.d.comb += self.number[1:].eq(Mux(is_known, high, self.begin[1:]))
        return m
