# SPDX-License-Identifier: Apache-2.0
"""What the array holds: the weights that were written last, whatever else is being written."""

from importlib import import_module
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value

from ...hdl.macro.config import MacroConfig
from .array_proof import ArrayProof, gray_position, subset_sum
from .proof import Probe

__all__ = ["Storage"]

#: By name, as the type stubs of Amaranth leave this out.
_any_const: Any = import_module("amaranth.asserts").AnyConst


class Storage(ArrayProof):
    """Every plane meets, in every bank, the weights that were written there last.

    One plane and one bank are chosen, unknown to the solver, and met in every cycle, while row
    groups are written in any order into any bank. So what holds for these holds for all; and where
    the write is into another bank, computing is not disturbed by it.
    """

    def __init__(self, config: MacroConfig) -> None:
        columns = range(min(self.COLUMNS, config.columns))
        probes = {f"sum{column}": Probe(f"array.sum{column}", config.leaf_bits)
                  for column in columns}
        super().__init__(config, {}, probes if config.write_cycles > 1 else None)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        config = self.config
        plane, bank = Signal(config.rows), Signal(config.bank_bits)
        m.d.comb += [
            plane.eq(_any_const(config.rows)),
            bank.eq(_any_const(config.bank_bits) if config.banks > 1 else 0),
            self.array.enable.eq(1),
            self.array.plane.eq(plane),
            self.array.bank.eq(bank),
        ]
        filling = self.writer.start & (self.free_bank("write_bank") == bank)
        for group in range(config.groups):
            self._claim_group(m, group, plane, filling & (self.offer("group") == group))
        if config.write_cycles > 1:
            self._state_sums(m)
        if config.banks > 1:
            self._claim_isolation(m, bank)
        return m

    def _claim_group(self, m: Module, group: int, plane: Signal, filling: Value) -> None:
        """The leaf of one row group, from the cycle after it is written to the next write."""
        config = self.config
        first = group * config.rows_per_group
        chosen = Signal(config.rows_per_group, name=f"chosen{group}")
        m.d.comb += chosen.eq(plane[first : first + config.rows_per_group])
        # A write that a reset cut short leaves nothing that could be relied on.
        known = Signal(name=f"known{group}", init=1, reset_less=True)
        right = Signal(name=f"right{group}")
        with m.If(filling):
            m.d.sync += known.eq(self.writer.done)
        stored_already = gray_position(chosen) < gray_position(self.writer.step.entry)
        m.d.comb += right.eq(Mux(filling & self.writer.busy, stored_already, known))
        for column in range(self.columns):
            offered = subset_sum(self.column_weights(column), chosen)
            held = Signal(offered.shape(), name=f"held{group}_{column}", reset_less=True)
            with m.If(filling & self.writer.done):
                m.d.sync += held.eq(offered)
            expected = Signal(offered.shape(), name=f"expected{group}_{column}")
            m.d.comb += expected.eq(Mux(filling & self.writer.busy, offered, held))
            leaf = Value.cast(self.array.leaves[column][group])
            late, expected = self._later(m, right, expected, f"{group}_{column}")
            self.claim(m, f"leaf{group}_{column}", ~late | (leaf == expected))
        self._reach_write(m, group, filling & self.writer.done, self.array.leaves[0][group])

    def _later(self, m: Module, right: Value, expected: Value, name: str) -> tuple[Value, Value]:
        """The same, as many steps later as there are registers from plane to leaf."""
        for stage in range(self.config.product_registers):
            then = Signal(name=f"right{name}_{stage}", reset_less=True)
            value = Signal(expected.shape(), name=f"expected{name}_{stage}_later", reset_less=True)
            m.d.sync += [then.eq(right), value.eq(expected)]
            right, expected = then, value
        return right, expected

    def _reach_write(self, m: Module, group: int, done: Value, leaf: Value) -> None:
        written = Signal(name=f"written{group}")
        with m.If(done):
            m.d.sync += written.eq(1)
        self.reach(m, f"written_{group}", written & Value.cast(leaf).any())

    def _state_sums(self, m: Module) -> None:
        """What the induction needs: the sum that is being stored (proven by `Fill`)."""
        for column in range(self.columns):
            expected = subset_sum(self.column_weights(column), self.writer.step.entry)
            held = self.probe(f"sum{column}").as_signed()
            self.claim(m, f"running_sum_{column}", ~self.writer.start | (held == expected))

    def _claim_isolation(self, m: Module, bank: Signal) -> None:
        """What the chosen bank gives changes by writes into this bank only."""
        leaves, registers = self.array.leaves.as_value(), self.config.product_registers
        before = Signal.like(leaves, reset_less=True)
        step = self.writer.step
        writes = step.enable.any() & (step.bank == bank)
        # The latest cycles without a write into the bank.
        quiet = Signal(registers + 1, reset_less=True)
        m.d.sync += [before.eq(leaves), quiet.eq((quiet << 1) | ~writes)]
        self.claim(m, "other_banks_do_not_disturb", ~quiet[-1] | (leaves == before))
        elsewhere = step.enable.any() & (step.bank != bank)
        self.reach(m, "write_elsewhere_while_computing", elsewhere & quiet.all() & leaves.any())
