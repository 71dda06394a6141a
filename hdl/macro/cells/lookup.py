# SPDX-License-Identifier: Apache-2.0
"""`lookup`: tables of subset sums in LUT-RAM, addressed by the input bits.

For each row group and column a 16-entry memory holds the sum of every subset of the group's
weights. The input bits of the group are the address, so the memory does the multiplication and the
first adder levels at once: distributed arithmetic (Peled and Liu, IEEE Trans. ASSP 22(6), 1974).
With several banks the upper address bits choose the bank, and a group has fewer rows.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory

from ...narrow import narrow
from .array import CellArray, CellWriter

__all__ = ["LookupArray", "LookupWriter"]


class LookupArray(CellArray):
    """A LUT-RAM of ``banks * 2**rows_per_group`` entries a row group, all columns in one word.

    Writing fills a table entry by entry in Gray-code order: neighbours differ in one row, so each
    column needs one adder, whatever the number of groups.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sums = [self._running_sum(m, column) for column in range(self.columns)]
        for group in range(self.config.groups):
            read = self._table(m, group, Cat(sums))
            product = Signal(read.shape(), name=f"product{group}", reset_less=True)
            with m.If(self.enable):
                m.d.sync += product.eq(read)
            for column in range(self.columns):
                m.d.comb += self.leaves[column][group].eq(product[column])
        return m

    def _running_sum(self, m: Module, column: int) -> Signal:
        """The subset sum of the entry that is being written."""
        # Must be zero after a reset, also if a row group waited through it.
        total = Signal(signed(self.config.leaf_bits), name=f"sum{column}")
        changing = Array(self.weights[row][column] for row in range(self.config.rows_per_group))
        weight = Signal(signed(self.config.weight_bits), name=f"weight{column}")
        m.d.comb += weight.eq(changing[self.step.row])
        with m.If(self.step.clear):
            m.d.sync += total.eq(0)
        with m.Else():
            # Every entry is a subset sum of the group, which fits; so no step leaves the range.
            following = Mux(self.step.subtract, total - weight, total + weight)
            m.d.sync += total.eq(narrow(following, total.shape()))
        return total

    def _table(self, m: Module, group: int, entry: Value) -> data.View:
        config = self.config
        shape = data.ArrayLayout(signed(config.leaf_bits), self.columns)
        depth = config.banks << config.rows_per_group
        m.submodules[f"table{group}"] = table = memory.Memory(shape=shape, depth=depth, init=[])
        table.attrs["ram_style"] = "distributed"
        write = table.write_port()
        m.d.comb += [
            write.en.eq(self.step.enable[group]),
            write.addr.eq(Cat(self.step.entry, self.step.bank)[: len(write.addr)]),
            write.data.eq(entry),
        ]
        read = table.read_port(domain="comb")
        first = group * config.rows_per_group
        rows = self.plane[first : first + config.rows_per_group]
        # The last group may have fewer rows; the entries of those missing are never addressed.
        bits = Signal(config.rows_per_group, name=f"address{group}")
        m.d.comb += [bits.eq(rows), read.addr.eq(Cat(bits, self.bank)[: len(read.addr)])]
        return read.data


class LookupWriter(CellWriter):
    """Walks through the entries of a table in Gray-code order, one a cycle."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows = self.config.rows_per_group
        self._drive_enable(m)

        count = Signal(rows)
        following = Signal(rows)
        gray = following ^ (following >> 1)
        lowest = following & -following
        m.d.comb += [
            following.eq(count + 1),
            self.done.eq(self.start & (count == (1 << rows) - 1)),
            self.busy.eq(count != 0),
            self.step.entry.eq(count ^ (count >> 1)),
            # Between two Gray codes the bit changes that is the lowest one set in the count.
            self.step.subtract.eq(~(gray & lowest).any()),
            self.step.clear.eq(~self.start | self.done),
        ]
        for row in reversed(range(rows)):
            with m.If(following[row]):
                m.d.comb += self.step.row.eq(row)
        with m.If(self.start):
            m.d.sync += count.eq(following)
        return m
