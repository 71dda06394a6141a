# SPDX-License-Identifier: Apache-2.0
"""The registers of the AXI4-Lite wrapper and the serial link's frames as tables."""

from enum_docs import member_docs
from md_pieces import code, escape, table

from cimple.hdl.link.frames import (
    ANSWER,
    COMMAND,
    POSITION_BITS,
    Answer,
    Command,
    Fact,
    LinkEvent,
)
from cimple.hdl.link.register_map import REGISTERS, Register

__all__ = ["fields", "link_control", "link_reports", "registers"]


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


def link_control() -> str:
    """The control word's fields and flags."""
    ack = 8 + POSITION_BITS
    kinds = f"{code(f'{COMMAND:#x}')} from a host, {code(f'{ANSWER:#x}')} from a device"
    rows = [
        (_bits(0, 4), "flags", "see below"),
        (_bits(4, 4), "kind", f"{kinds}, so that an echo is none"),
        (_bits(8, POSITION_BITS), "position", "number of a word in this direction"),
        (_bits(ack, POSITION_BITS), "ack", "number of the word that is awaited"),
    ]
    flags = [
        (frames, code(name), str(int(kind[name]).bit_length() - 1), text)
        for frames, kind in (("command", Command), ("answer", Answer))
        for name, text in member_docs(kind).items()
    ]
    return (
        table(["Bits", "Field", "Meaning"], rows) + "\n"
        + table(["Frames", "Flag", "Bit", "Meaning"], flags)
    )


def link_reports() -> str:
    """The words of a report."""
    rows = [
        (str(int(each)), code(each.name), escape(member_docs(type(each))[each.name]))
        for each in (*LinkEvent, *Fact)
    ]
    return table(["Word", "Name", "Meaning"], rows)


def _access(register: Register) -> str:
    return ", ".join(["read"] * register.readable + ["write"] * register.writable)


def _bits(low: int, bits: int) -> str:
    return f"{low + bits - 1}:{low}" if bits > 1 else str(low)
