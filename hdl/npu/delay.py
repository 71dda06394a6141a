# SPDX-License-Identifier: Apache-2.0
"""A value some cycles later, for what belongs to something that is on its way."""

from typing import Any

from amaranth.hdl import Module, Signal

__all__ = ["delayed"]


def delayed(m: Module, name: str, value: Any, cycles: int, *, reset_less: bool = False) -> Any:
    """A value or view so many cycles later, through registers called `name` and a number."""
    for cycle in range(cycles):
        later = Signal(value.shape(), name=f"{name}{cycle}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value
