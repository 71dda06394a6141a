# SPDX-License-Identifier: Apache-2.0
"""What turns the sums of planes into dot products, and dot products into an output."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..narrow import narrow
from .add_sub import AddSub
from .config import Cell, MacroConfig

__all__ = ["Accumulator", "AccumulatorControl", "VectorSum"]


def AccumulatorControl() -> data.StructLayout:
    """What accumulators do with the sum of a step, in this cycle.

    ``adds``: it arrives, and nothing holds it up. ``completes``: it is its vector's last, and the
    running sum returns to zero; that is so after a reset too. ``negative``: it counts negative, as
    the sign plane of signed inputs; never where a cycle has several planes.
    """
    return data.StructLayout({"adds": 1, "completes": 1, "negative": 1})


class Accumulator(wiring.Component):
    """One column's shift-accumulator, and the register that keeps its result.

    Planes come most significant first: ``sum = 2**bits_per_cycle * running +- step_sum``. The last
    sum of a vector goes to the output register, while the running sum returns to zero: so there is
    nothing to choose at a vector's first step, and sum and shift share one carry chain.

    Latency: 1 cycle from the last step's sum to `o`. Throughput: a step a cycle.

    Members
    -------
    step_sum : In(signed(config.step_sum_bits))
        The sum of a step; where ``config.inverts_in_tree``, one that counts negative is inverted.
    control : In(AccumulatorControl())
        What to do with it.
    o : Out(signed(config.column_bits))
        The dot product.
    """

    step_sum: Signal
    control: data.View
    o: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "step_sum": In(signed(config.step_sum_bits)),
                "control": In(AccumulatorControl()),
                "o": Out(signed(config.column_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        # A row's product has all its bits at once, and is not doubled.
        doublings = 0 if config.cell is Cell.NEAR else config.bits_per_cycle
        running = Signal(signed(config.column_bits), reset_less=True)
        total = Signal.like(running)
        # What is cut off are sign bits: the width holds every dot product, and each step to it.
        shifted = narrow(running << doublings, running.shape())
        if config.bits_per_cycle == 1 and doublings:
            m.submodules.adder = adder = AddSub(
                config, len(running), inverted=config.inverts_in_tree
            )
            m.d.comb += [
                adder.a.eq(shifted),
                adder.b.eq(self.step_sum),
                adder.subtract.eq(self.control.negative),
                total.eq(adder.o),
            ]
        else:
            m.d.comb += total.eq(narrow(shifted + self.step_sum, running.shape()))
        output = Signal.like(self.o, reset_less=True)
        m.d.comb += self.o.eq(output)
        # Clearing stands outside of what enables, so that it is the flip-flops' own reset.
        with m.If(self.control.adds):
            m.d.sync += running.eq(total)
        with m.If(self.control.completes):
            m.d.sync += [running.eq(0), output.eq(total)]
        return m


class VectorSum(wiring.Component):
    """One column's sum over the vectors of an accumulation.

    ``o' = (0 if first else o) + dot``. Latency: 1 cycle. Throughput: a vector a cycle.

    Members
    -------
    enable : In(1)
    dot : In(signed(config.dot_bits))
    valid : In(1)
        A dot product arrives.
    first : In(1)
        It is the first of its accumulation.
    o : Out(signed(config.output_bits))
    """

    enable: Signal
    dot: Signal
    valid: Signal
    first: Signal
    o: Signal

    def __init__(self, config: MacroConfig) -> None:
        super().__init__(
            {
                "enable": In(1),
                "dot": In(signed(config.dot_bits)),
                "valid": In(1),
                "first": In(1),
                "o": Out(signed(config.output_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        output = Signal.like(self.o, reset_less=True)
        m.d.comb += self.o.eq(output)
        with m.If(self.enable & self.valid):
            total = Mux(self.first, 0, output) + self.dot
            m.d.sync += output.eq(narrow(total, output.shape()))
        return m
