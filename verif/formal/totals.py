# SPDX-License-Identifier: Apache-2.0
"""The accumulators: sums over the steps of a vector, and over the vectors of an output."""

from collections.abc import Sequence
from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, Value, signed

from ...hdl.macro.accumulator import Accumulator, VectorSum
from ...hdl.macro.config import Cell, MacroConfig, Range
from .proof import Probe, Proof, inputs_of

__all__ = ["AccumulatorSums", "VectorSums"]


class AccumulatorSums(Proof):
    """The dot product is the weighted sum of the step sums that came in since the last one.

    Every step's sum is kept until the vector's last. The running sum is compared with the sum over
    them, each times its power of two, which is zero between vectors; what leaves, with that of the
    vector before.
    """

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        self.dut = Accumulator(config)
        probes = {"running": Probe("dut.running", signed(config.column_bits))}
        super().__init__(inputs_of(self.dut), probes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, dut = self.config, self.dut
        m.submodules.dut = dut
        self.free(m, dut)
        doublings = 0 if self._near else config.bits_per_cycle
        control = dut.control
        now: Value = self._sum
        if self._subtracts:
            now = Mux(control.negative, -now, now)
        # All but the last, with which the sum is complete.
        steps = [
            Signal(signed(config.step_sum_bits + 1), name=f"step{place}")
            for place in range(config.steps(config.input_bits) - 1)
        ]
        count = Signal(range(len(steps) + 1))
        takes, completes = control.adds, control.adds & control.completes
        # The running sum is cleared in the cycle after a reset, and without an addition only then.
        was_reset = Signal(init=1)
        m.d.sync += was_reset.eq(0)
        self.assume(m, Mux(was_reset, control.completes & ~takes, takes | ~control.completes))
        with m.If(completes):
            m.d.sync += [count.eq(0), *(step.eq(0) for step in steps)]
        with m.Elif(takes):
            m.d.sync += count.eq(count + 1)
            m.d.sync += [older.eq(newer) for newer, older in pairwise([now, *steps])]
        self._assume_steps(m, steps, count)
        total = _weighted([now, *steps], doublings)
        output = Signal(signed(config.column_bits), reset_less=True)
        # What a reset cuts short leaves no dot product.
        complete = Signal()
        with m.If(completes):
            m.d.sync += [output.eq(total), complete.eq(1)]
        self.claim(m, "dot_is_the_sum_of_steps", ~complete | (dut.o == output))
        held = _weighted(steps, doublings) if steps else 0
        self.claim(m, "running_sum", was_reset | (self.probe("running") == held))
        longest = completes & (count == len(steps))
        self.reach(m, "longest_vector", longest & (total == min(self._dots())))
        return m

    @property
    def _sum(self) -> Value:
        """The sum of the step, before it is inverted."""
        dut = self.dut
        if self.config.inverts_in_tree:
            return Mux(dut.control.negative, ~dut.step_sum, dut.step_sum)
        return dut.step_sum

    @property
    def _near(self) -> bool:
        return self.config.cell is Cell.NEAR

    @property
    def _subtracts(self) -> bool:
        """Whether the sign plane comes as a sum of its own."""
        return self.config.bits_per_cycle == 1 and not self._near

    def _dots(self) -> Range:
        """The range of the dot product."""
        config = self.config
        return _products(config, config.rows, config.input_bits, signs=True)

    def _sums(self, planes: int, *, signs: bool) -> Range:
        """The range of a step's sum over some planes, with that of the sign or without."""
        if self._near:
            return _products(self.config, 1, self.config.input_bits, signs=True)
        return _products(self.config, self.config.rows, planes, signs=signs)

    def _assume_steps(self, m: Module, steps: list[Signal], count: Signal) -> None:
        """Sums are in their ranges, and there are as many as the input bits need."""
        config, dut = self.config, self.dut
        planes = config.bits_per_cycle
        first, later = self._sums(planes, signs=planes > 1), self._sums(planes, signs=False)
        value = self._sum
        self.assume(m, Mux(count == 0, _within(value, first), _within(value, later)))
        self.assume(m, (count < len(steps)) | ~dut.control.adds | dut.control.completes)
        if self._subtracts:
            # Only the first plane may be that of the sign.
            self.assume(m, ~dut.control.negative | (count == 0))
        # The first step of the longest vector may have fewer planes than the others.
        top = self._sums(config.input_bits % planes or planes, signs=planes > 1)
        oldest = steps[-1] if steps and not self._subtracts else value
        self.assume(m, (count < len(steps)) | _within(oldest, top))
        # What the induction needs: which values the sums may have, and of how many there are.
        self.claim(m, "steps_of_a_vector", count <= len(steps))
        negated = -later[1], -later[0]
        for place, step in enumerate(steps):
            opening = _within(step, first) | (_within(step, negated) & self._subtracts)
            here = Mux(count == place + 1, opening, _within(step, later))
            self.claim(m, f"range_of_step_{place}", Mux(count > place, here, step == 0))


class VectorSums(Proof):
    """An output is the sum of the dot products of its accumulation."""

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        self.dut = VectorSum(config)
        super().__init__(inputs_of(self.dut))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, dut = self.config, self.dut
        m.submodules.dut = dut
        self.free(m, dut)
        dots = [
            Signal(signed(config.dot_bits), name=f"dot{index}", reset_less=True)
            for index in range(config.accumulations)
        ]
        count = Signal(range(config.accumulations + 1), init=config.accumulations, reset_less=True)
        takes = dut.enable & dut.valid
        self.assume(m, ~takes | dut.first | (count < config.accumulations))
        self.assume(m, self._is_dot(dut.dot))
        with m.If(takes):
            m.d.sync += [count.eq(Mux(dut.first, 1, count + 1)), dots[0].eq(dut.dot)]
            for newer, older in pairwise(dots):
                m.d.sync += older.eq(Mux(dut.first, 0, newer))
        self.claim(m, "output_is_the_sum_of_dots", dut.o == sum(dots[1:], start=dots[0]))
        # What the induction needs.
        self.claim(m, "vectors_of_an_accumulation", count <= config.accumulations)
        for index, each in enumerate(dots):
            self.claim(m, f"range_of_dot_{index}",
                       Mux(count > index, self._is_dot(each), each == 0))
        self.reach(m, "fullest_accumulation", (count == config.accumulations) & dots[-1].any())
        return m

    def _is_dot(self, value: Signal) -> Value:
        """Whether a value is one that a vector's steps can add up to, on columns fused or not."""
        config = self.config
        half = 1 << (config.weight_bits * config.fusion - 1)
        weights = (-half, half - 1), config.weight_range
        ranges = [
            _products(config, config.rows, config.input_bits, signs=True, weights=each)
            for each in weights
        ]
        return _within(value, ranges[0]) | _within(value, ranges[1])


def _products(
    config: MacroConfig, rows: int, planes: int, *, signs: bool, weights: Range | None = None
) -> Range:
    """The range of the sum over some rows of weights times numbers of some planes."""
    numbers = -1 << (planes - 1) if signs else 0, (1 << planes) - 1
    products = [weight * number for weight in weights or config.weight_range for number in numbers]
    return rows * min(products), rows * max(products)


def _within(value: Value, limits: Range) -> Value:
    return (value >= limits[0]) & (value <= limits[1])


def _weighted(steps: Sequence[Value], doublings: int) -> Value:
    """The sum of steps, the latest first, each times its power of two."""
    terms = [step << (doublings * place) for place, step in enumerate(steps)]
    return sum(terms[1:], start=terms[0])
