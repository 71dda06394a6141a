# SPDX-License-Identifier: Apache-2.0
"""The registers of the AXI4-Lite wrapper as tables, from `cimple.hdl.link.register_map`."""

from md_pieces import code, escape, table

from cimple.hdl.link.register_map import REGISTERS, Register

__all__ = ["fields", "registers"]


def registers() -> str:
    """Every register."""
    rows = (
        (code(f"{register.offset:#04x}"), code(register.name), _access(register),
         escape(register.meaning))
        for register in REGISTERS
    )
    return table(["Offset", "Register", "Access", "Meaning"], rows)


def fields() -> str:
    """Every field of every register that has some."""
    rows = (
        (code(register.name), code(field.name), _bits(field.low, field.bits),
         escape(field.meaning))
        for register in REGISTERS for field in register.fields
    )
    return table(["Register", "Field", "Bits", "Meaning"], rows)


def _access(register: Register) -> str:
    return ", ".join(["read"] * register.readable + ["write"] * register.writable)


def _bits(low: int, bits: int) -> str:
    return f"{low + bits - 1}:{low}" if bits > 1 else str(low)
