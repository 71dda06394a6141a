# SPDX-License-Identifier: Apache-2.0
"""When things happen in a macro: registers along the way, latency and throughput, as formulas."""

from amaranth.utils import exact_log2

from .parameters import Cell, Table, Target
from .structure import MacroStructure

__all__ = ["MacroLatency"]


class MacroLatency(MacroStructure):
    """Registers and cycles of writing and of computing."""

    # Writing ------------------------------------------------------------------------------------

    @property
    def write_registers(self) -> int:
        """Registers from the weight stream to where a row is stored, or kept until its table is
        filled.

        With `broadcast_registers` a row and where it belongs set out from registers too. It is
        there before a vector that begins after its transfer.
        """
        return int(self.has_fill or self.broadcast_registers)

    @property
    def write_cycles(self) -> int:
        """Cycles that the transfers of one row group take, the macro idle before: one a row."""
        return self.rows_per_group

    @property
    def fill_cycles(self) -> int:
        """Cycles after a row group's last transfer in which no vector of its bank begins.

        A step for each entry of the table, and one for the sum that is made a step before it is
        stored.
        """
        return (1 << self.rows_per_group) + 1 if self.has_fill else 0

    @property
    def write_interval(self) -> int:
        """Cycles from one row group to the next at full rate."""
        if not self.has_fill:
            return self.rows_per_group
        entries = 1 << self.rows_per_group
        if self.stages_two_groups:
            return max(entries, self.rows_per_group)
        return self.fill_cycles + self.rows_per_group

    # Computing ----------------------------------------------------------------------------------

    @property
    def product_registers(self) -> int:
        """Registers between the step register and the adder tree.

        A block RAM of the ECP5 answers late in a cycle, so a register follows it.
        """
        if self.cell is Cell.BITCELL:
            return int(self.target is Target.ICE40 or (self._adds_in_leaves and self.pipeline == 1))
        is_late = self.table is Table.BLOCKRAM and self.target is Target.ECP5
        return {Cell.LOOKUP: 1 + is_late, Cell.ROM: 1, Cell.NEAR: 2}[self.cell]

    @property
    def _adds_in_leaves(self) -> bool:
        """Whether each leaf is a level of adders, which `pipeline` counts: two rows on the ECP5."""
        return self.cell is Cell.BITCELL and self.target is Target.ECP5

    @property
    def levels_before_tree(self) -> int:
        """Levels of adders between the last register before the adder tree and its leaves."""
        return int(self._adds_in_leaves and not self.product_registers)

    @property
    def tree_levels(self) -> int:
        """Levels of the adder tree: of adders, or of compressors and the adder at the root."""
        return self.tree.levels(self.leaves)

    @property
    def tree_registers(self) -> int:
        """Registers along the adder tree: one every `pipeline` levels, and at its root."""
        if not self.tree_levels:
            return 0
        return -(-(self.levels_before_tree + self.tree_levels) // self.pipeline)

    @property
    def join_registers(self) -> int:
        """Registers along the adders that join the planes of one cycle."""
        return exact_log2(self.bits_per_cycle)

    @property
    def inverts_in_tree(self) -> bool:
        """Whether a sum that counts negative leaves the adder tree inverted.

        The carry cell of the iCE40 takes its addends from before the LUT beside it, so an inverter
        at an adder's input is a LUT a bit there, and one at its output is part of the adder.
        """
        return self.target is Target.ICE40 and self.bits_per_cycle == 1 and self.leaves > 1

    @property
    def sign_registers(self) -> int:
        """Registers from where a sum counts negative to the accumulator."""
        return 1 if self.inverts_in_tree else self.join_registers

    @property
    def array_registers(self) -> int:
        """Registers from the step register to the sum that the accumulator takes."""
        return (
            self.broadcast_registers + self.product_registers + self.tree_registers
            + self.join_registers
        )

    @property
    def output_registers(self) -> int:
        """Registers from the accumulator to the output: itself, fusion, the sum of vectors."""
        return 1 + exact_log2(self.fusion) + (self.accumulations > 1)

    def steps(self, bits: int) -> int:
        """Cycles in which a vector meets the weights: one for `bits_per_cycle` planes.

        A `near` macro takes a row a cycle instead, whatever the input bits.
        """
        return self.rows if self.cell is Cell.NEAR else -(-bits // self.bits_per_cycle)

    def vector_latency(self, bits: int) -> int:
        """Cycles from a vector's first valid cycle to its output's, the macro idle before.

        ``steps + array_registers + output_registers``. Where leading planes are skipped, `bits` are
        those that are left.
        """
        return self.steps(bits) + self.array_registers + self.output_registers

    def vector_interval(self, bits: int) -> int:
        """Cycles from one vector to the next at full rate: its steps."""
        return self.steps(bits)

    @property
    def read_latency(self) -> int:
        """Cycles from a read request's first valid cycle to its data's, the macro idle before.

        A request is registered, and then takes the way of a vector of one step:
        ``2 + array_registers + output_registers``.
        """
        return 2 + self.array_registers + self.output_registers
