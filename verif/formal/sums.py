# SPDX-License-Identifier: Apache-2.0
"""Adder tree and accumulator against sums that are written down as such."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed

from ...hdl.macro.accumulator import Accumulator
from ...hdl.macro.adder_tree import AdderTree
from ...hdl.macro.config import MacroConfig
from .proof import Probe, Proof, inputs_of

__all__ = ["AccumulatorSums", "TreeSums"]


class TreeSums(Proof):
    """The tree's result is the sum of the leaves that entered as many steps before as it has.

    A tree remembers nothing but what is in its registers, so a stall of one cycle stands for one of
    any length; with that the induction sees every value that is still in the tree.
    """

    def __init__(self, config: MacroConfig) -> None:
        self.dut = AdderTree(config.groups, config.leaf_bits, config.pipeline)
        super().__init__(inputs_of(self.dut))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        self.free(m, dut)
        stalled = Signal(reset_less=True)
        m.d.sync += stalled.eq(~dut.enable)
        self.assume(m, dut.enable | ~stalled)

        entered: Any = dut.i
        filled = Signal(dut.registers + 1)
        for stage in range(dut.registers):
            following: Any = Signal(dut.i.shape(), name=f"leaves{stage}")
            with m.If(dut.enable):
                m.d.sync += following.eq(entered)
            entered = following
        with m.If(dut.enable):
            m.d.sync += filled.eq((filled << 1) | 1)
        leaves = [Value.cast(entered[index]) for index in range(dut.leaves)]
        empty = ~filled[dut.registers - 1] if dut.registers else Value.cast(0)
        self.claim(m, "sum_of_the_leaves", empty | (dut.o == sum(leaves[1:], start=leaves[0])))
        self.reach(m, "lowest_sum", filled.all() & (dut.o == -dut.leaves << (dut.leaf_bits - 1)))
        return m


class AccumulatorSums(Proof):
    """Output and dot product are the weighted sums of the plane sums that came in.

    Every plane sum of a vector is kept, and the dot product compared with the sum over them, each
    times its power of two; likewise the output with the sum of dot products.
    """

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        self.dut = Accumulator(config)
        super().__init__(inputs_of(self.dut), {"dot": Probe("dut.dot", signed(config.dot_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        self.free(m, dut)
        planes = self._planes(m)
        dot = sum((plane << power for power, plane in enumerate(planes[1:], start=1)), planes[0])
        self.claim(m, "dot_is_the_sum_of_planes", self.probe("dot") == dot)
        self._claim_output(m, self.probe("dot"))
        return m

    def _planes(self, m: Module) -> list[Signal]:
        """The plane sums of the vector so far, the latest first; the sign's counts negative."""
        config, dut = self.config, self.dut
        most = config.rows << (config.weight_bits - 1)
        lowest, highest = -most, most - config.rows
        self.assume(m, (dut.plane_sum >= lowest) & (dut.plane_sum <= highest))
        # Only the first plane may be that of the sign, and there are as many as there may be bits.
        self.assume(m, ~dut.plane.negative | dut.plane.first)
        planes = [
            Signal(signed(config.plane_sum_bits + 1), name=f"plane{power}", reset_less=True)
            for power in range(config.input_bits)
        ]
        count = Signal(range(config.input_bits + 1), init=config.input_bits, reset_less=True)
        room = dut.plane.first | (count < config.input_bits)
        takes = dut.enable & dut.plane.valid
        self.assume(m, ~takes | room)
        with m.If(takes):
            m.d.sync += count.eq(Mux(dut.plane.first, 1, count + 1))
            m.d.sync += planes[0].eq(Mux(dut.plane.negative, -dut.plane_sum, dut.plane_sum))
            for newer, older in pairwise(planes):
                m.d.sync += older.eq(Mux(dut.plane.first, 0, newer))
        self._state_planes(m, planes, count, lowest, highest)
        self.reach(m, "longest_signed_vector",
                   (count == config.input_bits) & (planes[-1] == -lowest) & planes[0].any())
        return planes

    def _state_planes(
        self, m: Module, planes: list[Signal], count: Signal, lowest: int, highest: int
    ) -> None:
        """What the induction needs: which values the planes may have."""
        for power, plane in enumerate(planes):
            here, oldest = count > power, count == power + 1
            ordinary = (plane >= lowest) & (plane <= highest)
            sign = (plane >= -highest) & (plane <= -lowest)
            self.claim(m, f"range_of_plane_{power}",
                       Mux(here, ordinary | (oldest & sign), plane == 0))
        self.claim(m, "planes_of_a_vector", count <= self.config.input_bits)

    def _claim_output(self, m: Module, dot: Signal) -> None:
        config, dut = self.config, self.dut
        dots = [
            Signal(signed(config.dot_bits), name=f"dot{index}", reset_less=True)
            for index in range(config.accumulations)
        ]
        count = Signal(range(config.accumulations + 1), init=config.accumulations, reset_less=True)
        begins = dut.vector.first if config.accumulations > 1 else Value.cast(1)
        takes = dut.enable & dut.vector.valid
        self.assume(m, ~takes | begins | (count < config.accumulations))
        with m.If(takes):
            m.d.sync += [count.eq(Mux(begins, 1, count + 1)), dots[0].eq(dot)]
            for newer, older in pairwise(dots):
                m.d.sync += older.eq(Mux(begins, 0, newer))
        self.claim(m, "output_is_the_sum_of_dots", dut.o == sum(dots[1:], dots[0]))
        self.claim(m, "vectors_of_an_accumulation", count <= config.accumulations)
        for index, each in enumerate(dots):
            self.claim(m, f"range_of_dot_{index}",
                       Mux(count > index, self._is_dot(each), each == 0))
        self.reach(m, "fullest_accumulation", (count == config.accumulations) & dots[-1].any())

    def _is_dot(self, value: Signal) -> Value:
        """Whether a value is one that the planes of a vector can add up to."""
        config = self.config
        most, top = config.rows << (config.weight_bits - 1), 1 << (config.input_bits - 1)
        highest = most * top + (most - config.rows) * (top - 1)
        return (value >= -most * (2 * top - 1)) & (value <= highest)
