# SPDX-License-Identifier: Apache-2.0
"""`lookup`: tables of subset sums in LUT-RAM or block RAM, addressed by the input bits.

For each row group and column a memory holds the sum of every subset of the group's weights. The
input bits of the group are the address, so the memory does the multiplication and the first adder
levels at once: distributed arithmetic (Peled and Liu, IEEE Trans. ASSP 22(6), 1974). With several
banks the upper address bits choose the bank, and a group has fewer rows.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, memory

from ..add_sub import AddSub
from ..config import Table
from .array import CellArray, stage_bits

__all__ = ["LookupArray"]


class LookupArray(CellArray):
    """A table of ``banks * 2**rows_per_group`` entries a row group, all columns in one word.

    Writing fills a table entry by entry in an order in which neighbours differ in one row, so each
    column needs one adder, whatever the number of groups. The rows of the group wait in a small
    memory of their own meanwhile.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        staged = self._staging_memory(m)
        reading = self._reading(m) if self.config.table is Table.BLOCKRAM else None
        sums = [self._running_sum(m, staged[column], column) for column in range(self.columns)]
        for group in range(self.config.groups):
            product = self._table(m, group, Cat(sums), reading)
            for column in range(self.columns):
                m.d.comb += self.leaves[column][0][group].eq(product[column])
        return m

    def _staging_memory(self, m: Module) -> data.View:
        """The row that `stage_out` named in the cycle before."""
        shape = self.weights.shape()
        depth = 1 << stage_bits(self.config)
        m.submodules.stage = stage = memory.Memory(shape=shape, depth=depth, init=[])
        # Too small for a block RAM, where there is LUT-RAM.
        stage.attrs["ram_style"] = "distributed"
        write, read = stage.write_port(), stage.read_port()
        m.d.comb += [
            write.en.eq(self.step.stage),
            write.addr.eq(self.step.stage_in),
            write.data.eq(self.weights),
            read.en.eq(1),
            read.addr.eq(self.step.stage_out),
        ]
        return read.data

    def _running_sum(self, m: Module, weight: Any, column: int) -> Signal:
        """The subset sum of the entry that is being written."""
        total = Signal(signed(self.config.leaf_bits), name=f"sum{column}", reset_less=True)
        # Every entry is a subset sum of the group, which fits; so no step leaves the range.
        m.submodules[f"adder{column}"] = adder = AddSub(self.config, len(total))
        m.d.comb += [
            adder.a.eq(total),
            adder.b.eq(weight),
            adder.subtract.eq(self.step.subtract),
        ]
        with m.If(self.step.clear):
            m.d.sync += total.eq(0)
        with m.Else():
            m.d.sync += total.eq(adder.o)
        return total

    def _table(
        self, m: Module, group: int, entry: Value, reading: Signal | None
    ) -> data.View:
        """The sums of the operand's subset, `config.product_registers` cycles later."""
        config = self.config
        shape = data.ArrayLayout(signed(config.leaf_bits), self.columns)
        depth = config.banks << config.rows_per_group
        m.submodules[f"table{group}"] = table = memory.Memory(shape=shape, depth=depth, init=[])
        table.attrs["ram_style"] = "distributed" if reading is None else "block"
        write = table.write_port()
        m.d.comb += [
            write.en.eq(self.step.store[group]),
            write.addr.eq(Cat(self.step.entry, self.step.bank)[: len(write.addr)]),
            write.data.eq(entry),
        ]
        read = table.read_port(domain="comb" if reading is None else "sync")
        first = group * config.rows_per_group
        rows = Value.cast(self.operand[0])[first : first + config.rows_per_group]
        # The last group may have fewer rows; the entries of those missing are never addressed.
        bits = Signal(config.rows_per_group, name=f"address{group}")
        m.d.comb += [bits.eq(rows), read.addr.eq(Cat(bits, self.bank)[: len(read.addr)])]
        if reading is not None:
            m.d.comb += read.en.eq(reading)
            if config.product_registers == 1:
                return read.data
        return self._registered(m, f"product{group}", read.data)
