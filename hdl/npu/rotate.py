# SPDX-License-Identifier: Apache-2.0
"""Rotation of lanes: what takes bytes from any alignment to any other."""

from collections.abc import Sequence

from amaranth.hdl import Const, Mux, Value

__all__ = ["rotated", "wraps"]


def rotated(items: Sequence[Value], amount: Value) -> list[Value]:
    """``[items[(index + amount) % len(items)] for index ...]``; the length is a power of two.

    Cost: ``log2(len(items))`` multiplexers for each bit.
    """
    result = list(items)
    count = len(result)
    assert count & (count - 1) == 0, "the number of lanes must be a power of two"
    for bit in range(count.bit_length() - 1):
        result = [
            Mux(amount[bit], result[(index + (1 << bit)) % count], result[index])
            for index in range(count)
        ]
    return result


def wraps(first: Value, lane: int) -> Value:
    """Whether what begins in lane `first` reaches `lane` only in the next word.

    The last lane is never reached so; comparing would be a comparison with a constant outcome.
    """
    return first > lane if lane < (1 << len(first)) - 1 else Const(0, 1)
