# SPDX-License-Identifier: Apache-2.0
"""What the array holds: the weights that were written last, whatever else is being written."""

from importlib import import_module
from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value

from ...hdl.macro.config import MacroConfig
from .array_proof import ArrayProof, gray_position, subset_sum
from .proof import Probe

__all__ = ["Storage"]

#: By name, as the type stubs of Amaranth leave this out.
_any_const: Any = import_module("amaranth.asserts").AnyConst


class Storage(ArrayProof):
    """Every plane meets, in every row group and bank, the weights that were written there last.

    One row group, one bank and the bits of a plane that the group meets are chosen, unknown to the
    solver, and met in every cycle, while row groups are written in any order into any bank. So what
    holds for these holds for all; and where the write is elsewhere, computing is not disturbed by
    it. There are no stalls here: `Fill` shows that one keeps what is in the registers.
    """

    def __init__(self, config: MacroConfig) -> None:
        columns = range(min(self.COLUMNS, config.columns))
        probes = {f"sum{column}": Probe(f"array.sum{column}", config.leaf_bits)
                  for column in columns}
        super().__init__(config, {}, probes if config.write_cycles > 1 else None)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        bits, group, bank = self._choose(m)
        here = Signal()
        m.d.comb += here.eq(
            self.writer.start & (self.offer("group") == group)
            & (self.free_bank("write_bank") == bank)
        )
        leaves = [
            Array(self.array.leaves[column][index] for index in range(self.config.groups))[group]
            for column in range(self.columns)
        ]
        known = self._known(m, here, bits)
        for column, leaf in enumerate(leaves):
            right, expected = self._expected(m, here, known, bits, column)
            self.claim(m, f"leaf_{column}", ~right | (leaf == expected))
        if self.config.write_cycles > 1:
            self._state_sums(m)
        self._claim_isolation(m, here, Cat(leaves))

        written = Signal()
        with m.If(here & self.writer.done):
            m.d.sync += written.eq(1)
        self.reach(m, "written", written & Value.cast(leaves[0]).any())
        return m

    def _choose(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """The bits, row group and bank that are met in every cycle."""
        config = self.config
        bits = Signal(config.rows_per_group)
        group = Signal(config.group_bits)
        bank = Signal(config.bank_bits)
        m.d.comb += [
            group.eq(_any_const(config.group_bits)),
            bank.eq(_any_const(config.bank_bits) if config.banks > 1 else 0),
            self.array.enable.eq(1),
            self.array.plane.eq(bits.replicate(config.groups)),
            self.array.bank.eq(bank),
        ]
        self.assume(m, group < config.groups)
        # The last group may have fewer rows than the others; no bit meets those missing.
        missing = config.groups * config.rows_per_group - config.rows
        real = (1 << (config.rows_per_group - missing)) - 1
        chosen = _any_const(config.rows_per_group)
        m.d.comb += bits.eq(Mux(group == config.groups - 1, chosen & real, chosen))
        return bits, group, bank

    def _known(self, m: Module, here: Signal, bits: Signal) -> Signal:
        """Whether what the chosen bits meet can be relied on."""
        # A write that a reset cut short leaves nothing that could be.
        whole = Signal(init=1, reset_less=True)
        with m.If(here):
            m.d.sync += whole.eq(self.writer.done)
        known = Signal()
        stored_already = gray_position(bits) < gray_position(self.writer.step.entry)
        m.d.comb += known.eq(Mux(here & self.writer.busy, stored_already, whole))
        return known

    def _expected(
        self, m: Module, here: Signal, known: Signal, bits: Signal, column: int
    ) -> tuple[Value, Value]:
        """The sum of a column's weights, as many cycles late as the leaf, and if it is known."""
        offered = subset_sum(self.column_weights(column), bits)
        held = Signal(offered.shape(), name=f"held{column}", reset_less=True)
        with m.If(here & self.writer.done):
            m.d.sync += held.eq(offered)
        right: Value = known
        value: Value = Mux(here & self.writer.busy, offered, held)
        for stage in range(self.config.product_registers):
            right_later = Signal(name=f"right{column}_{stage}", reset_less=True)
            value_later = Signal(value.shape(), name=f"value{column}_{stage}", reset_less=True)
            m.d.sync += [right_later.eq(right), value_later.eq(value)]
            right, value = right_later, value_later
        return right, value

    def _state_sums(self, m: Module) -> None:
        """What the induction needs: the sum that is being stored (proven by `Fill`)."""
        for column in range(self.columns):
            expected = subset_sum(self.column_weights(column), self.writer.step.entry)
            held = self.probe(f"sum{column}").as_signed()
            self.claim(m, f"running_sum_{column}", ~self.writer.start | (held == expected))

    def _claim_isolation(self, m: Module, here: Signal, leaves: Value) -> None:
        """What is met changes by writes into this row group of this bank only."""
        before = Signal.like(leaves, reset_less=True)
        # The latest cycles without such a write.
        quiet = Signal(self.config.product_registers + 1, reset_less=True)
        m.d.sync += [before.eq(leaves), quiet.eq((quiet << 1) | ~here)]
        self.claim(m, "other_writes_do_not_disturb", ~quiet[-1] | (leaves == before))
        elsewhere = self.writer.step.enable.any() & ~here
        if self.config.banks > 1 or self.config.groups > 1:
            self.reach(m, "write_elsewhere", elsewhere & quiet.all() & leaves.any())
