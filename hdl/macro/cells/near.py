# SPDX-License-Identifier: Apache-2.0
"""`near`: weights in a memory, multipliers beside it. Near-memory computing, a row a cycle."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, memory

from .array import CellArray

__all__ = ["NearArray"]


class NearArray(CellArray):
    """A memory of ``banks * rows`` rows, and a multiplier a column.

    The one leaf of a column is the product of a row's input and weight: registers follow the memory
    and the multiplier, as block RAM and DSP blocks have them.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        depth = config.banks << config.row_bits
        m.submodules.weights = cells = memory.Memory(
            shape=self.weights.shape(), depth=depth, init=[]
        )
        write, read = cells.write_port(), cells.read_port()
        number = Signal(config.row_bits)
        for row in range(config.rows):
            with m.If(self.step.store[row]):
                m.d.comb += number.eq(row)
        m.d.comb += [
            write.en.eq(self.step.store.any()),
            write.addr.eq(Cat(number, self.step.bank)[: len(write.addr)]),
            write.data.eq(self.weights),
            read.en.eq(self._reading(m)),
            read.addr.eq(Cat(self.operand.row, self.bank)[: len(read.addr)]),
        ]
        value = Signal(signed(config.input_bits + 1), reset_less=True)
        with m.If(self.enable):
            m.d.sync += value.eq(self.operand.value)
        shape = data.ArrayLayout(signed(config.leaf_bits), self.columns)
        products = Signal(shape, reset_less=True)
        for column in range(self.columns):
            # The product of the two most negative numbers does not come up: inputs have a bit more.
            product = Signal(signed(config.weight_bits + config.input_bits + 1),
                             name=f"product{column}")
            m.d.comb += product.eq(value * read.data[column])
            with m.If(self.enable):
                m.d.sync += products[column].eq(product[: config.leaf_bits].as_signed())
            m.d.comb += self.leaves[column][0][0].eq(products[column])
        return m
