# SPDX-License-Identifier: Apache-2.0
"""The sequence of writing a row group, and the sums it computes on its way."""

from amaranth.hdl import Module, Signal

from ...hdl.macro.config import MacroConfig
from .array_proof import ArrayProof, gray_position, subset_sum
from .proof import Probe

__all__ = ["Fill"]


class Fill(ArrayProof):
    """Writing takes `write_cycles`; a table gets each entry once, with the sum of its subset.

    For cells without tables what is left is the time it takes and the place that is written.
    """

    def __init__(self, config: MacroConfig) -> None:
        columns = range(min(self.COLUMNS, config.columns))
        probes = {f"sum{column}": Probe(f"array.sum{column}", config.leaf_bits)
                  for column in columns}
        free = {"enable": 1, "plane": config.rows, "bank": config.bank_bits}
        super().__init__(config, free, probes if self._fills(config) else None)

    @staticmethod
    def _fills(config: MacroConfig) -> bool:
        return config.write_cycles > 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        config, writer, step = self.config, self.writer, self.writer.step
        elapsed = self._claim_time(m)
        named = Signal(config.groups)
        m.d.comb += [bit.eq(self.offer("group") == index) for index, bit in enumerate(named)]
        self.claim(m, "stores_in_the_named_group_alone",
                   (step.enable & ~named == 0) & (writer.start | (step.enable == 0)))
        self.claim(m, "stores_in_the_named_bank",
                   (step.enable == 0) | (step.bank == self.free_bank("write_bank")))
        if self._fills(config):
            self._claim_walk(m, elapsed)
            self._claim_sums(m)
        else:
            self.claim(m, "stores_at_once", ~writer.start | (step.enable == named))
        self._claim_stall(m)
        self.reach(m, "written", writer.done & named.any() & self.offer("weights").any())
        return m

    def _claim_time(self, m: Module) -> Signal:
        """Steps of the row group so far; the last step is that of `write_cycles`."""
        last = self.config.write_cycles - 1
        elapsed = Signal(range(last + 2))
        with m.If(self.writer.start & ~self.writer.done):
            m.d.sync += elapsed.eq(elapsed + (elapsed <= last))
        with m.Else():
            m.d.sync += elapsed.eq(0)
        started = self.writer.start
        self.claim(m, "done_after_write_cycles",
                   self.writer.done == (started & (elapsed == last)))
        self.claim(m, "busy_in_all_steps_but_the_first", self.writer.busy == (elapsed != 0))
        return elapsed

    def _claim_walk(self, m: Module, elapsed: Signal) -> None:
        """Each entry of the table once."""
        entries, step = 1 << self.config.rows_per_group, self.writer.step
        stored = Signal(entries)
        now = Signal(entries)
        group_exists = self.offer("group") < self.config.groups
        m.d.comb += [
            bit.eq(self.writer.start & group_exists & step.enable.any() & (step.entry == entry))
            for entry, bit in enumerate(now)
        ]
        with m.If(~self.writer.start | self.writer.done):
            m.d.sync += stored.eq(0)
        with m.Else():
            m.d.sync += stored.eq(stored | now)
        self.claim(m, "no_entry_twice", (stored & now) == 0)
        self.claim(m, "every_entry",
                   ~(self.writer.done & group_exists) | ((stored | now) == (1 << entries) - 1))
        # What the induction needs: how far the walk is.
        self.claim(m, "gray_order", elapsed == gray_position(step.entry))
        for entry in range(entries):
            position = _position(entry)
            self.claim(m, f"stored_before_{entry}",
                       ~(self.writer.start & group_exists)
                       | (stored[entry] == (position < elapsed)))

    def _claim_sums(self, m: Module) -> None:
        """The running sum of each column is that of the entry that is being stored."""
        for column in range(self.columns):
            expected = subset_sum(self.column_weights(column), self.writer.step.entry)
            held = self.probe(f"sum{column}").as_signed()
            self.claim(m, f"running_sum_{column}", ~self.writer.start | (held == expected))

    def _claim_stall(self, m: Module) -> None:
        """What is in the array's registers stays in a stall, whatever is written meanwhile."""
        m.d.comb += [
            self.array.enable.eq(self.offer("enable")),
            self.array.plane.eq(self.offer("plane")),
            self.array.bank.eq(self.free_bank("bank")),
        ]
        leaves = self.array.leaves.as_value()
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
