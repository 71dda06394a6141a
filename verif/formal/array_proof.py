# SPDX-License-Identifier: Apache-2.0
"""A cell's writer and its array side by side, one row after another offered to them."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Mux, ShapeLike, Signal, Value

from ...hdl.macro.cells import CellWriter, cell_array, cell_writer
from ...hdl.macro.config import MacroConfig
from .proof import Probe, Proof
from .row_order import RowOrder
from .stream_rules import StreamRule

__all__ = ["ArrayProof", "gray_position", "later", "subset_sum"]


def gray_position(code: Value) -> Value:
    """The place of a Gray code in the order of counting."""
    return Cat(code[bit:].xor() for bit in range(len(code)))


def subset_sum(weights: list[Value], chosen: Value) -> Value:
    """The sum of the weights whose bits in `chosen` are set, as wide as it takes."""
    terms = [Mux(chosen[index], weight, 0) for index, weight in enumerate(weights)]
    return sum(terms[1:], start=terms[0])


def later(m: Module, name: str, value: Value, *, reset_less: bool = False) -> Signal:
    """A value a cycle later; zero after a reset, or whatever it was."""
    register = Signal(value.shape(), name=name, reset_less=reset_less)
    m.d.sync += register.eq(value)
    return register


class ArrayProof(Proof):
    """Writer and array, connected as in the macro, without what decides when weights may change.

    That is a free input here. Rows are offered as the macro's surroundings must offer them. All
    columns are alike, so a few stand for them: two, or those that can be fused.
    """

    #: Columns of the array under proof, at most, where they cannot be fused.
    COLUMNS = 2

    #: What the array is made of, once `open` has been called.
    parts: Any

    def __init__(
        self,
        config: MacroConfig,
        inputs: Mapping[str, ShapeLike],
        probes: Mapping[str, Probe] | None = None,
    ) -> None:
        self.config = config
        self.columns = max(config.fusion, min(self.COLUMNS, config.columns))
        self.writer: CellWriter | None = cell_writer(config)
        self.array = cell_array(config, 0, self.columns)
        offered: dict[str, ShapeLike] = {}
        if self.writer is not None:
            offered = {
                "valid": 1,
                "row": config.member_bits,
                "group": config.group_bits,
                "write_bank": config.bank_bits,
                "weights": self.columns * config.weight_bits,
                "may_change": 1,
            }
        super().__init__({**offered, **inputs}, probes)

    def open(self, m: Module) -> None:
        """Put writer and array into `m`, with what is offered to them."""
        # Elaborated here, so that what is inside can be referred to.
        array: Any = self.array
        inside = array.elaborate(None)
        array.elaborate = lambda platform: inside
        m.submodules.array = array
        self.parts = inside.submodules
        if self.writer is None:
            m.d.comb += self.array.step.as_value().eq(0)
            return
        m.submodules.writer = writer = self.writer
        bank = self.free_bank("write_bank")
        m.d.comb += [
            writer.valid.eq(self.offer("valid")),
            writer.row.eq(self.offer("row")),
            writer.group.eq(self.offer("group")),
            writer.bank.eq(bank),
            writer.may_change.eq(self.offer("may_change")),
            self.array.step.eq(writer.step),
        ]
        domain = m.d.sync if self.config.write_registers else m.d.comb
        domain += self.array.weights.as_value().eq(self.offer("weights"))
        offered = Cat(self.offer("row"), self.offer("group"), bank, self.offer("weights"))
        rule = StreamRule.of(m, "rule_w", writer.valid, writer.ready, offered)
        self.assume(m, rule.kept)
        self.order = RowOrder.of(
            m, self.config, rule, self.offer("row"), Cat(self.offer("group"), bank)
        )
        self.assume(m, self.order.kept)

    def offer(self, name: str) -> Signal:
        """A free input."""
        return getattr(self, name)

    def free_bank(self, name: str) -> Value:
        """A free input that names a bank; the only one where there is one."""
        bank = self.offer(name)
        return bank if self.config.banks > 1 else bank & 0

    @property
    def changes(self) -> Value:
        """The last row of a group is transferred: the weights change with it."""
        return self.order.last
