# SPDX-License-Identifier: Apache-2.0
"""The instruction set as tables and drawings, from `cimple.hdl.npu.isa`."""

from collections.abc import Sequence

from md_pieces import code, escape, table

from cimple.hdl.npu.isa import FIELDS, VERSION, WORDS, BitField, Opcode, Queue

__all__ = ["descriptors", "opcodes"]

#: What stands in a drawing where no field is.
RESERVED = "0"


def opcodes() -> str:
    """Every opcode with its code and queue."""
    rows = (
        (code(opcode.name), int(opcode), code(opcode.queue.name) if opcode.queue is not None else
         "none: END stays with the sequencer")
        for opcode in Opcode
    )
    queues = ", ".join(f"{queue.name} is bit {int(queue)}" for queue in Queue)
    return (
        f"Version of the instruction set: {VERSION}. A descriptor has {WORDS} words of 32 bits.\n\n"
        + table(["Opcode", "Code", "Queue"], rows)
        + f"\nIn the masks `wait` and `signal`, {queues}.\n"
    )


def descriptors() -> str:
    """For every opcode a drawing of its words and a table of its fields."""
    return "\n".join(_section(opcode) for opcode in Opcode)


def _section(opcode: Opcode) -> str:
    fields = FIELDS[opcode]
    rows = (
        (code(field.name), field.word, _bits(field.low + field.bits - 1, field.low),
         _range(field), escape(field.meaning))
        for field in sorted(fields, key=lambda field: field.offset)
    )
    return (
        f"({_anchor(opcode)})=\n### {opcode.name} ({int(opcode)})\n\n"
        f"```text\n{_drawing(fields)}```\n\n"
        + table(["Field", "Word", "Bits", "Range", "Meaning"], rows)
    )


def _anchor(opcode: Opcode) -> str:
    return f"descriptor-{opcode.name.lower().replace('_', '-')}"


def _range(field: BitField) -> str:
    low, high = field.range
    return f"{low:,} to {high:,}" if high < 1 << 20 else f"{field.bits} bits"


def _bits(high: int, low: int) -> str:
    return f"{high}:{low}" if high > low else str(high)


def _drawing(fields: Sequence[BitField]) -> str:
    """Each word with its fields, the highest bit on the left; words without fields in one line."""
    used = sorted({field.word + extra for field in fields for extra in range(-(-field.bits // 32))})
    lines = []
    for word in used:
        cells = _cells([field for field in fields if field.word == word])
        for label, index in ((f"word {word}", 0), ("", 1)):
            lines.append(f"{label:8}| " + " | ".join(_pad(cell, index) for cell in cells) + " |")
    if empty := [str(word) for word in range(WORDS) if word not in used]:
        lines.append(f"words {', '.join(empty)}: {RESERVED}")
    return "\n".join(lines) + "\n"


def _cells(fields: Sequence[BitField]) -> list[tuple[str, str]]:
    """Bits and name of each field of a word and of the gaps between, from the highest bit down."""
    cells, top = [], 31
    for field in sorted(fields, key=lambda field: -field.low):
        high = field.low + field.bits - 1
        if high < top:
            cells.append((_bits(top, high + 1), RESERVED))
        cells.append((_bits(high, field.low), field.name))
        top = field.low - 1
    if top >= 0:
        cells.append((_bits(top, 0), RESERVED))
    return cells


def _pad(cell: tuple[str, str], index: int) -> str:
    return cell[index].ljust(max(map(len, cell)))
