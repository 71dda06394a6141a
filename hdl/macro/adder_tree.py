# SPDX-License-Identifier: Apache-2.0
"""Pipelined adder trees: binary, and carry-save."""

from collections.abc import Sequence
from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..narrow import narrow
from .carry_adder import CarryAdder
from .config import MacroConfig, Range, Target, Tree

__all__ = ["AdderTree", "BinaryTree", "CarrySaveTree", "adder_tree", "shape_of"]


class AdderTree(wiring.Component):
    """Sum of signed numbers, exact, each within a range of its own.

    Registers follow every `pipeline` levels, those before the leaves counted, and the last one. A
    tree of one leaf is a wire.

    Latency: ``registers`` cycles with `enable` high. Throughput: one sum a cycle.

    Parameters
    ----------
    ranges : sequence of (int, int)
        The lowest and the highest value of each leaf; inner widths follow from them.
    leaf_bits : int
        Width of every leaf at the port, signed.
    pipeline : int
        Levels between registers, at least 1.
    before : int
        Levels between the last register before the leaves and them, less than `pipeline`.
    inverts : bool
        The sum can be inverted as it leaves; only with several leaves.
    target : Target
        For the ECP5, adders without a register behind them name their carry cells.

    Members
    -------
    enable : In(1)
        The registers keep their values where it is low.
    invert : In(1)
        The sum that enters the last register enters it inverted; only with `inverts`.
    i : In(ArrayLayout(signed(leaf_bits), len(ranges)))
    o : Out(signed(...))
        As wide as the sum of the ranges takes.
    """

    #: What the class builds.
    kind: ClassVar[Tree]

    i: data.View
    o: Signal
    enable: Signal
    invert: Signal

    def __init__(
        self,
        ranges: Sequence[Range],
        leaf_bits: int,
        pipeline: int,
        *,
        before: int = 0,
        inverts: bool = False,
        target: Target = Target.GENERIC,
    ) -> None:
        self.ranges = tuple(ranges)
        self.leaf_bits = leaf_bits
        self.pipeline = pipeline
        self.before = before
        self.inverts = inverts
        self.target = target
        lowest, highest = zip(*ranges, strict=True)
        self.range: Range = sum(lowest), sum(highest)
        members: dict[str, Any] = {
            "enable": In(1),
            "i": In(data.ArrayLayout(signed(leaf_bits), len(self.ranges))),
            "o": Out(shape_of(self.range)),
        }
        if inverts:
            members["invert"] = In(1)
        super().__init__(members)

    @property
    def levels(self) -> int:
        """Levels of adders or compressors from a leaf to the sum."""
        return self.kind.levels(len(self.ranges))

    @property
    def registers(self) -> int:
        """Registers from a leaf to the sum."""
        return -(-(self.before + self.levels) // self.pipeline) if self.levels else 0

    def elaborate(self, platform: object) -> Module:
        """What each kind of tree fills in."""
        raise NotImplementedError

    def _leaves(self) -> list[Value]:
        """The leaves, each as wide as its range takes."""
        return [
            narrow(self.i[index], shape_of(limits)) for index, limits in enumerate(self.ranges)
        ]

    def _has_register(self, level: int) -> bool:
        """Whether a register follows a level."""
        return (self.before + level) % self.pipeline == 0 or level == self.levels

    def _register(self, m: Module, level: int, node: Signal, value: Value) -> None:
        """Assign a node of a level, through a register where the level ends in one."""
        if self.inverts and level == self.levels:
            value = (value.as_unsigned() ^ self.invert.replicate(len(value))).as_signed()
        # The datapath needs no reset: what is in it is only used where a tag beside it says so.
        if self._has_register(level):
            with m.If(self.enable):
                m.d.sync += node.eq(value)
        else:
            m.d.comb += node.eq(value)


class BinaryTree(AdderTree):
    """Adds neighbours level by level; an odd one passes on to the next level unchanged.

    Cost: one adder less than leaves.
    """

    kind = Tree.CARRY

    def elaborate(self, platform: object) -> Module:
        m = Module()
        terms, ranges = self._leaves(), list(self.ranges)
        for level in range(1, self.levels + 1):
            pairs = [terms[index : index + 2] for index in range(0, len(terms), 2)]
            ranges = [_sum(ranges[index : index + 2]) for index in range(0, len(ranges), 2)]
            terms = []
            for index, (pair, limits) in enumerate(zip(pairs, ranges, strict=True)):
                node = Signal(shape_of(limits), name=f"level{level}_{index}", reset_less=True)
                total = self._sum(m, level, pair, node) if len(pair) == 2 else pair[0]
                self._register(m, level, node, narrow(total, node.shape()))
                terms.append(node)
        m.d.comb += self.o.eq(terms[0])
        return m

    def _sum(self, m: Module, level: int, pair: Sequence[Value], node: Signal) -> Value:
        """The sum of two terms, for a node."""
        if self.target is not Target.ECP5 or self._has_register(level):
            return pair[0] + pair[1]
        m.submodules[f"add_{node.name}"] = adder = CarryAdder(len(node))
        m.d.comb += [adder.a.eq(pair[0]), adder.b.eq(pair[1])]
        return adder.o


class CarrySaveTree(AdderTree):
    """Compresses three numbers to two, level by level, and adds the last two (Wallace, IEEE Trans.
    EC 13(1), 1964).

    A compressor is a full adder a bit, with no carry from bit to bit; only the root has a carry
    chain. All numbers are as wide as the sum: what a compressor's carry loses at the top is a
    multiple of the sum's modulus.
    """

    kind = Tree.CARRY_SAVE

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape = self.o.shape()
        terms: list[Value] = self._leaves()
        for level in range(1, self.levels):
            following: list[Value] = []
            for index in range(0, len(terms), 3):
                three = terms[index : index + 3]
                results = _compress(three, shape) if len(three) == 3 else three
                for place, value in enumerate(results):
                    node = Signal(shape, name=f"level{level}_{index}_{place}", reset_less=True)
                    self._register(m, level, node, value)
                    following.append(node)
            terms = following
        if len(terms) == 2:
            node = Signal(shape, name="root", reset_less=True)
            self._register(m, self.levels, node, narrow(terms[0] + terms[1], shape))
            terms = [node]
        m.d.comb += self.o.eq(terms[0])
        return m


def adder_tree(config: MacroConfig, ranges: Sequence[Range]) -> AdderTree:
    """The tree of the configured kind for leaves of these ranges."""
    kind = {Tree.CARRY: BinaryTree, Tree.CARRY_SAVE: CarrySaveTree}[config.tree]
    return kind(
        ranges,
        config.leaf_bits,
        config.pipeline,
        before=config.levels_before_tree,
        inverts=config.inverts_in_tree,
        target=config.target,
    )


def _compress(three: Sequence[Value], shape: Shape) -> tuple[Value, Value]:
    """Two numbers with the sum of three: the bits' sums, and their carries a place higher."""
    a, b, c = (_extend(value, shape) for value in three)
    carries = (a & b) | (a & c) | (b & c)
    return (a ^ b ^ c).as_signed(), narrow(carries << 1, shape)


def _extend(value: Value, shape: Shape) -> Value:
    """The bits of a signed value at a width that is at least its own."""
    return Cat(value, value[-1].replicate(shape.width - len(value)))


def _sum(ranges: Sequence[Range]) -> Range:
    return sum(low for low, _ in ranges), sum(high for _, high in ranges)


def shape_of(limits: Range) -> Shape:
    """The signed shape that holds a range."""
    return signed(max(bits_for(limit, require_sign_bit=True) for limit in limits))
