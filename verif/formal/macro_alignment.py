# SPDX-License-Identifier: Apache-2.0
"""The blocks of columns: each gets the planes, weights and tags that belong together."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from ...hdl.macro.config import MacroConfig
from ...hdl.macro.serialiser import PlaneTag
from .macro_proof import MacroProof, tag_probes

__all__ = ["Alignment"]


class Alignment(MacroProof):
    """A tag reaches the accumulators with the sum of its plane, and all columns are alike.

    The sum is there `array_registers` steps after the plane (`Storage` and `TreeSums` prove that of
    the blocks), so the tag must be as late; the dot product is complete a step later.
    """

    def __init__(self, config: MacroConfig) -> None:
        super().__init__(config, tag_probes(config))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        blocks = self._blocks()
        summed, complete = self._delayed(m)
        for index, block in enumerate(blocks):
            tag, vector = block.plane, block.vector
            self.claim(m, f"same_stalls_{index}", block.enable == self.serialiser.enable)
            self.claim(m, f"same_plane_{index}", (block.plane_bits == self.serialiser.plane_bits)
                       & (block.bank == self.serialiser.bank))
            self.claim(m, f"same_step_{index}",
                       block.step.as_value() == self.writer.step.as_value())
            self.claim(m, f"tag_with_its_sum_{index}",
                       (tag.valid == summed.valid)
                       & (~tag.valid | (tag.first == summed.first)
                          & (tag.negative == summed.negative)))
            self.claim(m, f"tag_with_its_dot_{index}",
                       (vector.valid == (complete.valid & complete.last))
                       & (~vector.valid | (vector.first == complete.opens)))
        self._claim_columns(m, blocks)
        self.reach(m, "complete", blocks[-1].vector.valid & ~self.macro.o.valid)
        return m

    def _blocks(self) -> list[Any]:
        """The blocks from left to right."""
        submodules: Any = self.macro.inside.submodules
        places = range(0, self.config.columns, self.config.columns_per_block)
        return [getattr(submodules, f"columns{first}") for first in places]

    def _delayed(self, m: Module) -> tuple[Any, Any]:
        """The serialiser's tag, as late as a plane's sum and as its vector's dot product."""
        names = list(tag_probes(self.config))
        tag: Any = self.serialiser.tag
        stages = [tag]
        for name in names:
            delayed: Any = Signal(PlaneTag, name=f"expected_{name}")
            with m.If(self.serialiser.enable):
                m.d.sync += delayed.eq(tag)
            tag = delayed
            stages.append(tag)
        # What the induction needs: the tags on their way.
        for name, expected in zip(names[:-1], stages[1:], strict=False):
            self.claim(m, f"{name}_on_its_way", self.probe(name) == expected.as_value())
        last, expected = self.tag("complete"), stages[-1]
        ends = expected.valid & expected.last
        self.claim(m, "complete_on_its_way",
                   (last.valid == ends) & (~ends | (last.opens == expected.opens)))
        return stages[-2], stages[-1]

    def _claim_columns(self, m: Module, blocks: list[Any]) -> None:
        """Every column gets its weights, and its sum comes out in its place."""
        offered = self.macro.w.payload.weights
        for row in range(self.config.rows_per_group):
            spread = Cat(block.weights[row].as_value() for block in blocks)
            self.claim(m, f"weights_of_row_{row}", spread == Value.cast(offered[row]))
        outputs = Cat(block.o.as_value() for block in blocks)
        self.claim(m, "outputs_in_order", Value.cast(self.macro.o.payload) == outputs)
        weights = Cat(
            Value.cast(output)[: self.config.weight_bits] for block in blocks for output in block.o
        )
        self.claim(m, "rows_in_order", Value.cast(self.macro.read_data.payload) == weights)
