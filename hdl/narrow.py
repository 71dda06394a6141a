# SPDX-License-Identifier: Apache-2.0
"""Cutting a value down to a shape, said aloud."""

from amaranth.hdl import Shape, Value, ValueLike

__all__ = ["narrow"]


def narrow(value: ValueLike, shape: Shape) -> Value:
    """The low bits of `value`, read as `shape`.

    Amaranth widens every sum and product by the bits it may need, and cuts in silence where the
    result is assigned. This is for a result whose range is known to fit, or meant to wrap around;
    elsewhere the design rules (`hdl.checks`) report the cut.
    """
    bits = Value.cast(value)[: shape.width]
    return bits.as_signed() if shape.signed else bits
