# SPDX-License-Identifier: Apache-2.0
"""`bitcell`: every weight bit in a cell of its own, an AND gate beside it.

The faithful digital SRAM-CIM array: each cell multiplies its weight bit with the input bit of its
row, and the tree adds the products (as the 22 nm macro of Chih et al., ISSCC 2021, 16.4).
"""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from ..config import Storage
from .and_adder import AndAdder
from .array import CellArray
from .latch import Latch
from .row_memory import row_memory

__all__ = ["BitcellArray"]


class BitcellArray(CellArray):
    """A word of storage a row and bank; the leaf is ``w AND x``, for each plane of the step.

    Cost: ``banks * rows * columns * weight_bits`` flip-flops or latches; of LUT-RAM the same for 1
    to 16 banks. Weights survive a reset, as an SRAM's do, and start as zero in simulation and in an
    FPGA.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        incoming = self._incoming(m)
        stored = [self._stored_row(m, row, incoming) for row in range(self.config.rows)]
        bits = self.config.weight_bits
        for column in range(self.columns):
            weights = [self._weight(m, row.word_select(column, bits), column) for row in stored]
            for plane in range(self.config.bits_per_cycle):
                leaves: Any = self.leaves[column][plane]
                inputs = Value.cast(self.operand[plane])
                if self.config.adds_in_cells:
                    self._add_pairs(m, weights, inputs, leaves, f"{column}_{plane}")
                    continue
                for row, weight in enumerate(weights):
                    m.d.comb += leaves[row].eq(Mux(inputs[row], weight, 0))
        return m

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

    def _add_pairs(
        self, m: Module, weights: list[Value], inputs: Value, leaves: data.View, name: str
    ) -> None:
        """Leaves of two rows, added in the cells that multiply them."""
        for index in range(0, len(weights), 2):
            pair = weights[index : index + 2]
            if len(pair) == 1:
                m.d.comb += leaves[index // 2].eq(Mux(inputs[index], pair[0], 0))
                continue
            adder = AndAdder(len(pair[0]))
            m.submodules[f"add{name}_{index}"] = adder
            m.d.comb += [
                adder.a.eq(pair[0]),
                adder.b.eq(pair[1]),
                adder.x.eq(inputs[index]),
                adder.y.eq(inputs[index + 1]),
                leaves[index // 2].eq(adder.o),
            ]

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
