# SPDX-License-Identifier: Apache-2.0
"""The blocks of columns: each gets the operands, weights and tags that belong together."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from ...hdl.macro.config import MacroConfig
from ...hdl.macro.tags import TagLayout
from .macro_proof import MacroProof, buffer_probes, tag_probes

__all__ = ["Alignment"]


class Alignment(MacroProof):
    """A tag reaches the accumulators with the sum of its step, and all columns are alike.

    The sum is there `array_registers` steps after the operand (`Storage`, `TreeSums` and `JoinSums`
    prove that of the blocks), so the tag must be as late; each register behind the accumulator adds
    one, and takes complete dot products only.
    """

    def __init__(self, config: MacroConfig) -> None:
        super().__init__(config, tag_probes(config) | buffer_probes(config))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        blocks = list(self.blocks.values())
        meets, sign, outputs = self._delayed(m)
        operand = self._operand(m)
        for index, block in enumerate(blocks):
            self.claim(m, f"same_operand_{index}",
                       (Value.cast(block.operand) == operand[: -len(block.bank)])
                       & self.same_bank(block.bank, operand[-len(block.bank) :]))
            self.claim(m, f"same_fusion_{index}", block.fused == meets.fused)
            self.claim(m, f"tag_with_sign_{index}", _same(block.sign_tag, sign))
            for place, expected in enumerate(outputs[1:]):
                self.claim(m, f"tag_with_sum_{place}_{index}",
                           _same(block.later_tags[place], expected))
        self._claim_control(m, blocks, outputs[0])
        self._claim_weights(m, blocks)
        self._claim_columns(m, blocks)
        complete = outputs[-1].valid & outputs[-1].last
        self.reach(m, "complete", complete & ~self.macro.o.valid)
        return m

    def _operand(self, m: Module) -> Value:
        """What every block must get: an operand and its bank."""
        steps = self.serialiser
        operand: Value = Cat(Value.cast(steps.operand), steps.bank)
        if self.config.broadcast_registers:
            registered = Signal(len(operand), name="expected_operand", reset_less=True)
            with m.If(steps.enable):
                m.d.sync += registered.eq(operand)
            operand = registered
        return operand

    def _delayed(self, m: Module) -> tuple[Any, Any, list[Any]]:
        """The serialiser's tag, as late as operands, their signs, and what each register takes."""
        config = self.config
        stages: list[Any] = [self.serialiser.tag]
        for stage, name in enumerate(tag_probes(config)):
            delayed: Any = Signal(TagLayout(config), name=f"expected_{name}")
            with m.If(self.serialiser.enable):
                m.d.sync += delayed.eq(stages[-1])
                if stage >= config.array_registers:
                    m.d.sync += delayed.valid.eq(stages[-1].valid & stages[-1].last)
            stages.append(delayed)
            # What the induction needs: the tags on their way.
            self.claim(m, f"{name}_on_its_way", self.probe(name) == delayed.as_value())
        summed = config.array_registers
        sign = stages[summed - config.sign_registers]
        return stages[config.broadcast_registers], sign, stages[summed:]

    def _claim_control(self, m: Module, blocks: list[Any], tag: Any) -> None:
        """Accumulators add each sum once, when nothing holds it up, and are cleared by a reset."""
        was_reset = Signal(init=1)
        m.d.sync += was_reset.eq(0)
        adds = self.serialiser.enable & tag.valid
        controls = [control for block in blocks for control in block.control]
        for index, control in enumerate(controls):
            self.claim(m, f"adds_{index}", control.adds == adds)
            self.claim(m, f"completes_{index}", control.completes == (adds & tag.last) | was_reset)
            self.claim(m, f"subtracts_{index}", ~adds | (control.negative == tag.negative))

    def _claim_weights(self, m: Module, blocks: list[Any]) -> None:
        """Every column gets its weights, with what the writer says of them."""
        if not self.config.is_writable:
            return
        for index, block in enumerate(blocks):
            self.claim(m, f"same_writing_{index}",
                       block.step.as_value() == self.writer.step.as_value())
        spread = Cat(block.weights.as_value() for block in blocks)
        offered = Value.cast(self.macro.w.payload.weights)
        if self.config.write_registers:
            before = Signal.like(offered, name="weights_before", reset_less=True)
            m.d.sync += before.eq(offered)
            offered = before
        self.claim(m, "weights_in_order", spread == offered)

    def _claim_columns(self, m: Module, blocks: list[Any]) -> None:
        """The sum of every column comes out in its place."""
        outputs = Cat(block.o.as_value() for block in blocks)
        self.claim_kept(m)
        if self.config.output_buffer > 1:
            # While everything stands still, the buffer offers what was there before.
            moves = self.serialiser.enable
            before = Signal(len(outputs), name="outputs_before", reset_less=True)
            with m.If(moves):
                m.d.sync += before.eq(outputs)
            outputs = Mux(moves, outputs, before)
        self.claim(m, "outputs_in_order", Value.cast(self.macro.o.payload) == outputs)
        bits, weight_bits = self.config.output_bits, self.config.weight_bits
        weights = Cat(
            outputs[column * bits :][:weight_bits] for column in range(self.config.columns)
        )
        self.claim(m, "rows_in_order", Value.cast(self.macro.read_data.payload) == weights)


def _same(tag: Any, expected: Any) -> Value:
    """Two tags say the same; what one says that is not valid does not matter."""
    return (tag.valid == expected.valid) & (~tag.valid | (tag.as_value() == expected.as_value()))
