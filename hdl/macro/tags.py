# SPDX-License-Identifier: Apache-2.0
"""What travels beside an operand until its sum is used: the tag, and the line that delays it."""

from typing import Any, NamedTuple

from amaranth.hdl import Module, Signal
from amaranth.lib import data

from ..keep import keep_where
from .config import MacroConfig

__all__ = ["TagLayout", "TagLine", "tag_line"]


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


class TagLine(NamedTuple):
    """The tags of the operands and sums on their way."""

    meets: Any
    """Belongs to the operand that meets the weights."""
    sign: Any
    """Belongs to what counts negative first: the planes' sums, before they are joined; where
    ``config.inverts_in_tree``, what enters the last register of the trees."""
    coming: Any
    """Belongs to what comes to the accumulators with the next step; `outputs[0]` afterwards."""
    outputs: list[Any]
    """Belong to what enters the output registers: the accumulators, then what follows them, where
    only complete dot products are valid."""
    completes: Any
    """Belongs to what enters the output registers after the next step: the last of `outputs`
    then."""


def tag_line(m: Module, config: MacroConfig, tag: Any, next_tag: Any, enable: Signal) -> TagLine:
    """Delay the step register's tag along the datapath. `next_tag` enters that register next."""
    line = [next_tag, tag]
    first_output = 1 + config.array_registers
    for stage in range(first_output + config.output_registers - 2):
        # Blocks have copies of the one that arrives with the sums.
        copied = stage == config.array_registers - 1 and config.broadcast_registers
        later: Any = Signal(tag.shape(), name=f"tag{stage}", attrs=keep_where(copied))
        with m.If(enable):
            m.d.sync += later.eq(line[-1])
            if stage + 1 >= first_output:
                m.d.sync += later.valid.eq(line[-1].valid & line[-1].last)
        line.append(later)
    return TagLine(
        meets=line[1 + config.broadcast_registers],
        sign=line[first_output - config.sign_registers],
        coming=line[first_output - 1],
        outputs=line[first_output:],
        completes=line[-2],
    )
