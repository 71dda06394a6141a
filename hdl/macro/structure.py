# SPDX-License-Identifier: Apache-2.0
"""How the rows of a macro are grouped: to be written, and to be added."""

from amaranth.utils import exact_log2

from .parameters import Cell, MacroParameters, Table, Target

__all__ = ["MacroStructure"]


class MacroStructure(MacroParameters):
    """Row groups, which the weight stream writes as a whole, and leaves of the adder trees."""

    @property
    def address_bits(self) -> int:
        """Address bits of a table's memory."""
        if self.table is Table.BLOCKRAM:
            return 8 if self.target is Target.ICE40 else 9
        return 4

    @property
    def rows_per_group(self) -> int:
        """Rows that are written together, and whose weights share one table."""
        if self.cell in (Cell.LOOKUP, Cell.ROM):
            return self.address_bits - exact_log2(self.banks)
        return 1

    @property
    def groups(self) -> int:
        """Row groups, the last one filled up with rows that no input reaches."""
        return -(-self.rows // self.rows_per_group)

    @property
    def is_writable(self) -> bool:
        """Whether weights can be written: all but those of a rom."""
        return self.cell is not Cell.ROM

    @property
    def has_fill(self) -> bool:
        """Whether writing a row group fills a table, entry by entry."""
        return self.cell is Cell.LOOKUP

    @property
    def stages_two_groups(self) -> bool:
        """Whether the rows of a group are taken while the table of the one before is filled."""
        return self.rows_per_group <= 8

    @property
    def rows_per_leaf(self) -> int:
        """Rows whose weights share one leaf of the adder tree.

        A `bitcell` adds two rows in the carry cells of the ECP5 that multiply them; on the iCE40
        eight, one after the other, as a LUT there adds by choice.
        """
        if self.cell is not Cell.BITCELL:
            return self.rows_per_group
        return {Target.GENERIC: 1, Target.ECP5: 2, Target.ICE40: 8}[self.target]

    @property
    def leaves(self) -> int:
        """Leaves of an adder tree."""
        return 1 if self.cell is Cell.NEAR else -(-self.rows // self.rows_per_leaf)
