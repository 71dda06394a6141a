# SPDX-License-Identifier: Apache-2.0
"""Programs short enough that what one leaves behind in the macro meets the next.

A program begins with a reset of the engines, and a RESET packet or a fault ends it with one. The
weights of a moment ago must survive that, and sums that it cuts short must not.
"""

from typing import NamedTuple

import numpy as np

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, Opcode
from .walks import Arena, Fields

__all__ = ["ShortPrograms", "short_programs"]


class ShortPrograms(NamedTuple):
    """Programs one behind the other, in `words` of descriptors; each begins at a number."""

    words: list[list[int]]
    #: Loads row groups.
    load: int
    #: Computes one vector with them, and has its results written.
    product: int
    #: The same some times over, cut short by a descriptor that no hardware takes.
    cut: int


def short_programs(
    config: NpuConfig,
    random: np.random.Generator,
    *,
    activations: Arena,
    weights: Arena,
    channels: range,
    bad: list[int],
) -> ShortPrograms:
    """The programs; `bad` are the words of the descriptor that cuts one short."""
    macro = config.macro
    groups = min(macro.groups, len(weights) // config.group_bytes)
    depth = min(macro.rows, groups * macro.rows_per_group, len(activations) // 2)
    count = min(macro.columns, len(channels), len(activations) // 2)
    bank = int(random.integers(macro.banks))
    load: Fields = {"bank": bank, "groups": groups, "address": weights.start}
    compute: Fields = {
        "bank": bank, "start": activations.start, "row_bytes": depth, "height": 1,
        "run_bytes": depth, "depth": depth, "out_width": 1, "out_height": 1,
    }
    if macro.skip_zero_planes:
        compute["skip_zero_planes"] = int(random.integers(2))
    result: Fields = {
        "out_start": activations.start + depth, "out_width": 1, "out_height": 1,
        "channels": count, "channel": channels.start, "clamp_low": -128, "clamp_high": 127,
    }
    end = Descriptor(Opcode.END, {}).encode()
    # Vectors are under way when the fetch comes to the last descriptor, more of them or fewer.
    often = {"out_width": 4 + int(random.integers(12))}
    programs = [
        [Descriptor(Opcode.LOAD_WEIGHTS, load).encode(), end],
        [*_product(compute, result), end],
        [*_product(compute | often, result | often), bad],
    ]
    starts = np.cumsum([0, *map(len, programs)]).tolist()
    return ShortPrograms([words for program in programs for words in program], *starts[:-1])


def _product(compute: Fields, result: Fields) -> list[list[int]]:
    return [
        Descriptor(Opcode.COMPUTE, compute).encode(),
        Descriptor(Opcode.REQUANTISE, result).encode(),
    ]
