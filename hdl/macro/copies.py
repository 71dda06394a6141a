# SPDX-License-Identifier: Apache-2.0
"""What every block of columns is told in a cycle, from registers that are near it where it counts.

With ``broadcast_registers: 1`` each block has registers of its own for its operand, its enable and
what its accumulators do.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from amaranth.hdl import Module, Signal, Value

from ..keep import keep_where
from .config import MacroConfig
from .output_buffer import OutputBuffer
from .serialiser import Serialiser
from .tags import TagLine

__all__ = ["broadcast_operand", "control_blocks", "copy_names"]

def copy_names(config: MacroConfig) -> Iterator[tuple[str, str]]:
    """Names of the registers that copy the tag in `control_blocks`, and the field that each has."""
    if not config.broadcast_registers:
        return
    for first in range(0, config.columns, config.columns_per_block):
        yield f"columns{first}_valid", "valid"
        yield f"columns{first}_last", "last"
        for column in range(min(config.columns_per_block, config.columns - first)):
            yield f"columns{first}_negative{column}", "negative"


def control_blocks(
    m: Module, config: MacroConfig, buffer: OutputBuffer, tags: TagLine, blocks: Mapping[str, Any]
) -> None:
    """Tell every block when to move, and its accumulators what to do with the sums they get."""
    for name, block in blocks.items():
        # The sums of vectors cut short by a reset are cleared in the cycle after it.
        was_reset = Signal(
            name=f"{name}_was_reset", init=1, attrs=keep_where(config.broadcast_registers)
        )
        m.d.sync += was_reset.eq(0)
        tag: Any = tags.outputs[0]
        enable, valid, last = buffer.enable, tag.valid, tag.valid & tag.last
        negatives = [tag.negative for _ in block.control]
        if config.broadcast_registers:
            enable = _enable(m, config, buffer, name)
            valid = Signal(name=f"{name}_valid", attrs=keep_where(True))
            last = Signal(name=f"{name}_last", attrs=keep_where(True))
            negatives = [
                Signal(name=f"{name}_negative{column}", attrs=keep_where(True))
                for column in range(len(negatives))
            ]
            coming: Any = tags.coming
            with m.If(enable):
                m.d.sync += [valid.eq(coming.valid), last.eq(coming.valid & coming.last)]
                m.d.sync += [negative.eq(coming.negative) for negative in negatives]
        m.d.comb += block.enable.eq(enable)
        for control, negative in zip(block.control, negatives, strict=True):
            m.d.comb += [
                control.adds.eq(enable & valid),
                control.completes.eq((enable & last) | was_reset),
                control.negative.eq(negative),
            ]


def _enable(m: Module, config: MacroConfig, buffer: OutputBuffer, name: str) -> Value:
    """A copy of the enable, where it is known a cycle before."""
    if config.output_buffer == 1:
        return buffer.enable
    enable = Signal(name=f"{name}_enable", init=1, reset_less=True, attrs=keep_where(True))
    m.d.sync += enable.eq(buffer.next_enable)
    return enable


def broadcast_operand(
    m: Module, config: MacroConfig, steps: Serialiser, tags: TagLine, blocks: Mapping[str, Any]
) -> Value:
    """Hand each operand to the blocks, `config.broadcast_registers` cycles after the step register.

    Returns the bank of which the blocks use the weights.
    """
    operand, bank = Value.cast(steps.operand), steps.bank
    # One bank has a number that means nothing.
    several = config.banks > 1
    meets_bank: Signal = bank
    if config.broadcast_registers:
        meets_bank = Signal.like(bank, name="meets_bank", attrs=keep_where(several))
        with m.If(steps.enable):
            m.d.sync += meets_bank.eq(bank)
    for name, block in blocks.items():
        operand_here, bank_here = operand, meets_bank
        if config.broadcast_registers:
            operand_here = _copy(m, f"{name}_operand", operand, block.enable)
            if several:
                bank_here = _copy(m, f"{name}_bank", bank, block.enable)
        block.share("operand", operand_here)
        m.d.comb += [block.bank.eq(bank_here), block.fused.eq(tags.meets.fused)]
    return meets_bank


def _copy(m: Module, name: str, value: Value, enable: Value) -> Signal:
    """A register of its own for a value."""
    copy = Signal(len(value), name=name, reset_less=True, attrs=keep_where(True))
    with m.If(enable):
        m.d.sync += copy.eq(value)
    return copy
