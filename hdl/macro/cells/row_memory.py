# SPDX-License-Identifier: Apache-2.0
"""A row's weights in a LUT-RAM: one word a bank."""

from amaranth.hdl import Module, Value
from amaranth.lib import data, memory

from ..config import MacroConfig

__all__ = ["row_memory"]


def row_memory(
    m: Module,
    name: str,
    config: MacroConfig,
    step: data.View,
    row: int,
    incoming: Value,
    bank: Value,
) -> Value:
    """Add the memory as submodule `name`; the word of `bank`, read without a register.

    One bank can be written while another is read. A LUT-RAM has 16 words, used or not.
    """
    m.submodules[name] = cells = memory.Memory(shape=len(incoming), depth=16, init=[])
    cells.attrs["ram_style"] = "distributed"
    write, read = cells.write_port(), cells.read_port(domain="comb")
    m.d.comb += [
        write.en.eq(step.store[row]),
        write.addr.eq(step.bank),
        write.data.eq(incoming),
        read.addr.eq(bank if config.banks > 1 else 0),
    ]
    return read.data
