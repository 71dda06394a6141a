# SPDX-License-Identifier: Apache-2.0
"""A value some cycles later, for what belongs to something that is on its way."""

from typing import Any

from amaranth.hdl import Module, Signal

from ..keep import keep_where

__all__ = ["delayed"]


def delayed(
    m: Module, name: str, value: Any, cycles: int, *, reset_less: bool = False, keep: bool = False
) -> Any:
    """A value or view so many cycles later, through registers called `name` and a number.

    With `keep` they are not merged with others that hold the same.
    """
    attributes = keep_where(keep)
    for cycle in range(cycles):
        later = Signal(
            value.shape(), name=f"{name}{cycle}", reset_less=reset_less, attrs=attributes
        )
        m.d.sync += later.eq(value)
        value = later
    return value
