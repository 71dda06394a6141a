# SPDX-License-Identifier: Apache-2.0
"""The serialiser: every step of a vector once, the most significant first, with the right tag."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.utils import exact_log2

from ...hdl.macro.config import Cell, MacroConfig
from ...hdl.macro.serialisers import serialiser
from ...hdl.macro.step_choice import CHOSEN, SHARED
from .proof import Probe, Proof, inputs_of
from .stream_rules import StreamRule

__all__ = ["Planes"]


class Planes(Proof):
    """Steps and rows to read leave the serialiser as their streams offer them.

    What `i` and `read_request` offered in the cycle that filled the step register is kept beside
    it, with the number that the step must have; the register is compared with that.
    """

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        self.dut = serialiser(config)
        probes = {
            "within": Probe("dut.within", 1),
            "following": Probe("dut.following", config.step_number_bits),
            "more": Probe("dut.more", 1),
            "accumulating": Probe("dut.accumulating", 1),
            "reading": Probe("dut.reading", 1),
            "read_bank": Probe("dut.read_bank", config.bank_bits),
        }
        if config.cell is Cell.NEAR:
            probes["row"] = Probe("dut.row", config.row_bits)
        else:
            probes["odd"] = Probe("dut.odd", 1)
            for first, parts in self._choices():
                shapes = {
                    "begin": config.step_number_bits, "odd": 1, "reading": 1,
                    "here": SHARED, "clearing": len(parts),
                }
                if config.step_number_bits > 1:
                    shapes |= {"within": 1, "high": config.step_number_bits - 1}
                probes |= {
                    f"{name}{first}": Probe(f"dut.choice{first}.{name}", shape)
                    for name, shape in shapes.items()
                }
        super().__init__(inputs_of(self.dut), probes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        self.free(m, dut)
        vectors, requests = self._watch(m, "i"), self._watch(m, "read_request")
        self.assume(m, vectors.kept)
        self.assume(m, requests.kept)

        between = dut.tag.valid & ~dut.tag.last
        taken = _Taken(self.config, m, between, dut, vectors.transfer, requests.transfer)
        step = self._claim_step(m, taken)
        self._claim_vector(m, step, taken)
        self._claim_row(m, taken)
        self._claim_stall(m)
        reads_between = dut.tag.valid & dut.tag.reads & (between | self.probe("accumulating"))
        self.claim(m, "no_read_within_an_accumulation", ~reads_between)
        # What the induction needs.
        self.claim(m, "within_is_between", self.probe("within") == between)
        self.claim(m, "following_step", ~between | (self.probe("following") == step - 1))
        self.claim(m, "more_steps", ~between | (self.probe("more") == (step > 1)))
        self.claim(m, "vector_stays", ~between | (vectors.held & (vectors.before == taken.vector)))

        last = dut.tag.valid & dut.tag.last & ~dut.tag.reads
        longest = taken.vector_view.top_plane == self.config.input_bits - 1
        steps = self.config.steps(self.config.input_bits)
        self.reach(m, "longest_vector", last & longest & (taken.steps == steps - 1))
        self.reach(m, "row", dut.tag.valid & dut.tag.reads & Value.cast(dut.operand).any())
        return m

    def _watch(self, m: Module, name: str) -> StreamRule:
        stream = getattr(self.dut, name)
        payload = Value.cast(stream.payload)
        return StreamRule.of(m, f"rule_{name}", stream.valid, stream.ready, payload)

    def _claim_step(self, m: Module, taken: "_Taken") -> Signal:
        """The step that the register must hold: the first one, then one less in each step.

        Where zero planes are skipped, the first step with a one in it comes first.
        """
        step = Signal(self.config.step_number_bits)
        first: Any = taken.top_step
        if self.config.skip_zero_planes:
            first = Signal.like(step, name="first_step")
            for number in range(1 << len(step)):
                # Later steps are more significant, and override.
                with m.If(taken.has_one(number)):
                    m.d.comb += first.eq(number)
            begins = self.dut.tag.valid & ~self.dut.tag.reads & (taken.steps == 0)
            self._claim_skipped(m, begins, taken.top_step - first)
            self.reach(m, "skips_all_but_one", begins & (step == 0) & (taken.top_step == 1))
        m.d.comb += step.eq(first - taken.steps)
        # What the induction needs: no step goes below the last.
        here = self.dut.tag.valid & ~self.dut.tag.reads
        self.claim(m, "no_more_steps", ~here | (taken.steps <= first))
        return step

    def _claim_skipped(self, m: Module, begins: Value, saved: Value) -> None:
        """The counter has grown by the steps that the vector in the register has been spared."""
        before, moved = Signal(32), Signal()
        m.d.sync += [before.eq(self.dut.skipped), moved.eq(self.dut.enable)]
        grown = Mux(moved & begins, saved[: self.config.step_number_bits], 0)
        self.claim(m, "counts_saved_steps", self.dut.skipped == (before + grown)[:32])

    def _claim_vector(self, m: Module, step: Signal, taken: "_Taken") -> None:
        dut, vector, alone = self.dut, taken.vector_view, self.config.accumulations == 1
        here = dut.tag.valid & ~dut.tag.reads
        near = self.config.cell is Cell.NEAR
        is_sign = vector.signed & (step == taken.top_step) & (not near)
        expected: dict[str, Any] = {
            "last": step == 0,
            "negative": is_sign,
            "opens": 1 if alone else vector.first,
            "closes": 1 if alone else vector.last,
            "fused": vector.fused,
        }
        for name, value in expected.items():
            self.claim(m, f"tag_{name}", ~here | (dut.tag[name] == value))
        self.claim(m, "operand", ~here | self._is_operand(step, taken))
        self.claim(m, "bank", ~here | (dut.bank == self.config.bank_of(vector)))
        self.claim(m, "transfer_with_the_last_step", taken.vector_went == (here & dut.tag.last))

    def _is_operand(self, step: Signal, taken: "_Taken") -> Value:
        """The register holds the step's bits of each input; in `near` macros the step's input."""
        operand: Any = self.dut.operand
        if self.config.cell is Cell.NEAR:
            numbers = [(step == row) & (operand.value == taken.number(row))
                       for row in range(self.config.rows)]
            return Cat(numbers).any() & (operand.row == step)
        planes = self.config.bits_per_cycle
        same = []
        for row in range(self.config.rows):
            digits = taken.extended(row).word_select(step, planes)
            same += [operand[plane][row] == digits[plane] for plane in range(planes)]
        return Cat(same).all()

    def _claim_row(self, m: Module, taken: "_Taken") -> None:
        dut, request = self.dut, taken.request_view
        here = dut.tag.valid & dut.tag.reads
        alone = dut.tag.last & ~dut.tag.negative & dut.tag.opens & dut.tag.closes
        self.claim(m, "row_is_a_vector_of_one_step",
                   ~here | (alone & (dut.tag.fused == 0)))
        operand: Any = dut.operand
        if self.config.cell is Cell.NEAR:
            exists = request.row < self.config.rows
            right = (operand.value == exists) & (~exists | (operand.row == request.row))
        else:
            row = Cat(request.row == index for index in range(self.config.rows))
            right = Value.cast(operand) == row
        self.claim(m, "row_operand", ~here | right)
        self.claim(m, "row_bank", ~here | (dut.bank == self.config.bank_of(request)))
        self.claim(m, "row_once_for_a_request", taken.request_went == here)
        self._claim_way(m, taken)

    def _claim_way(self, m: Module, taken: "_Taken") -> None:
        """What the induction needs: the request that is on its way."""
        reading, request = self.probe("reading"), taken.coming_view
        self.claim(m, "request_on_its_way", reading == taken.request_comes)
        busy = self.probe("within") | self.probe("accumulating")
        self.claim(m, "none_on_its_way_within_an_accumulation", ~reading | ~busy)
        bank = self.config.bank_of(request)
        self.claim(m, "its_bank", ~reading | (self.probe("read_bank") == bank))
        if self.config.cell is Cell.NEAR:
            self.claim(m, "its_row", ~reading | (self.probe("row") == request.row))
            return
        group, place = request.row >> exact_log2(SHARED), request.row & (SHARED - 1)
        here = Cat(place == row for row in range(SHARED))
        following, within = self.probe("following"), self.probe("within")
        for first, parts in self._choices():
            right = self.probe(f"here{first}") == here
            others = Cat(group != number for number in parts)
            odd = following[0] ^ self.probe(f"begin{first}")[0]
            self.claim(m, f"reads_{first}", self.probe(f"reading{first}") == reading)
            self.claim(m, f"its_row_{first}", ~reading | right)
            self.claim(m, f"other_rows_{first}",
                       self.probe(f"clearing{first}") == Mux(reading, others, 0))
            self.claim(m, f"odd_{first}", ~within | (self.probe("odd") == odd))
            self.claim(m, f"its_step_{first}",
                       self.probe(f"odd{first}") == (within & self.probe("odd")))
            if self.config.step_number_bits > 1:
                self.claim(m, f"goes_on_{first}", self.probe(f"within{first}") == within)
                self.claim(m, f"its_number_{first}",
                           ~within | (self.probe(f"high{first}") == following[1:]))

    def _choices(self) -> list[tuple[int, list[int]]]:
        """First row and numbers of the parts of the step register that are chosen together."""
        numbers = list(range(-(-self.config.rows // SHARED)))
        return [(first * SHARED, numbers[first : first + CHOSEN]) for first in numbers[::CHOSEN]]

    def _claim_stall(self, m: Module) -> None:
        dut = self.dut
        register = Cat(Value.cast(dut.operand), dut.bank, dut.tag.as_value())
        before, stalled = Signal.like(register), Signal()
        m.d.sync += [before.eq(register), stalled.eq(~dut.enable)]
        self.claim(m, "nothing_moves_while_held_up", ~stalled | (register == before))


class _Taken:
    """What the streams offered when the step register was filled, and what was transferred."""

    def __init__(
        self, config: MacroConfig, m: Module, between: Value, dut: Any, vector: Value,
        request: Value,
    ) -> None:
        self.config = config
        self.vector = Signal(config.input_layout.size)
        self.request = Signal(config.read_request_layout.size)
        self.vector_view: Any = data.View(config.input_layout, self.vector)
        self.request_view: Any = data.View(config.read_request_layout, self.request)
        #: The request that is to be registered next, after the cycle of its transfer.
        self.coming = Signal.like(self.request)
        self.coming_view: Any = data.View(config.read_request_layout, self.coming)
        self.request_comes = Signal()
        self.vector_went, self.request_went = Signal(), Signal()
        #: Steps of the vector before this one.
        self.steps = Signal(range(max(2, config.steps(1 << config.plane_bits))))
        with m.If(dut.enable):
            m.d.sync += [
                self.vector.eq(dut.i.payload.as_value()),
                self.coming.eq(dut.read_request.payload.as_value()),
                self.request.eq(self.coming),
                self.steps.eq(Mux(between, self.steps + 1, 0)),
                self.vector_went.eq(vector),
                self.request_comes.eq(request),
                self.request_went.eq(self.request_comes),
            ]

    @property
    def top_step(self) -> Value:
        """The vector's first step, where none is skipped."""
        if self.config.cell is Cell.NEAR:
            return Value.cast(self.config.rows - 1)
        return self.vector_view.top_plane >> exact_log2(self.config.bits_per_cycle)

    def _bits(self, row: int) -> Value:
        """The bits of an input that count."""
        mask = Cat(self.vector_view.top_plane >= bit for bit in range(self.config.input_bits))
        return Value.cast(self.vector_view.data[row]) & mask

    def number(self, row: int) -> Value:
        """What an input stands for."""
        word = self._bits(row)
        top = 1 << self.vector_view.top_plane
        return word - Mux(self.vector_view.signed & (word & top).any(), top << 1, 0)

    def extended(self, row: int) -> Value:
        """The bits of the planes that each step takes, zero or the sign beyond the top plane."""
        if self.config.bits_per_cycle == 1:
            # No step goes beyond the top plane.
            return Cat(self._bits(row), Const(0, 1 << self.config.plane_bits))
        number = self.number(row)
        return Cat(number, number[-1].replicate(1 << self.config.plane_bits))

    def has_one(self, step: int) -> Value:
        """Whether an input has a one in the planes of a step."""
        planes = self.config.bits_per_cycle
        bits = [self._bits(row) for row in range(self.config.rows)]
        return Cat(word[step * planes : (step + 1) * planes] for word in bits).any()
