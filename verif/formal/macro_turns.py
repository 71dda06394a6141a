# SPDX-License-Identifier: Apache-2.0
"""Writing and computing: never the same bank at once, and neither waits for ever."""

from amaranth.hdl import Const, Module, Signal, Value

from ...hdl.macro.config import MacroConfig
from .macro_proof import MacroProof, tag_probes
from .proof import Probe

__all__ = ["Turns"]

#: Row groups that may go before a vector or read that waits: one, and one more if another vector or
#: read goes between.
_ROW_GROUPS_BEFORE = 2
#: Vectors and reads that may go before a row group that waits: the one under way.
_VECTORS_BEFORE = 1


class Turns(MacroProof):
    """Weights do not change while a vector of their bank is under way, and both take turns.

    A row group changes with the transfer of its last row, and goes on to change for `fill_cycles`
    where a table is filled. A vector is under way from its first step to its last, each in the step
    register; that is where a step meets the weights.
    """

    def __init__(self, config: MacroConfig) -> None:
        probes = {
            "within": Probe("macro.serialiser.within", 1),
            "accumulating": Probe("macro.serialiser.accumulating", 1),
            "read_was_last": Probe("macro.serialiser.read_was_last", 1),
            "write_turn": Probe("macro.write_turn", 1),
            "reading": Probe("macro.serialiser.reading", 1),
            "read_bank": Probe("macro.serialiser.read_bank", config.bank_bits),
        }
        if config.has_fill:
            probes |= {
                "counting": Probe("macro.writer.counting", 1),
                "count": Probe("macro.writer.count", config.rows_per_group),
            }
        if config.broadcast_registers:
            probes |= {
                **tag_probes(config),
                "meets_bank": Probe("macro.meets_bank", config.bank_bits),
            }
        super().__init__(config, probes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        bank_of, macro = self.config.bank_of, self.macro
        tag, meets = self.serialiser.tag, self.serialiser.bank
        written_bank = bank_of(macro.w.payload)
        between = tag.valid & ~tag.last
        #: Weights of this bank are being changed: from the last row's transfer to the last entry.
        changing, bank = self._changing(m)

        steps = [(tag.valid, meets)]
        if self.config.broadcast_registers:
            steps.append((self.tag("tag0").valid, self.probe("meets_bank")))
        for place, (valid, of_bank) in enumerate(steps):
            self.claim(m, f"no_change_where_a_step_meets_the_bank_{place}",
                       ~(self.order.last & valid & self.same_bank(of_bank, written_bank)))
            self.claim(m, f"no_step_meets_a_bank_that_changes_{place}",
                       ~(changing & valid & self.same_bank(of_bank, bank)))
        step = self.writer.step
        self.claim(m, "stores_where_it_changes",
                   ~step.store.any() | (self.same_bank(step.bank, bank) & changing))
        # What the induction needs: a vector that has begun stays, and bank numbers stay zero where
        # there is one bank.
        self.claim(m, "vector_goes_on", self.probe("within") == between)
        self.claim(m, "vector_stays",
                   ~between | (self.rules["i"].held
                               & self.same_bank(meets, bank_of(macro.i.payload))))
        reading, read_bank = self.probe("reading"), self.probe("read_bank")
        self.claim(m, "no_row_is_next_in_a_bank_that_changes",
                   ~(reading & ((changing & self.same_bank(read_bank, bank))
                                | (self.order.last & self.same_bank(read_bank, written_bank)))))
        busy = self.probe("within") | self.probe("accumulating")
        self.claim(m, "no_row_within_an_accumulation", ~reading | ~busy)
        self.claim(m, "a_row_on_its_way_was_last", ~reading | self.probe("read_was_last"))
        if self.config.banks == 1:
            self.claim(m, "one_bank",
                       (meets == 0) & (self.writer.filled_bank == 0) & (read_bank == 0))
        self._claim_turn_of_writes(m)
        self._claim_turns_of_readers(m)

        waits = (self.writer.changes & ~macro.w.ready & tag.valid
                 & self.same_bank(meets, written_bank))
        self.reach(m, "write_waits_for_a_vector", waits)
        self.reach(m, "vector_waits_for_a_write",
                   macro.i.valid & ~macro.i.ready & ~tag.valid & changing)
        if self.config.banks > 1:
            self.reach(m, "both_at_once", step.store.any() & tag.valid)
        return m

    def _changing(self, m: Module) -> tuple[Value, Value]:
        """Whether weights change in this cycle, and in which bank."""
        last = self.order.last
        written_bank = self.config.bank_of(self.macro.w.payload)
        if not self.config.write_registers:
            return last, written_bank
        if not self.config.has_fill:
            stores = Signal()
            bank = Signal(self.config.bank_bits)
            m.d.sync += [stores.eq(last), bank.eq(written_bank)]
            return stores, bank
        fill_cycles, entries = self.config.fill_cycles, 1 << self.config.rows_per_group
        elapsed = Signal(range(fill_cycles + 2))
        bank = Signal(self.config.bank_bits)
        with m.If(last):
            m.d.sync += [elapsed.eq(1), bank.eq(written_bank)]
        with m.Elif((elapsed == 0) | (elapsed > fill_cycles)):
            m.d.sync += elapsed.eq(0)
        with m.Else():
            m.d.sync += elapsed.eq(elapsed + 1)
        # What the induction needs: where the fill engine is (`Fill` proves what it does).
        counting = (elapsed != 0) & (elapsed <= entries)
        self.claim(m, "fills", self.writer.filling == ((elapsed != 0) & (elapsed <= fill_cycles)))
        self.claim(m, "counting", self.probe("counting") == counting)
        self.claim(m, "count", ~counting | (self.probe("count") == (elapsed - 1)[:-1]))
        self.claim(m, "no_count", counting | (self.probe("count") == 0))
        self.claim(m, "filled_bank", (elapsed == 0) | self.same_bank(self.writer.filled_bank, bank))
        return elapsed != 0, bank

    def _claim_turn_of_writes(self, m: Module) -> None:
        """Few vectors and reads of its bank go before a row group that waits."""
        rules, bank_of, macro = self.rules, self.config.bank_of, self.macro
        bank = bank_of(macro.w.payload)
        vector, request = macro.i.payload, macro.read_request.payload
        passes = (rules["i"].transfer & self.same_bank(bank_of(vector), bank)) | (
            rules["read_request"].transfer & self.same_bank(bank_of(request), bank)
        )
        passed = Signal(range(_VECTORS_BEFORE + 2))
        with m.If(self.writer.changes & ~macro.w.ready):
            m.d.sync += passed.eq(passed + (passes & (passed <= _VECTORS_BEFORE)))
        with m.Else():
            m.d.sync += passed.eq(0)
        self.claim(m, "writes_get_their_turn", passed <= _VECTORS_BEFORE)
        # What the induction needs: who has the turn waits, for the one vector of its bank that has
        # begun.
        between = self.probe("within") & self.same_bank(bank_of(vector), bank)
        turn = self.probe("write_turn")
        self.claim(m, "turn_after_a_vector", turn | (passed == 0))
        waits = rules["w"].held & self.writer.changes & ~self.writer.filling
        self.claim(m, "turn_of_one_that_waits", ~turn | (waits & (~between | (passed == 0))))
        self.claim(m, "turn_of_one_behind_a_vector", ~turn | between | (passed != 0))

    def _claim_turns_of_readers(self, m: Module) -> None:
        """Few row groups of its bank go before a vector or a read that waits.

        Those that go while an output that is not taken holds everything up do not count: nothing
        could have moved. Nor does the time that a read waits for an accumulation to end; where
        accumulations go over several banks, no bound on the row groups before a read is claimed.
        """
        within, read = self.probe("within"), self.probe("read_was_last")
        busy = within | self.probe("accumulating")
        if self.config.accumulations == 1:
            self.claim(m, "no_accumulation", ~self.probe("accumulating"))
        # What may be under way after a first row group, and after a second.
        self._claim_turn(m, "i", (within, within), ~read, Const(0, 1))
        if self.config.accumulations == 1 or self.config.banks == 1:
            vector_bank = self.config.bank_of(self.macro.i.payload)
            read_bank = self.config.bank_of(self.macro.read_request.payload)
            elsewhere = within & self.other_bank(vector_bank, read_bank)
            self._claim_turn(m, "read_request", (busy, elsewhere), read, busy)

    def _claim_turn(
        self, m: Module, name: str, begun: tuple[Value, Value], other_first: Value, barred: Value
    ) -> None:
        """`other_first`: where both readers wait, the other one is next."""
        bank_of, stream = self.config.bank_of, getattr(self.macro, name)
        here = self.same_bank(bank_of(self.macro.w.payload), bank_of(stream.payload))
        passes = self.order.last & here & self.serialiser.enable & ~barred
        passed = Signal(range(_ROW_GROUPS_BEFORE + 2), name=f"passed_{name}")
        with m.If(stream.valid & ~stream.ready):
            m.d.sync += passed.eq(passed + (passes & (passed <= _ROW_GROUPS_BEFORE)))
        with m.Else():
            m.d.sync += passed.eq(0)
        self.claim(m, f"{name}_gets_its_turn", passed <= _ROW_GROUPS_BEFORE)
        # What the induction needs.
        turn = self.probe("write_turn") & here
        own = self.probe("within") if name == "i" else Const(0, 1)
        is_next = own | (~turn & (begun[1] | ~(other_first | barred)))
        self.claim(m, f"{name}_after_a_write", (passed != 1) | begun[0] | ~turn | ~other_first)
        self.claim(m, f"{name}_after_two_writes", (passed < 2) | is_next)
        if name == "read_request":
            self.claim(m, "a_row_on_its_way_is_first", ~self.probe("reading") | (passed == 0))
