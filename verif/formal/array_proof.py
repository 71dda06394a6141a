# SPDX-License-Identifier: Apache-2.0
"""A cell's writer and its array side by side, one row group after another offered to them."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Mux, ShapeLike, Signal, Value

from ...hdl.macro.cells import cell_array, cell_writer
from ...hdl.macro.config import Cell, MacroConfig
from .proof import Probe, Proof
from .stream_rules import StreamRule

__all__ = ["ArrayProof", "gray_position", "subset_sum"]


def gray_position(code: Value) -> Value:
    """The place of a Gray code in the order of counting."""
    return Cat(code[bit:].xor() for bit in range(len(code)))


def subset_sum(weights: list[Value], chosen: Value) -> Value:
    """The sum of the weights whose bits in `chosen` are set, as wide as it takes."""
    terms = [Mux(chosen[index], weight, 0) for index, weight in enumerate(weights)]
    return sum(terms[1:], start=terms[0])


class ArrayProof(Proof):
    """Writer and array, connected as in the macro, without what decides when to write.

    A row group begins in any cycle, and then stays offered until it is done: that is what the macro
    guarantees, and is proven of it. All columns are alike, so one or two stand for them.
    """

    #: Columns of the array under proof, at most.
    COLUMNS = 2

    def __init__(
        self,
        config: MacroConfig,
        inputs: Mapping[str, ShapeLike],
        probes: Mapping[str, Probe] | None = None,
    ) -> None:
        self.config = config
        self.columns = min(self.COLUMNS, config.columns)
        self.writer = cell_writer(config)
        self.array = cell_array(config, self.columns)
        offered = {
            "start": 1,
            "group": config.group_bits,
            "write_bank": config.bank_bits,
            "weights": config.rows_per_group * self.columns * config.weight_bits,
        }
        super().__init__({**offered, **inputs}, probes)

    @property
    def has_tables(self) -> bool:
        """Writing a row group fills a table, entry by entry."""
        return self.config.cell is Cell.LOOKUP

    def open(self, m: Module) -> None:
        """Put writer and array into `m`, with what is offered to them."""
        m.submodules.writer = writer = self.writer
        m.submodules.array = array = self.array
        bank = self.free_bank("write_bank")
        m.d.comb += [
            writer.start.eq(self.offer("start")),
            writer.group.eq(self.offer("group")),
            writer.bank.eq(bank),
            array.step.eq(writer.step),
            array.weights.as_value().eq(self.offer("weights")),
        ]
        offered = Cat(self.offer("group"), bank, self.offer("weights"))
        rule = StreamRule.of(m, "rule_w", writer.start, writer.done, offered)
        self.assume(m, rule.kept)
        # What the induction needs: a row group that was begun is offered still.
        self.claim(m, "row_group_stays", ~writer.busy | rule.held)

    def offer(self, name: str) -> Signal:
        """A free input."""
        return getattr(self, name)

    def free_bank(self, name: str) -> Value:
        """A free input that names a bank; the only one where there is one."""
        bank = self.offer(name)
        return bank if self.config.banks > 1 else bank & 0

    def column_weights(self, column: int) -> list[Value]:
        """The weights offered for one column."""
        return [
            Value.cast(self.array.weights[row][column])
            for row in range(self.config.rows_per_group)
        ]
