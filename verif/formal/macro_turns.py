# SPDX-License-Identifier: Apache-2.0
"""Writing and computing: never the same bank at once, and neither waits for ever."""

from amaranth.hdl import Module, Signal, Value

from ...hdl.macro.config import MacroConfig
from .macro_proof import MacroProof
from .proof import Probe

__all__ = ["Turns"]

#: Row groups that may go before a vector that waits: one, and one more if a read goes between.
_ROW_GROUPS_BEFORE = 2
#: Vectors and reads that may go before a row group that waits: the one under way.
_VECTORS_BEFORE = 1


class Turns(MacroProof):
    """A row group is not written while a vector of its bank is under way, and they take turns.

    A vector is under way from its first plane to its last, each in the plane register; that is
    where a plane meets the weights.
    """

    def __init__(self, config: MacroConfig) -> None:
        probes = {
            "within": Probe("macro.serialiser.within", 1),
            "accumulating": Probe("macro.serialiser.accumulating", 1),
            "read_was_last": Probe("macro.serialiser.read_was_last", 1),
            "write_turn": Probe("macro.write_turn", 1),
        }
        super().__init__(config, probes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        bank_of, macro = self.config.bank_of, self.macro
        tag, writer = self.serialiser.tag, self.writer
        written_bank = bank_of(macro.w.payload)
        meeting = tag.valid & (self.serialiser.bank == written_bank)
        between = tag.valid & ~tag.last
        begins = Signal()
        m.d.comb += begins.eq(writer.start & ~writer.busy)

        self.claim(m, "no_write_where_a_plane_meets_the_bank", ~(writer.start & meeting))
        self.claim(m, "what_stores_is_the_offered_group",
                   ~writer.step.enable.any() | (writer.start & (writer.step.bank == written_bank)))
        self.claim(m, "transfer_with_the_last_step",
                   self.rules["w"].transfer == (writer.start & writer.done))
        # What the induction needs: both sides stay with what they have begun.
        self.claim(m, "vector_goes_on", self.probe("within") == between)
        self.claim(m, "vector_stays",
                   ~between | (self.rules["i"].held
                               & (self.serialiser.bank == bank_of(macro.i.payload))))
        self.claim(m, "row_group_stays", ~writer.busy | (self.rules["w"].held & writer.start))
        self._claim_turn_of_writes(m, between & meeting)
        self._claim_turn_of_vectors(m, between)

        self.reach(m, "write_waits_for_a_vector", macro.w.valid & ~writer.start & meeting)
        self.reach(m, "vector_waits_for_a_write",
                   macro.i.valid & ~macro.i.ready & ~tag.valid & writer.busy
                   if self.config.write_cycles > 1 else macro.i.valid & ~tag.valid & begins)
        if self.config.banks > 1:
            self.reach(m, "both_at_once", writer.start & tag.valid)
        return m

    def _claim_turn_of_writes(self, m: Module, in_the_way: Value) -> None:
        """Few vectors and reads of its bank go before a row group that waits."""
        rules, bank_of, macro = self.rules, self.config.bank_of, self.macro
        bank = bank_of(macro.w.payload)
        passes = (rules["i"].transfer & (bank_of(macro.i.payload) == bank)) | (
            rules["read_request"].transfer & (bank_of(macro.read_request.payload) == bank)
        )
        passed = Signal(range(_VECTORS_BEFORE + 2))
        with m.If(macro.w.valid & ~macro.w.ready):
            m.d.sync += passed.eq(passed + (passes & (passed <= _VECTORS_BEFORE)))
        with m.Else():
            m.d.sync += passed.eq(0)
        self.claim(m, "writes_get_their_turn", passed <= _VECTORS_BEFORE)
        self.claim(m, "turn_after_a_vector",
                   (passed == 0) | (self.probe("write_turn") & rules["w"].held & ~in_the_way))

    def _claim_turn_of_vectors(self, m: Module, begun: Value) -> None:
        """Few row groups of its bank go before a vector that waits.

        Those that go while an output that is not taken holds everything up do not count: the vector
        could not have moved.
        """
        rules, bank_of, macro = self.rules, self.config.bank_of, self.macro
        same_bank = bank_of(macro.w.payload) == bank_of(macro.i.payload)
        passes = rules["w"].transfer & same_bank & self.serialiser.enable
        passed = Signal(range(_ROW_GROUPS_BEFORE + 2))
        with m.If(macro.i.valid & ~macro.i.ready):
            m.d.sync += passed.eq(passed + (passes & (passed <= _ROW_GROUPS_BEFORE)))
        with m.Else():
            m.d.sync += passed.eq(0)
        self.claim(m, "vectors_get_their_turn", passed <= _ROW_GROUPS_BEFORE)
        turn, read = self.probe("write_turn"), self.probe("read_was_last")
        self.claim(m, "turn_after_a_write",
                   (passed != 1) | begun | ~turn | read)
        # A row group can begin again at once beside a read of another bank, which then counts.
        read_beside = (
            rules["read_request"].held & ~self.probe("accumulating")
            & (bank_of(macro.read_request.payload) != bank_of(macro.i.payload))
        )
        self.claim(m, "read_beside_a_write",
                   (passed != 1) | begun | ~(self.writer.busy & same_bank) | read | read_beside)
        writing = self.writer.busy & same_bank
        self.claim(m, "turn_after_two_writes", (passed < 2) | begun | (~turn & read & ~writing))
