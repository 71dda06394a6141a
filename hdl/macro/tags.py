# SPDX-License-Identifier: Apache-2.0
"""What travels beside an operand until its sum is used: the tag, and the line that delays it."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data

from .config import MacroConfig

__all__ = ["TagLayout", "tag_line"]


def TagLayout(config: MacroConfig) -> data.StructLayout:
    """The tag of one step.

    ``valid``: there is an operand. ``last``: it completes the dot product. ``negative``: it, or its
    top plane, is the sign plane of signed inputs. ``opens``, ``closes``: its vector is the first,
    the last of an accumulation. ``reads``: it reads one row of weights back. ``fused``: how many
    columns are fused, less one.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "last": 1,
            "negative": 1,
            "opens": 1,
            "closes": 1,
            "reads": 1,
            "fused": config.fused_bits,
        }
    )


def tag_line(m: Module, config: MacroConfig, tag: Any, enable: Signal) -> tuple[Any, list[Any]]:
    """Delay the step register's tag along the datapath.

    Returns the tag beside the planes' sums, and those at the inputs of the output registers: of the
    accumulator, then of what follows it, where only complete dot products are valid.
    """
    line = [tag]
    first_output = config.array_registers
    for stage in range(first_output + config.output_registers - 1):
        later: Any = Signal(tag.shape(), name=f"tag{stage}")
        with m.If(enable):
            m.d.sync += later.eq(line[-1])
            if stage >= first_output:
                m.d.sync += later.valid.eq(line[-1].valid & line[-1].last)
        line.append(later)
    return line[first_output - config.join_registers], line[first_output:]
