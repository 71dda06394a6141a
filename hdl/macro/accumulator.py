# SPDX-License-Identifier: Apache-2.0
"""What turns the sums of planes into a dot product, and dot products into an output."""

# The fields of a data.Struct are annotated with their widths, which are no types.
# pyright: reportGeneralTypeIssues=false

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..narrow import narrow
from .config import MacroConfig

__all__ = ["Accumulator", "PlaneControl", "VectorControl"]


class PlaneControl(data.Struct):
    """What the shift-accumulator does with the plane sum that arrives."""

    #: A plane sum arrives.
    valid: 1
    #: It belongs to the most significant plane of its vector.
    first: 1
    #: It is the sign plane of signed inputs, which counts negative.
    negative: 1


class VectorControl(data.Struct):
    """What the output register does with the dot product that is complete."""

    #: A dot product is complete.
    valid: 1
    #: It is the first of its accumulation.
    first: 1


class Accumulator(wiring.Component):
    """One column's shift-accumulator and output register.

    Planes come most significant first: ``dot' = (0 if first else 2 * dot) +- plane_sum``; a dot
    product that is complete is added to the output: ``output' = (0 if first else output) + dot``.

    Latency: 1 cycle from plane sum to dot product, 1 to the output. Throughput: a plane a cycle.

    Parameters
    ----------
    config : MacroConfig

    Members
    -------
    enable : In(1)
        Everything keeps its value where it is low.
    plane_sum : In(signed(config.plane_sum_bits))
    plane : In(PlaneControl)
        Belongs to `plane_sum` of the same cycle.
    vector : In(VectorControl)
        Belongs to the dot product that the plane sums up to the cycle before have made.
    o : Out(signed(config.output_bits))
    """

    enable: Signal
    plane_sum: Signal
    plane: data.View
    vector: data.View
    o: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "plane_sum": In(signed(config.plane_sum_bits)),
                "plane": In(PlaneControl),
                "vector": In(VectorControl),
                "o": Out(signed(config.output_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # What is cut off below are sign bits: the widths hold every dot product and output, and
        # each step towards them.
        dot = Signal(signed(self.config.dot_bits), reset_less=True)
        doubled = Signal.like(dot)
        m.d.comb += doubled.eq(Mux(self.plane.first, 0, narrow(dot << 1, dot.shape())))
        with m.If(self.enable & self.plane.valid):
            following = Mux(self.plane.negative, doubled - self.plane_sum, doubled + self.plane_sum)
            m.d.sync += dot.eq(narrow(following, dot.shape()))

        output = Signal.like(self.o, reset_less=True)
        m.d.comb += self.o.eq(output)
        with m.If(self.enable & self.vector.valid):
            if self.config.accumulations == 1:
                m.d.sync += output.eq(dot)
            else:
                total = Mux(self.vector.first, 0, output) + dot
                m.d.sync += output.eq(narrow(total, output.shape()))
        return m
