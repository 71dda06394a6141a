# SPDX-License-Identifier: Apache-2.0
"""Registers that hold the same as others and are meant to."""

__all__ = ["keep_where"]


def keep_where(condition: object) -> dict[str, int]:
    """Attributes of a register, and of what is registered with it, for `Signal(attrs=...)`.

    Placed on an FPGA, the parts of a wide design lie far apart, and a signal that reaches all of
    them takes longer than an adder. So what they need is registered once for each. Synthesis would
    merge these registers into one, or into another that holds the same; with the attribute `keep`
    on all of them, which the Verilog has at the process too, it leaves each as it is.
    """
    return {"keep": 1} if condition else {}
