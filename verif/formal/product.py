# SPDX-License-Identifier: Apache-2.0
"""The whole macro against sums over rows and input bits, for sizes that a solver can do."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, ResetSignal, Signal, Value, signed

from ...hdl.macro.config import MacroConfig
from .macro_proof import MacroProof

__all__ = ["Product"]


class Product(MacroProof):
    """Each output is the product with the weights transferred before it, in order, once.

    The weights are copied at their transfers. Of the accumulations that are accepted one is marked,
    any one; its product with the copy is compared with the output that leaves when those before it
    have left. Rows read back likewise.
    """

    def __init__(self, config: MacroConfig) -> None:
        super().__init__(config, inputs={"mark": 1})

    mark: Signal

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        macro, config = self.macro, self.config
        vector, request = macro.i.payload, macro.read_request.payload
        self.assume(m, vector.top_plane < config.input_bits)
        if config.accumulations > 1:
            self._assume_beginnings(m, vector)
        copies = [config.rom_weights] if not config.is_writable else self._copies(m)
        weights = [self._in_bank(copies, row, config.bank_of(vector)) for row in range(config.rows)]
        products, closes = self._products(m, weights, vector)
        rows = Array(
            Cat(value[: config.weight_bits]
                for value in self._in_bank(copies, row, config.bank_of(request)))
            for row in range(1 << config.row_bits)
        )
        self._compare(m, "i", "o", products, closes)
        self._compare(m, "read_request", "read_data", rows[request.row], Value.cast(1))
        return m

    def _assume_beginnings(self, m: Module, vector: Any) -> None:
        """Accumulations have a beginning."""
        accumulating = Signal()
        with m.If(self.rules["i"].transfer):
            m.d.sync += accumulating.eq(~vector.last)
        self.assume(m, ~self.macro.i.valid | vector.first | accumulating)

    def _copies(self, m: Module) -> list[Any]:
        """The weights by bank, row and column, as the transfers of `w` tell."""
        config, w = self.config, self.macro.w
        # Two values of a weight are enough to see each bit of it, and easier for a solver.
        most = 1 << (config.weight_bits - 1)
        for weight in w.payload.weights:
            self.assume(m, (weight == -most) | (weight == most // 2))
        # No reset cuts a write short.
        filling = self.writer.filling | Value.cast(self.writer.step.store).any()
        self.assume(m, ~(ResetSignal() & (w.valid | filling)))
        taken = [
            [Signal(signed(config.weight_bits), name=f"taken_{row}_{column}", reset_less=True)
             for column in range(config.columns)]
            for row in range(config.rows_per_group - 1)
        ]
        for row, weights in enumerate(taken):
            with m.If(self.rules["w"].transfer & (w.payload.row == row)):
                m.d.sync += [each.eq(w.payload.weights[n]) for n, each in enumerate(weights)]
        group = [*taken, list(w.payload.weights)]
        return [self._copy(m, bank, group) for bank in range(config.banks)]

    def _copy(self, m: Module, bank: int, group: list[Any]) -> list[list[Signal]]:
        """The weights of a bank by row and column; `group` has those that are coming."""
        config, w = self.config, self.macro.w
        copy = [
            [Signal(signed(config.weight_bits), name=f"bank{bank}_{row}_{column}", reset_less=True)
             for column in range(config.columns)]
            for row in range(config.rows)
        ]
        here = self.order.last & (config.bank_of(w.payload) == bank)
        for row, weights in enumerate(copy):
            number, place = divmod(row, config.rows_per_group)
            with m.If(here & (w.payload.group == number)):
                m.d.sync += [
                    weight.eq(group[place][column]) for column, weight in enumerate(weights)
                ]
        return copy

    def _in_bank(self, copies: list[Any], row: int, bank: Value) -> list[Value]:
        """One row of the bank that a payload names; zeros beyond the last row."""
        shape, columns = signed(self.config.weight_bits), range(self.config.columns)
        if row >= self.config.rows:
            return [Const(0, shape) for _ in columns]
        if not self.config.is_writable:
            return [Const(weight, shape) for weight in copies[0][row]]
        return [Array(copy[row][column] for copy in copies)[bank] for column in columns]

    def _products(
        self, m: Module, weights: list[list[Value]], vector: Any
    ) -> tuple[Value, Value]:
        """The sums of the accumulation up to this vector, and whether it is the last of it."""
        config = self.config
        outputs = []
        alone = config.accumulations == 1
        for column in range(config.columns):
            dots = Array(
                self._dot(self._fused(weights, column, mode), vector)
                for mode in range(config.fusion)
            )
            dot = dots[vector.fused] if config.fusion > 1 else dots[0]
            before = Signal(signed(config.output_bits), name=f"sum{column}")
            total = Signal.like(before, name=f"total{column}")
            m.d.comb += total.eq(dot if alone else dot + Mux(vector.first, 0, before))
            with m.If(self.rules["i"].transfer):
                m.d.sync += before.eq(total)
            outputs.append(total)
        return Cat(outputs), Value.cast(1) if alone else vector.last

    def _fused(self, weights: list[list[Value]], column: int, mode: int) -> list[Value]:
        """The weights whose product stands in place of a column, `mode + 1` of them fused."""
        size, fusion = mode + 1, self.config.fusion
        place = column % fusion
        if place >= fusion - fusion % size:
            return [row[column] for row in weights]
        if place % size:
            return [Const(0, signed(1)) for _ in weights]
        return [Cat(row[column : column + size]).as_signed() for row in weights]

    def _dot(self, weights: list[Value], vector: Any) -> Value:
        """The product with one column: weights times powers of two, where an input's bit is set.

        A multiplication of unknowns would say the same, but solvers find it much harder.
        """
        terms = []
        for power in range(self.config.input_bits):
            plane = [Mux(vector.data[row][power], weight, 0) for row, weight in enumerate(weights)]
            weighted = sum(plane[1:], start=plane[0]) << power
            is_sign = vector.signed & (vector.top_plane == power)
            term = Mux(is_sign, -weighted, weighted)
            terms.append(Mux(vector.top_plane >= power, term, 0))
        return sum(terms[1:], start=terms[0])

    def _compare(self, m: Module, source: str, sink: str, expected: Value, counts: Value) -> None:
        """Mark one of what is accepted, any one, and compare it when its turn to leave has come."""
        joins = self.rules[source].transfer & counts
        leaves = self.rules[sink].transfer
        owed = Signal(range(self.config.read_latency + 4), name=f"{sink}_owed")
        m.d.sync += owed.eq(owed + joins - leaves)
        value = Signal(len(expected), name=f"{sink}_value")
        ahead = Signal.like(owed, name=f"{sink}_ahead")
        marked, done = Signal(name=f"{sink}_marked"), Signal(name=f"{sink}_done")
        with m.If(joins & self.mark & ~marked):
            m.d.sync += [value.eq(expected), ahead.eq(owed - leaves), marked.eq(1)]
        with m.Elif(marked & leaves):
            m.d.sync += [ahead.eq(ahead - 1), done.eq(done | (ahead == 0))]
        delivered = Value.cast(getattr(self.macro, sink).payload)
        its_turn = marked & ~done & leaves & (ahead == 0)
        self.claim(m, f"{sink}_as_expected", ~its_turn | (delivered == value))
        before = Signal(name=f"{sink}_before")
        with m.If(joins & ~marked):
            m.d.sync += before.eq(1)
        self.reach(m, f"{sink}_behind_another", its_turn & before & delivered.any())
