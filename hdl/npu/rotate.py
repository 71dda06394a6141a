# SPDX-License-Identifier: Apache-2.0
"""Rotation of lanes: what takes bytes from any alignment to any other."""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Mux, Value

from .delay import delayed

__all__ = ["rotated", "wraps"]


def rotated(m: Module, name: str, items: Sequence[Value], amount: Value) -> list[Value]:
    """``[items[(index + amount) % len(items)] for index ...]``, a cycle later.

    The length is a power of two. A register, called by `name`, stands between the halves of the
    ``log2(len(items))`` levels of multiplexers. Without it, synthesis melts them into multiplexers
    with as many inputs as there are lanes: 4,768 LUT4 of an ECP5 for 32 bytes, instead of 1,536.
    """
    count = len(items)
    assert count.bit_count() == 1, "the number of lanes must be a power of two"
    bits = count.bit_length() - 1
    result = list(items)
    for bit in range(bits):
        if bit == bits // 2:
            result = [
                delayed(m, f"{name}{index}_", item, 1, reset_less=True)
                for index, item in enumerate(result)
            ]
            amount = delayed(m, f"{name}_amount", amount, 1, reset_less=True)
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
