# SPDX-License-Identifier: Apache-2.0
"""Pipelined binary adder tree."""

from collections.abc import Iterable

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["AdderTree"]


class AdderTree(wiring.Component):
    """Sum of `leaves` signed numbers, exact: the result is wide enough for every input.

    Adds neighbours level by level; an odd one passes on to the next level unchanged. Registers
    follow every `pipeline` levels and the last one.

    Latency: ``registers = ceil(ceil_log2(leaves) / pipeline)`` cycles with `enable` high; a tree of
    one leaf is a wire. Throughput: one sum a cycle. Cost: ``leaves - 1`` adders.

    Parameters
    ----------
    leaves : int
        Numbers to add, at least 1.
    leaf_bits : int
        Width of each, signed.
    pipeline : int
        Levels between registers, at least 1.

    Members
    -------
    enable : In(1)
        The registers keep their values where it is low.
    i : In(ArrayLayout(signed(leaf_bits), leaves))
    o : Out(signed(leaf_bits + ceil_log2(leaves)))
    """

    i: data.View
    o: Signal
    enable: Signal

    def __init__(self, leaves: int, leaf_bits: int, pipeline: int) -> None:
        self.leaves = leaves
        self.leaf_bits = leaf_bits
        self.pipeline = pipeline
        super().__init__(
            {
                "enable": In(1),
                "i": In(data.ArrayLayout(signed(leaf_bits), leaves)),
                "o": Out(signed(leaf_bits + self.levels)),
            }
        )

    @property
    def levels(self) -> int:
        """Additions from a leaf to the sum."""
        return ceil_log2(self.leaves)

    @property
    def registers(self) -> int:
        """Registers from a leaf to the sum."""
        return -(-self.levels // self.pipeline)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        terms: list[Value] = [self.i[index] for index in range(self.leaves)]
        for level in range(1, self.levels + 1):
            registered = level % self.pipeline == 0 or level == self.levels
            terms = [
                self._node(m, pair, level, registered, name=f"level{level}_{index}")
                for index, pair in enumerate(_pairs(terms))
            ]
        m.d.comb += self.o.eq(terms[0])
        return m

    def _node(
        self, m: Module, pair: tuple[Value, ...], level: int, registered: bool, *, name: str
    ) -> Signal:
        # The datapath needs no reset: what is in it is only used where a tag beside it says so.
        node = Signal(signed(self.leaf_bits + level), name=name, reset_less=True)
        total = pair[0] + pair[1] if len(pair) == 2 else pair[0]
        if registered:
            with m.If(self.enable):
                m.d.sync += node.eq(total)
        else:
            m.d.comb += node.eq(total)
        return node


def _pairs(terms: list[Value]) -> Iterable[tuple[Value, ...]]:
    return (tuple(terms[index : index + 2]) for index in range(0, len(terms), 2))
