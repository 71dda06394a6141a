# SPDX-License-Identifier: Apache-2.0
"""`bitcell`: every weight bit in a flip-flop, an AND gate beside it.

The faithful digital SRAM-CIM array: each cell multiplies its weight bit with the input bit of its
row, and the tree adds the products (as the 22 nm macro of Chih et al., ISSCC 2021, 16.4).
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value

from .array import CellArray, CellWriter

__all__ = ["BitcellArray", "BitcellWriter"]


class BitcellArray(CellArray):
    """One register a row and bank, as wide as the row's weights; the leaf is ``w AND x``.

    Cost: ``banks * rows * columns * weight_bits`` flip-flops. Weights survive a reset, as an SRAM's
    do, and start as zero in simulation and in an FPGA.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for row in range(self.config.rows):
            weights = self._stored_row(m, row)
            for column in range(self.columns):
                weight = weights.word_select(column, self.config.weight_bits).as_signed()
                m.d.comb += self.leaves[column][row].eq(Mux(self.plane[row], weight, 0))
        return m

    def _stored_row(self, m: Module, row: int) -> Value:
        """The row's weights in the bank that computes."""
        incoming = Cat(self.weights[0][column] for column in range(self.columns))
        banks = []
        for bank in range(self.config.banks):
            stored = Signal(len(incoming), name=f"row{row}_bank{bank}", reset_less=True)
            with m.If(self.step.enable[row] & (self.step.bank == bank)):
                m.d.sync += stored.eq(incoming)
            banks.append(stored)
        return Array(banks)[self.bank] if len(banks) > 1 else banks[0]


class BitcellWriter(CellWriter):
    """A row takes one cycle."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._drive_enable(m)
        m.d.comb += [
            self.done.eq(self.start),
            self.busy.eq(0),
            # What concerns tables has no meaning here.
            self.step.entry.eq(0),
            self.step.row.eq(0),
            self.step.subtract.eq(0),
            self.step.clear.eq(0),
        ]
        return m
