# SPDX-License-Identifier: Apache-2.0
"""What the filling of a table must do, cycle by cycle, from what was transferred."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

from ...hdl.macro.config import MacroConfig
from .array_proof import ArrayProof, gray_position, subset_sum
from .proof import Probe

__all__ = ["Walk", "walk_probes"]


def walk_probes(config: MacroConfig, columns: int) -> dict[str, Probe]:
    """What the fill engine remembers, and the sums it makes; none where nothing is filled."""
    if not config.has_fill:
        return {}
    sums = {f"sum{n}": Probe(f"array.sum{n}", signed(config.leaf_bits)) for n in range(columns)}
    return {
        "counting": Probe("writer.counting", 1),
        "count": Probe("writer.count", config.rows_per_group),
        "group": Probe("writer.counted_group", config.group_bits),
        **({"half_in": Probe("writer.half_in", 1)} if config.stages_two_groups else {}),
        **sums,
    }


class _Stage:
    """One position of a walk, and whose it is: one of the three steps that follow each other."""

    def __init__(self, config: MacroConfig, columns: int, name: str) -> None:
        self.valid = Signal(name=f"{name}_valid")
        self.position = Signal(config.rows_per_group, name=f"{name}_position", reset_less=True)
        self.group = Signal(config.group_bits, name=f"{name}_group", reset_less=True)
        self.bank = Signal(config.bank_bits, name=f"{name}_bank", reset_less=True)
        self.weights = [
            [Signal(signed(config.weight_bits), name=f"{name}_{row}_{column}", reset_less=True)
             for column in range(columns)]
            for row in range(config.rows_per_group)
        ]

    @property
    def place(self) -> Value:
        return Cat(self.group, self.bank)

    @property
    def payload(self) -> Value:
        """All but `valid`."""
        return Cat(self.position, self.group, self.bank, *self.weights)


class Walk:
    """The walk that the last row of a group starts: its position, group, bank and weights.

    `counts` is the walk as it begins, an entry a cycle from the cycle after the last row's transfer
    on; `stores`, two cycles later, is what must be stored.

    Parameters
    ----------
    proof : ArrayProof
        An open one.
    m : Module
    """

    def __init__(self, proof: ArrayProof, m: Module) -> None:
        self.proof = proof
        config = proof.config
        self.counts, self._sums, self.stores = (
            _Stage(config, proof.columns, name) for name in ("counts", "sums", "stores")
        )
        #: Cycles since the latest transfer of a last row, that of the transfer not counted; zero
        #: where the walk is over.
        self.elapsed = Signal(range(config.fill_cycles + 2))
        #: Rows that have been taken of the group that is coming.
        self.taken = [
            [Signal(signed(config.weight_bits), name=f"taken_{row}_{column}", reset_less=True)
             for column in range(proof.columns)]
            for row in range(config.rows_per_group - 1)
        ]
        self._follow(m)

    @property
    def last_position(self) -> int:
        """That of the last entry."""
        return (1 << self.proof.config.rows_per_group) - 1

    def offered(self, column: int) -> Value:
        """The weight of the row that is offered."""
        return self.proof.offer("weights").word_select(column, self.proof.config.weight_bits)

    def _follow(self, m: Module) -> None:
        proof, counts = self.proof, self.counts
        columns = range(proof.columns)
        for row, weights in enumerate(self.taken):
            with m.If(proof.order.transfer & (proof.offer("row") == row)):
                m.d.sync += [weights[column].eq(self.offered(column)) for column in columns]
        with m.If(counts.valid):
            m.d.sync += counts.position.eq(counts.position + 1)
            m.d.sync += counts.valid.eq(counts.position != self.last_position)
        with m.If((self.elapsed != 0) & (self.elapsed <= proof.config.fill_cycles)):
            m.d.sync += self.elapsed.eq(self.elapsed + 1)
        with m.Else():
            m.d.sync += self.elapsed.eq(0)
        with m.If(proof.changes):
            m.d.sync += [
                counts.valid.eq(1),
                counts.position.eq(0),
                counts.group.eq(proof.offer("group")),
                counts.bank.eq(proof.free_bank("write_bank")),
                self.elapsed.eq(1),
            ]
            offered = [self.offered(column) for column in columns]
            for weights, new in zip(counts.weights, [*self.taken, offered], strict=True):
                m.d.sync += [weights[column].eq(new[column]) for column in columns]
        for earlier, later in ((counts, self._sums), (self._sums, self.stores)):
            m.d.sync += [later.valid.eq(earlier.valid), later.payload.eq(earlier.payload)]

    def claim(self, m: Module) -> None:
        """The fill engine and the sums are where the walk is."""
        proof, counts, stores = self.proof, self.counts, self.stores
        writer: Any = proof.writer
        step = writer.step
        named = Cat(stores.group == index for index in range(proof.config.groups))
        proof.claim(m, "stores_in_the_named_group_alone",
                    step.store == Mux(stores.valid, named, 0))
        proof.claim(m, "stores_in_the_named_bank", ~stores.valid | (step.bank == stores.bank))
        proof.claim(m, "gray_order",
                    ~stores.valid | (gray_position(step.entry) == stores.position))
        for column in range(proof.columns):
            weights = [row[column] for row in stores.weights]
            expected = subset_sum([Value.cast(w) for w in weights], step.entry)
            proof.claim(m, f"running_sum_{column}",
                        ~stores.valid | (proof.probe(f"sum{column}") == expected))
        # What the induction needs: what the engine remembers, and the rows that wait for it.
        proof.claim(m, "counting", proof.probe("counting") == counts.valid)
        proof.claim(m, "count",
                    proof.probe("count") == Mux(counts.valid, counts.position, 0))
        proof.claim(m, "group_of_the_walk", ~counts.valid | (proof.probe("group") == counts.group))
        proof.claim(m, "bank_of_the_walk", ~counts.valid | (writer.filled_bank == counts.bank))
        proof.claim(m, "position_by_time",
                    counts.valid == ((self.elapsed != 0)
                                     & (self.elapsed <= self.last_position + 1)))
        proof.claim(m, "position_of_time",
                    ~counts.valid | (counts.position == (self.elapsed - 1)[: len(counts.position)]))
        # The row that changes is that of the lowest one in the position; none does at the first.
        changing = writer.step.stage_out[: proof.config.member_bits]
        lowest = counts.position & ((2 << changing) - 1)
        asked = (lowest == 1 << changing)
        proof.claim(m, "asks_in_time", ~counts.valid | (counts.position == 0) | asked)
        self._claim_staging(m)

    def _claim_staging(self, m: Module) -> None:
        """The staging memory has the rows that have come, and those of the walk."""
        proof = self.proof
        config = proof.config
        writer: Any = proof.writer
        bits = config.member_bits
        half_out = writer.step.stage_out[bits:]
        halves = 1 + config.stages_two_groups
        half_in: Value = proof.probe("half_in") if halves == 2 else Value.cast(0)
        self._claim_way(m, half_in)
        if halves == 2:
            proof.claim(m, "halves_take_turns", ~self.counts.valid | (half_in != half_out))
        for half in range(halves):
            for row in range(config.rows_per_group):
                staged = self._staged(m, half << bits | row)
                in_here = (half_in == half) if halves == 2 else 1
                out_here = (half_out == half) if halves == 2 else 1
                if row < len(self.taken):
                    here = (proof.order.next_row > row) & in_here
                    proof.claim(m, f"staged_{half}_{row}",
                                ~here | (staged == Cat(self.taken[row])))
                here = self.counts.valid & out_here
                proof.claim(m, f"kept_{half}_{row}",
                            ~here | (staged == Cat(self.counts.weights[row])))

    def _staged(self, m: Module, address: int) -> Value:
        """A row of the staging memory, or on its way there; it has a port for the proof."""
        array: Any = self.proof.array
        port = self.proof.parts.stage.read_port(domain="comb")
        m.d.comb += port.addr.eq(address)
        comes = array.step.stage & (array.step.stage_in == address)
        return Mux(comes, Value.cast(array.weights), Value.cast(port.data))

    def _claim_way(self, m: Module, half_in: Value) -> None:
        """A row that was taken is on its way to where it belongs in the next cycle.

        Where the memory has two halves, so is one that waits.
        """
        proof = self.proof
        step: Any = proof.array.step
        comes = Signal()
        place = Signal(len(step.stage_in), reset_less=True)
        writer: Any = proof.writer
        m.d.sync += [
            comes.eq(writer.valid if proof.config.stages_two_groups else proof.order.transfer),
            place.eq(Cat(proof.offer("row"), half_in)[: len(place)]),
        ]
        proof.claim(m, "on_its_way", step.stage == comes)
        proof.claim(m, "on_its_way_to_its_place", ~comes | (step.stage_in == place))
