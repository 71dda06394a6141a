# SPDX-License-Identifier: Apache-2.0
"""Memories of one reader and one writer that never meet at an address when it matters."""

from typing import Any

from amaranth.lib import memory

__all__ = ["block_memory"]


def block_memory(shape: Any, depth: int) -> memory.Memory:
    """A memory of `depth` entries, which begins as zeros.

    What is read while it is written means nothing: tokens order the engines, and the host does not
    read and write at once. Synthesis is told so. Else it adds what keeps the old entry: comparators
    of addresses, a register and a multiplexer for each bit behind the block RAM.
    """
    attributes: Any = {"no_rw_check": 1}
    return memory.Memory(shape=shape, depth=depth, init=[], attrs=attributes)
