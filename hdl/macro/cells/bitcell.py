# SPDX-License-Identifier: Apache-2.0
"""`bitcell`: every weight bit in a cell of its own, an AND gate beside it.

The faithful digital SRAM-CIM array: each cell multiplies its weight bit with the input bit of its
row, and the tree adds the products (as the 22 nm macro of Chih et al., ISSCC 2021, 16.4).
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed

from ..adder_tree import shape_of
from ..config import Storage, Target
from .and_adder import AndAdder
from .array import CellArray
from .choice_adder import ChoiceAdder
from .latch import Latch
from .row_memory import row_memory

__all__ = ["BitcellArray"]


class BitcellArray(CellArray):
    """A word of storage a row and bank; the leaf is ``w AND x``, for each plane of the step.

    Cost: ``banks * rows * columns * weight_bits`` flip-flops or latches; of LUT-RAM the same for 1
    to 16 banks. Weights survive a reset, as an SRAM's do, and start as zero in simulation and in an
    FPGA; those in latches start as zero in simulation alone.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        incoming = self._incoming(m)
        stored = [self._stored_row(m, row, incoming) for row in range(self.config.rows)]
        bits = self.config.weight_bits
        for column in range(self.columns):
            weights = [self._weight(m, row.word_select(column, bits), column) for row in stored]
            for plane in range(self.config.bits_per_cycle):
                inputs = Value.cast(self.operand[plane])
                for index in range(self.config.leaves):
                    rows = slice(index * self.config.rows_per_leaf,
                                 (index + 1) * self.config.rows_per_leaf)
                    name = f"{column}_{plane}_{index}"
                    leaf = self._leaf(m, weights[rows], list(inputs[rows]), name)
                    self._assign(m, self.leaves[column][plane][index], leaf, name)
        return m

    def _assign(self, m: Module, leaf: Value, value: Value, name: str) -> None:
        """Hand a leaf to the tree, through a register where the configuration has one."""
        if self.config.product_registers:
            product = Signal(signed(self.config.leaf_bits), name=f"product{name}", reset_less=True)
            with m.If(self.enable):
                m.d.sync += product.eq(value)
            value = product
        m.d.comb += leaf.eq(value)

    def _leaf(self, m: Module, weights: list[Value], inputs: list[Value], name: str) -> Value:
        """The sum of the weights of a few rows whose input bit is one."""
        if len(weights) == 2 and self.config.target is Target.ECP5:
            return self._add_in_cells(m, weights, inputs, name)
        total: Value = Mux(inputs[0], weights[0], 0)
        low, high = self.config.weight_range
        for count, (weight, one) in enumerate(zip(weights[1:], inputs[1:], strict=True), start=2):
            following = shape_of((count * low, count * high))
            adder = ChoiceAdder(Value.cast(total).shape(), weight.shape(), following)
            m.submodules[f"add{name}_{count}"] = adder
            m.d.comb += [adder.a.eq(total), adder.b.eq(weight), adder.one.eq(one)]
            total = adder.o
        return total

    def _add_in_cells(
        self, m: Module, weights: list[Value], inputs: list[Value], name: str
    ) -> Value:
        """Two rows, added in the carry cells that multiply them."""
        m.submodules[f"add{name}"] = adder = AndAdder(len(weights[0]))
        m.d.comb += [
            adder.a.eq(weights[0]),
            adder.b.eq(weights[1]),
            adder.x.eq(inputs[0]),
            adder.y.eq(inputs[1]),
        ]
        return adder.o

    def _weight(self, m: Module, weight: Value, column: int) -> Value:
        """The weight with its sign; where the column is a lower one of fused ones, without."""
        if self.config.fusion == 1:
            return weight.as_signed()
        return Cat(weight, weight[-1] & self._is_signed(column)).as_signed()

    def _is_signed(self, column: int) -> Value:
        """Whether a column holds the sign bits of its weights."""
        if self.config.fusion == 2:
            return ~self.fused[0] | Value.cast(column == 1)
        alone, pairs, triples = (self.fused == mode for mode in range(3))
        return [alone, alone | pairs, alone | triples, Value.cast(1)][column]

    def _incoming(self, m: Module) -> Value:
        """The row to be stored; latches take it in the second half of the next cycle."""
        if self.config.storage is not Storage.LATCH:
            return Value.cast(self.weights)
        incoming = Signal(self.weights.shape(), reset_less=True)
        m.d.sync += incoming.eq(self.weights)
        return Value.cast(incoming)

    def _stored_row(self, m: Module, row: int, incoming: Value) -> Value:
        """The row's weights in the bank that computes."""
        if self.config.storage is Storage.LUTRAM:
            return row_memory(m, f"row{row}", self.config, self.step, row, incoming, self.bank)
        banks = []
        for bank in range(self.config.banks):
            store = Signal(name=f"store{row}_{bank}")
            name = f"row{row}_bank{bank}"
            m.d.comb += store.eq(self.step.store[row] & (self.step.bank == bank))
            banks.append(self._cells(m, name, store, incoming))
        return Array(banks)[self.bank] if len(banks) > 1 else banks[0]

    def _cells(self, m: Module, name: str, store: Signal, incoming: Value) -> Value:
        """A word of storage cells."""
        if self.config.storage is Storage.LATCH:
            m.submodules[name] = latch = Latch(len(incoming))
            opened = Signal(name=f"{name}_open", reset_less=True)
            m.d.sync += opened.eq(store)
            m.d.comb += [latch.store.eq(opened), latch.i.eq(incoming)]
            return latch.o
        stored = Signal(len(incoming), name=name, reset_less=True)
        with m.If(store):
            m.d.sync += stored.eq(incoming)
        return stored
