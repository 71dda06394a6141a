# SPDX-License-Identifier: Apache-2.0
"""The sequence of writing a row group, and the sums it computes on its way."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from ...hdl.macro.config import MacroConfig
from .array_proof import ArrayProof, later
from .walk import Walk, walk_probes

__all__ = ["Fill"]


class Fill(ArrayProof):
    """A row a transfer; then a table gets each entry once, with the sum of its subset.

    For cells without tables what is left is that a row is stored at once, where it is named.
    """

    def __init__(self, config: MacroConfig) -> None:
        columns = max(config.fusion, min(self.COLUMNS, config.columns))
        operand = Value.cast(Signal(config.operand_layout))
        free = {"enable": 1, "operand": len(operand), "bank": config.bank_bits}
        super().__init__(config, free, walk_probes(config, columns))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        if self.config.has_fill:
            walk = Walk(self, m)
            walk.claim(m)
            self._claim_time(m, walk)
            self._claim_entries(m, walk)
            ends = walk.stores.valid & (walk.stores.position == walk.last_position)
            self.reach(m, "filled", ends & self.step.store.any())
            if self.config.stages_two_groups:
                follows = walk.stores.valid & walk.counts.valid & (walk.counts.position == 1)
                self.reach(m, "next_walk_without_a_gap",
                           follows & (walk.stores.position == walk.last_position))
        else:
            self._claim_at_once(m)
        self._claim_stall(m)
        return m

    @property
    def step(self) -> Any:
        """What the writer tells the array."""
        writer: Any = self.writer
        return writer.step

    def _claim_at_once(self, m: Module) -> None:
        writer: Any = self.writer
        named = Cat(self.offer("group") == index for index in range(self.config.groups))
        taken = self.offer("valid") & self.offer("may_change")
        self.claim(m, "changes_with_each_row", writer.changes == self.offer("valid"))
        self.claim(m, "taken_when_it_may", writer.ready == taken)
        stores: Value = named & taken.replicate(len(named))
        bank = self.free_bank("write_bank")
        if self.config.write_registers:
            stores, bank = later(m, "stores", stores), later(m, "stores_bank", bank)
        self.claim(m, "stores_where_it_is_named", self.step.store == stores)
        self.claim(m, "stores_in_the_named_bank", ~stores.any() | (self.step.bank == bank))
        self.claim(m, "never_filling", ~writer.filling)
        before = Signal()
        m.d.sync += before.eq(self.step.store.any())
        self.reach(m, "one_after_the_other", self.step.store.any() & before)

    def _claim_time(self, m: Module, walk: Walk) -> None:
        """A bank cannot be used for `fill_cycles`; groups follow each other in `write_interval`."""
        writer: Any = self.writer
        config, elapsed = self.config, walk.elapsed
        filling = (elapsed != 0) & (elapsed <= config.fill_cycles)
        self.claim(m, "fills_for_fill_cycles", writer.filling == filling)
        self.claim(m, "names_the_bank_that_it_fills",
                   ~filling | (writer.filled_bank == walk.counts.bank))
        self.claim(m, "stores_in_the_bank_it_fills",
                   ~walk.stores.valid | (walk.stores.bank == walk.counts.bank))
        is_last = self.offer("row") == config.rows_per_group - 1
        waits, rows = self.offer("valid") & is_last, self.offer("valid") & ~is_last
        entries = walk.last_position + 1
        if config.stages_two_groups:
            same_bank = self.free_bank("write_bank") == walk.counts.bank
            free = ~filling | ((elapsed == entries) & same_bank)
            self.claim(m, "rows_are_taken_meanwhile", ~rows | writer.ready)
        else:
            free = ~filling
            self.claim(m, "rows_are_taken_between_walks", ~rows | (writer.ready == free))
        self.claim(m, "last_row_changes_weights", writer.changes == (waits & free))
        self.claim(m, "last_row_is_taken_when_it_may",
                   ~waits | (writer.ready == (free & self.offer("may_change"))))

    def _claim_entries(self, m: Module, walk: Walk) -> None:
        """Each entry of the table once."""
        stores = walk.stores
        stored, now = Signal(walk.last_position + 1), Signal(walk.last_position + 1)
        exists = stores.valid & (stores.group < self.config.groups)
        m.d.comb += [
            bit.eq(self.step.store.any() & (self.step.entry == entry))
            for entry, bit in enumerate(now)
        ]
        is_last = stores.position == walk.last_position
        with m.If(stores.valid & ~is_last):
            m.d.sync += stored.eq(stored | now)
        with m.Else():
            m.d.sync += stored.eq(0)
        self.claim(m, "no_entry_twice", (stored & now) == 0)
        self.claim(m, "every_entry", ~(exists & is_last) | (stored | now).all())
        # What the induction needs: how far the walk is.
        for entry, bit in enumerate(stored):
            self.claim(m, f"stored_before_{entry}",
                       bit == (exists & (stores.position > _position(entry))))

    def _claim_stall(self, m: Module) -> None:
        """What is in the array's registers stays in a stall, whatever is written meanwhile."""
        m.d.comb += [
            self.array.enable.eq(self.offer("enable")),
            Value.cast(self.array.operand).eq(self.offer("operand")),
            self.array.bank.eq(self.free_bank("bank")),
        ]
        leaves = Cat(plane.as_value() for column in self.array.leaves for plane in column)
        before, stalled = Signal.like(leaves, reset_less=True), Signal()
        m.d.sync += [before.eq(leaves), stalled.eq(~self.offer("enable"))]
        if self.config.product_registers:
            self.claim(m, "leaves_stay_in_a_stall", ~stalled | (leaves == before))


def _position(code: int) -> int:
    """The place of a Gray code in the order of counting."""
    position = 0
    while code:
        position ^= code
        code >>= 1
    return position
