# SPDX-License-Identifier: Apache-2.0
"""Vector slots: each macro has the vector that it works on in registers of its own."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import NpuConfig

__all__ = ["VectorSlots", "round_layout", "vector_layout", "window_layout"]


def window_layout(config: NpuConfig) -> data.ArrayLayout:
    """A byte for each row of a macro."""
    return data.ArrayLayout(8, config.macro.rows)


def vector_layout(config: NpuConfig) -> data.StructLayout:
    """A macro's window, and the first plane of it that is to meet the array."""
    return data.StructLayout(
        {"data": window_layout(config), "top_plane": config.macro.plane_bits}
    )


def round_layout(config: NpuConfig) -> data.StructLayout:
    """A window for each macro, and the first plane of all that is to meet the arrays."""
    return data.StructLayout(
        {
            "windows": data.ArrayLayout(window_layout(config), config.macros),
            "top_plane": config.macro.plane_bits,
        }
    )


class VectorSlots(wiring.Component):
    """Takes rounds of windows apart into the macros' vectors; each stays until its macro takes it.

    Each slot asks its own macro alone whether it may take the next vector: the macros lie all over
    the die. A round is taken in the cycle after that in which the last slot has it.

    Throughput: a round in 2 cycles. Latency: 1 cycle from a round to its vectors.

    Members
    -------
    i : In(stream of round_layout(config))
    o : Out(stream of vector_layout(config)), one for each macro
    empty : Out(1)
        The macros have taken all vectors.
    """

    i: stream.Interface
    o: Any
    empty: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(round_layout(config))),
                "o": Out(stream.Signature(vector_layout(config))).array(config.macros),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        macros = self.config.macros
        # Which slots have a vector, and which have had that of the round that is offered.
        holds = Signal(macros)
        has = Signal(macros)
        m.d.comb += [self.i.ready.eq(has.all()), self.empty.eq(~holds.any())]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += has.eq(0)
        for index, output in enumerate(self.o):
            vector = Signal(vector_layout(self.config), name=f"vector{index}", reset_less=True)
            loads = Signal(name=f"loads{index}")
            m.d.comb += [
                loads.eq(self.i.valid & ~has[index] & (~holds[index] | output.ready)),
                output.valid.eq(holds[index]),
                output.payload.eq(vector),
            ]
            # The vector's many registers need not hear whether there is another.
            with m.If(~holds[index] | output.ready):
                m.d.sync += [
                    vector.data.eq(self.i.payload.windows[index]),
                    vector.top_plane.eq(self.i.payload.top_plane),
                ]
            with m.If(loads):
                m.d.sync += [holds[index].eq(1), has[index].eq(1)]
            with m.Elif(output.ready):
                m.d.sync += holds[index].eq(0)
        return m
