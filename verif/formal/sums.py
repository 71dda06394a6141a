# SPDX-License-Identifier: Apache-2.0
"""Adder tree, the join of planes, and the fusion of columns against sums written down as such."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, Value

from ...hdl.macro.adder_tree import adder_tree
from ...hdl.macro.cells import leaf_ranges
from ...hdl.macro.config import MacroConfig, Range
from ...hdl.macro.join import ColumnFusion, PlaneJoin
from .proof import Proof, inputs_of

__all__ = ["FusionSums", "JoinSums", "TreeSums"]


class _Delayed(Proof):
    """A block without feedback: its results belong to what entered as many steps before.

    It remembers nothing but what is in its registers, so a stall of one cycle stands for one of any
    length; with that the induction sees every value that is still inside.
    """

    dut: Any

    def __init__(self, dut: Any, registers: int) -> None:
        self.dut = dut
        self.registers = registers
        super().__init__(inputs_of(dut))

    def open(self, m: Module) -> None:
        """Put the block into `m`, with stalls of one cycle."""
        m.submodules.dut = self.dut
        self.free(m, self.dut)
        stalled = Signal(reset_less=True)
        m.d.sync += stalled.eq(~self.dut.enable)
        self.assume(m, self.dut.enable | ~stalled)
        #: Something has entered as many steps before as there are registers.
        self.filled = Signal(self.registers + 1)
        with m.If(self.dut.enable):
            m.d.sync += self.filled.eq((self.filled << 1) | 1)
        #: The first cycle, or the one after a reset.
        self.began = Signal(init=1)
        m.d.sync += self.began.eq(0)

    @property
    def empty(self) -> Value:
        """What comes out has not entered since the reset."""
        return ~self.filled[self.registers - 1] if self.registers else Value.cast(0)

    def later(self, m: Module, name: str, value: Any, registers: int) -> Any:
        """What `value` was `registers` steps before."""
        for stage in range(registers):
            following: Any = Signal(value.shape(), name=f"{name}{stage}", reset_less=True)
            with m.If(self.dut.enable):
                m.d.sync += following.eq(value)
            value = following
        return value


class TreeSums(_Delayed):
    """The tree's result is the sum of the leaves that entered as many steps before as it has."""

    def __init__(self, config: MacroConfig) -> None:
        self.ranges = leaf_ranges(config, 0)
        super().__init__(adder_tree(config, self.ranges), config.tree_registers)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        for leaf, (lowest, highest) in zip(self.dut.i, self.ranges, strict=True):
            self.assume(m, (leaf >= lowest) & (leaf <= highest))
        leaves = list(self.later(m, "leaves", self.dut.i, self.registers))
        total = sum(leaves[1:], start=leaves[0])
        if self.dut.inverts:
            total = Mux(self.later(m, "invert", self.dut.invert, 1), ~total, total)
        self.claim(m, "sum_of_the_leaves", self.empty | (self.dut.o == total))
        lowest = sum(low for low, _ in self.ranges)
        self.reach(m, "lowest_sum", self.filled.all() & (self.dut.o == lowest))
        return m


class JoinSums(_Delayed):
    """Planes of one cycle are added, each times its power of two, that of the sign negative."""

    def __init__(self, config: MacroConfig) -> None:
        self.range = config.plane_sum_range
        super().__init__(PlaneJoin(config), config.join_registers)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        lowest, highest = self.range
        for plane in self.dut.i:
            self.assume(m, (plane >= lowest) & (plane <= highest))
        planes = list(self.later(m, "planes", self.dut.i, self.registers))
        negative = self.later(m, "negative", self.dut.negative, self.registers)
        total = sum(plane << power for power, plane in enumerate(planes[:-1]))
        top = planes[-1] << (len(planes) - 1)
        self.claim(m, "sum_of_the_planes",
                   self.empty | (self.dut.o == total + Mux(negative, -top, top)))
        least = lowest * ((1 << len(planes)) - 1)
        self.reach(m, "lowest_sum", self.filled.all() & (self.dut.o == least))
        return m


class FusionSums(_Delayed):
    """Dot products of fused columns are added, each times its power of two; others stay alone.

    The mode travels with the vector; `Alignment` proves that the macro sees to it.
    """

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(ColumnFusion(config), config.fused_bits)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        dut = self.dut
        for stage in range(1, self.registers):
            enters = self.later(m, f"valid{stage}_", dut.valid[0], stage)
            mode = self.later(m, f"mode{stage}_", dut.fused[0], stage)
            self.assume(m, (dut.valid[stage] == enters) & (dut.fused[stage] == mode))
        columns, mode = list(dut.i), dut.fused[0]
        self._assume_ranges(m, columns, mode)
        arrived = self.later(m, "arrived", dut.valid[0], self.registers) & ~self.empty
        columns = list(self.later(m, "columns", dut.i, self.registers))
        mode = self.later(m, "mode", mode, self.registers)
        for index, output in enumerate(dut.o):
            sums = Array(self._sum(columns, index, fused) for fused in range(self.config.fusion))
            self.claim(m, f"output_{index}", ~arrived | (output == sums[mode]))
        outputs = dut.o.as_value()
        before, enters = Signal.like(outputs, reset_less=True), Signal()
        m.d.sync += [before.eq(outputs), enters.eq(dut.enable & dut.valid[-1])]
        self.claim(m, "outputs_stay", enters | (outputs == before) | self.began)
        widest = (mode == self.config.fusion - 1) & (dut.o[0] < -1 << (self.config.dot_bits - 2))
        self.reach(m, "widest_weights", arrived & widest)
        return m

    def _sum(self, columns: Sequence[Any], index: int, fused: int) -> Any:
        """The output in place `index` with `fused + 1` columns to a weight."""
        size = fused + 1
        if index >= self.config.fusion - self.config.fusion % size:
            return columns[index]
        if index % size:
            return Value.cast(0)
        parts = columns[index : index + size]
        return sum(part << (self.config.weight_bits * n) for n, part in enumerate(parts))

    def _assume_ranges(self, m: Module, columns: Sequence[Any], mode: Value) -> None:
        """A column with the sign bits of its weights has other sums than a lower one."""
        bits, size = self.config.weight_bits, self.config.fusion
        alone = self._range((-1 << (bits - 1), (1 << (bits - 1)) - 1))
        lower = self._range((0, (1 << bits) - 1))
        for index, column in enumerate(columns):
            tops = Array(
                index >= size - size % (fused + 1) or index % (fused + 1) == fused
                for fused in range(size)
            )
            for kind, (lowest, highest) in ((tops[mode], alone), (~tops[mode], lower)):
                self.assume(m, ~kind | ((column >= lowest) & (column <= highest)))

    def _range(self, weights: Range) -> Range:
        """The range of a dot product with weights of a range."""
        bits, rows = self.config.input_bits, self.config.rows
        inputs = -1 << (bits - 1), (1 << bits) - 1
        products = [weight * value for weight in weights for value in inputs]
        return rows * min(products), rows * max(products)
