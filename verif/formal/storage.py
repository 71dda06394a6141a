# SPDX-License-Identifier: Apache-2.0
"""What the array holds: the weights that were written last, whatever else is being written."""

from importlib import import_module
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed

from ...hdl.macro.config import Cell, MacroConfig, Table
from .array_proof import ArrayProof, gray_position, later, subset_sum
from .walk import Walk, walk_probes

__all__ = ["Storage"]

#: By name, as the type stubs of Amaranth leave this out.
_any_const: Any = import_module("amaranth.asserts").AnyConst


class Storage(ArrayProof):
    """Every step meets, in every row and bank, the weights that were written there last.

    One leaf of the adder tree, one bank and the input bits that the leaf's rows get are chosen,
    unknown to the solver, and met in every cycle, while rows are written in any order into any
    bank. So what holds for these holds for all; and where the write is elsewhere, computing is not
    disturbed by it. There are no stalls here: `Fill` shows that one keeps what is in the registers.
    """

    def __init__(self, config: MacroConfig) -> None:
        columns = max(config.fusion, min(self.COLUMNS, config.columns))
        super().__init__(config, {}, walk_probes(config, columns))
        #: Of cells without tables the weights that were written last.
        self._held: dict[int, Signal] = {}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        choice = _Choice(self, m)
        leaves = [
            self._leaf(self.array.leaves[column], choice)
            for column in range(self.columns)
        ]
        terms = self._terms(m, choice)
        if self._registered_reads:
            self._state_contents(m, choice, terms)
        # Where reads are registered there is none of a bank in a cycle that writes it.
        written = self._registered_reads & self._stores(choice)
        for column, leaf in enumerate(leaves):
            right, expected = terms[column]
            right = right & ~written
            for stage in range(self.config.product_registers):
                right = later(m, f"right{column}_{stage}", right, reset_less=True)
                expected = later(m, f"value{column}_{stage}", expected, reset_less=True)
            self.claim(m, f"leaf_{column}", ~right | (leaf == expected))
        if self.writer is None:
            self.reach(m, "weights", leaves[0].any())
            return m
        if not choice.takes_turns:
            self._claim_isolation(m, choice, Cat(leaves))
        self.reach(m, "written", Value.cast(leaves[0]).any())
        return m

    @property
    def _registered_reads(self) -> bool:
        """Whether the memory with the weights has a register of its own where it is read."""
        return self.config.cell is Cell.NEAR or self.config.table is Table.BLOCKRAM

    def _stores(self, choice: "_Choice") -> Value:
        """Something is stored in the bank that is met."""
        step = self.array.step
        return Value.cast(step.store).any() & self._is_met(step.bank, choice)

    def _is_met(self, bank: Value, choice: "_Choice") -> Value:
        """Whether a bank is the one that is met; the number of a single one means nothing."""
        return bank == choice.bank if self.config.banks > 1 else Const(1, 1)

    def _leaf(self, planes: list[Any], choice: "_Choice") -> Any:
        """The leaf that is met; a `near` macro has one for all rows."""
        if self.config.cell is Cell.NEAR:
            return planes[0][0]
        return Array(Array(leaves) for leaves in planes)[choice.plane][choice.leaf]

    def _terms(self, m: Module, choice: "_Choice") -> list[tuple[Value, Value]]:
        """For each column whether the leaf is known, and its value."""
        if self.writer is None:
            return [(Value.cast(1), self._fixed(choice, c)) for c in range(self.columns)]
        if self.config.has_fill:
            return self._table_terms(m, choice)
        return [self._row_term(m, choice, column) for column in range(self.columns)]

    def _state_contents(
        self, m: Module, choice: "_Choice", terms: list[tuple[Value, Value]]
    ) -> None:
        """What the induction needs where writes keep the memory from being read for a time.

        The memory has a port that is there for the proof.
        """
        near = self.config.cell is Cell.NEAR
        names = ["weights"] if near else [f"table{group}" for group in range(self.config.groups)]
        address = Cat(choice.leaf[: self.config.row_bits] if near else choice.bits, choice.bank)
        words = []
        for name in names:
            port = getattr(self.parts, name).read_port(domain="comb")
            m.d.comb += port.addr.eq(address[: len(port.addr)])
            words.append(port.data)
        for column, (right, value) in enumerate(terms):
            word = Array(word[column] for word in words)[0 if near else choice.leaf]
            expected = self._held[column].as_signed() if near else value
            self.claim(m, f"contents_{column}", ~right | (word == expected))

    def _fixed(self, choice: "_Choice", column: int) -> Value:
        """The sum of the weights of a rom."""
        config, size = self.config, self.config.rows_per_group
        sums = []
        for first in range(0, config.rows, size):
            rows = config.rom_weights[first : first + size]
            sums.append(sum(Mux(choice.bits[n], row[column], 0) for n, row in enumerate(rows)))
        return Array(sums)[choice.leaf]

    def _row_term(self, m: Module, choice: "_Choice", column: int) -> tuple[Value, Value]:
        """The products of the leaf's rows, added."""
        bits = self.config.weight_bits
        total: Value = Value.cast(0)
        for place in range(choice.rows):
            # What the leaf gets of this row, kept since the row was written.
            here = self.order.last & choice.is_row(
                place, self.offer("group"), self.free_bank("write_bank")
            )
            if self.config.write_registers:
                here = later(m, f"stores{column}_{place}", here)
            held = Signal(bits, name=f"held{column}_{place}", reset_less=True)
            with m.If(here):
                m.d.sync += held.eq(Value.cast(self.array.weights[column]))
            self._held[column] = held
            total = total + self._product(choice, place, held, column)
        return Value.cast(1), total

    def _product(self, choice: "_Choice", place: int, weight: Signal, column: int) -> Value:
        if self.config.cell is Cell.NEAR:
            return weight.as_signed() * choice.value
        modes = range(self.config.fusion)
        is_signed = Array(_is_signed(self.config.fusion, mode, column) for mode in modes)
        value = Mux(is_signed[choice.fused], weight.as_signed(), weight.as_unsigned())
        return Mux(choice.bits[place], value, 0)

    def _table_terms(self, m: Module, choice: "_Choice") -> list[tuple[Value, Value]]:
        """The sum in the chosen entry of the table, which is not to be relied on in a fill."""
        walk = Walk(self, m)
        walk.claim(m)
        stores = walk.stores
        here = Signal()
        m.d.comb += here.eq(stores.valid & (stores.group == choice.leaf)
                            & self._is_met(stores.bank, choice))
        ends = here & (stores.position == walk.last_position)
        # A fill that a reset cuts short leaves nothing to rely on.
        whole = Signal(init=1, reset_less=True)
        with m.If(here):
            m.d.sync += whole.eq(ends)
        known = Signal()
        stored_already = gray_position(choice.bits) < stores.position
        m.d.comb += known.eq(Mux(here & (stores.position != 0), stored_already, whole))
        terms: list[tuple[Value, Value]] = []
        for column in range(self.columns):
            weights = [Value.cast(row[column]) for row in stores.weights]
            stored = subset_sum(weights, choice.bits)
            held = Signal(stored.shape(), name=f"held{column}", reset_less=True)
            with m.If(ends):
                m.d.sync += held.eq(stored)
            terms.append((known, Mux(here & (stores.position != 0), stored, held)))
        return terms

    def _claim_isolation(self, m: Module, choice: "_Choice", leaves: Value) -> None:
        """What is met changes by writes into its rows of its bank only."""
        store = Value.cast(self.array.step.store)
        here = ~Const(0, len(store)) if self._registered_reads else choice.groups
        disturbed = Signal()
        m.d.comb += disturbed.eq(self._stores(choice) & (store & here).any())
        before = Signal.like(leaves, reset_less=True)
        # The latest cycles without such a write.
        quiet = Signal(self.config.product_registers + 1, reset_less=True)
        m.d.sync += [before.eq(leaves), quiet.eq((quiet << 1) | ~disturbed)]
        self.claim(m, "other_writes_do_not_disturb", ~quiet[-1] | (leaves == before))
        elsewhere = store.any() & ~disturbed
        if self.config.banks > 1 or (self.config.groups > 1 and not self._registered_reads):
            self.reach(m, "write_elsewhere", elsewhere & quiet.all() & leaves.any())


class _Choice:
    """What is met in every cycle, connected to the array; `proof` is an open one."""

    def __init__(self, proof: Storage, m: Module) -> None:
        self.config = config = proof.config
        near = config.cell is Cell.NEAR
        #: Rows of a leaf, of which each has one bit. A `near` macro meets one row, named here too.
        self.rows = 1 if near else config.rows_per_leaf
        count = config.rows if near else config.leaves
        self.leaf = Signal(range(max(2, count)), name="leaf_number")
        self.bank = Signal(config.bank_bits)
        self.bits = Signal(self.rows)
        #: The input that a `near` macro's row meets.
        self.value = Signal(signed(config.input_bits + 1))
        self.fused = Signal(max(1, config.fused_bits))
        self.plane = Signal(range(max(2, config.bits_per_cycle)))
        proof.assume(m, self.leaf < count)
        proof.assume(m, self.plane < config.bits_per_cycle)
        # The last leaf may have fewer rows than the others; no bit meets those missing.
        chosen = _any_const(self.rows) & self._in_turn(m)
        real = (1 << (self.rows - (self.rows * count - config.rows))) - 1
        m.d.comb += self.bits.eq(Mux(self.leaf == count - 1, chosen & real, chosen))
        for signal, is_free in (
            (self.leaf, True), (self.value, near), (self.plane, config.bits_per_cycle > 1),
            (self.bank, config.banks > 1), (self.fused, config.fusion > 1),
        ):
            m.d.comb += signal.eq(_any_const(len(signal)) if is_free else 0)
        m.d.comb += [
            proof.array.enable.eq(1),
            proof.array.bank.eq(self.bank),
            proof.array.fused.eq(self.fused),
        ]
        operand: Any = proof.array.operand
        # A number of the input bits in two's complement, or without a sign.
        limit = 1 << config.input_bits
        proof.assume(m, (self.value >= -limit // 2) & (self.value < limit))
        if near:
            m.d.comb += [operand.value.eq(self.value), operand.row.eq(self.leaf)]
        else:
            m.d.comb += [bits.eq(self.bits.replicate(count)) for bits in operand]

    def _in_turn(self, m: Module) -> Value:
        """Rows that share a leaf are met one after the other, and then together.

        The sum alone would not tell an induction what each of them is.
        """
        if not self.takes_turns:
            return ~Const(0, self.rows)
        count = min(self.rows, self.config.rows)
        turn = Signal(range(count + 1), reset_less=True)
        m.d.sync += turn.eq(Mux(turn < count, turn + 1, 0))
        return Mux(turn < count, (Const(1) << turn)[: self.rows], ~Const(0, self.rows))

    @property
    def takes_turns(self) -> bool:
        """Whether a leaf is the sum of several row groups."""
        return self.rows > self.config.rows_per_group

    @property
    def groups(self) -> Value:
        """The row groups that the leaf has to do with, one bit each."""
        per_leaf = self.rows // self.config.rows_per_group
        return Cat(self.leaf == group // per_leaf for group in range(self.config.groups))

    def is_row(self, place: int, group: Value, bank: Value) -> Value:
        """Whether a row that is a group of its own is the leaf's row `place`, of the bank."""
        return (group == self.leaf * self.rows + place) & (bank == self.bank)


def _is_signed(fusion: int, mode: int, column: int) -> bool:
    """Whether a column has the sign bits of its weights: the last of `mode + 1` fused ones.

    Columns that are left over in a block stand for themselves.
    """
    size = mode + 1
    return column >= fusion - fusion % size or column % size == size - 1
