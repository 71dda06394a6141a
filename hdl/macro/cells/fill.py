# SPDX-License-Identifier: Apache-2.0
"""The fill engine: writes the tables of `lookup` from the rows of a group."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from .array import CellWriter, stage_bits

__all__ = ["FillWriter"]


class FillWriter(CellWriter):
    """Stages the rows of a group; its last one starts a walk through the entries of its table.

    What is staged goes to every block of the macro, a long way: it sets out from a register. No row
    is needed before its second cycle there.

    The walk is in Gray-code order, an entry a cycle: neighbours differ in one row, so the sum of an
    entry is that of the one before with one weight more or less. Three steps follow each other like
    a pipeline: count and ask for the row that changes; add or subtract it; store the sum.

    Where the staging memory has room for two groups, the next one is taken meanwhile, and its walk
    follows without a gap, if it is of the same bank.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        rows = config.rows_per_group
        # One to a line: a signal that shares its assignment has no name in the Verilog.
        counting = Signal()
        # Both of these decide what may begin: registers, as that is a long way.
        filling = Signal()
        at_end = Signal()
        count = Signal(rows)
        following = Signal(rows)
        counted_group = Signal(config.group_bits)
        counted_bank = Signal(config.bank_bits)
        starts = Signal()
        m.d.comb += [
            following.eq(count + 1),
            self.filling.eq(filling),
            self.filled_bank.eq(counted_bank),
            starts.eq(self.ready & (self.row == rows - 1)),
        ]
        self._take_rows(m, at_end)
        m.d.sync += [
            filling.eq(starts | counting),
            at_end.eq(counting & (following == (1 << rows) - 1)),
        ]
        with m.If(counting):
            m.d.sync += [count.eq(following), counting.eq(~at_end)]
        with m.If(starts):
            m.d.sync += [counting.eq(1), counted_bank.eq(self.bank)]
        # Taken whether a walk starts or not, as that is known late.
        may_start = ~counting | at_end
        with m.If(may_start):
            m.d.sync += counted_group.eq(self.group)

        # The row that changes from the entry before is that of the lowest bit set in the count.
        # It joins the subset where the bit above is clear, and leaves it where that is set.
        leaves = Signal()
        changing = Signal(config.member_bits)
        for row in reversed(range(rows)):
            with m.If(count[row]):
                m.d.comb += leaves.eq(count[row + 1 : row + 2])
            # Asked for a cycle early, as the staging memories lie far apart. No row changes at 0.
            with m.If(following[row]):
                m.d.comb += changing.eq(row)
        gray = Signal(rows)
        m.d.comb += gray.eq(count ^ (count >> 1))
        # One bit a group, so that the registers of all parts have nothing to find out: they lie far
        # apart. A number beyond the last group stores nothing, in the same time.
        summed_group = Signal(config.groups)
        summed_bank = Signal.like(counted_bank)
        entry = Signal(rows)
        m.d.sync += [
            entry.eq(gray),
            summed_group.eq(
                Cat(counting & (counted_group == index) for index in range(config.groups))
            ),
            summed_bank.eq(counted_bank),
        ]
        clear = ~counting | (count == 0)
        staging = self._stage(m, changing, starts, may_start)
        self._tell(
            m,
            {"store": summed_group, "bank": summed_bank, "entry": entry, "subtract": leaves}
            | {"clear": clear, **staging},
        )
        return m

    def _take_rows(self, m: Module, at_end: Value) -> None:
        """Take a row where it has room; the last one where the bank is free and no walk goes on."""
        last = Signal()
        free = Signal()
        follows = self.bank == self.filled_bank
        m.d.comb += last.eq(self.row == self.config.rows_per_group - 1)
        if self.config.stages_two_groups:
            m.d.comb += free.eq(~last | ~self.filling | (at_end & follows))
        else:
            m.d.comb += free.eq(~self.filling)
        m.d.comb += [
            self.changes.eq(self.valid & last & free),
            self.ready.eq(self.valid & free & (~last | self.may_change)),
        ]

    def _stage(
        self, m: Module, changing: Value, starts: Value, may_start: Value
    ) -> dict[str, Value]:
        """What the staging memory is told: halves of it take turns where there are two."""
        if not self.config.stages_two_groups:
            return {"stage": self.ready, "stage_in": self.row, "stage_out": changing}
        address = stage_bits(self.config)
        half_in = Signal()
        half_out = Signal()
        reads_half = Signal()
        m.d.comb += reads_half.eq(Mux(may_start, half_in, half_out))
        m.d.sync += half_out.eq(reads_half)
        with m.If(starts):
            m.d.sync += half_in.eq(~half_in)
        return {
            # A row that waits is staged in each cycle, into the half that nothing reads: so the
            # registers of all parts need not hear whether it is taken, which is known late.
            "stage": self.valid,
            "stage_in": Cat(self.row, half_in)[:address],
            "stage_out": Cat(changing, reads_half)[:address],
        }
