# SPDX-License-Identifier: Apache-2.0
"""The registers of the AXI4-Lite wrapper, defined once: hardware, manual and C header follow."""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Value, ValueLike

from ..npu.packets import MAGIC

__all__ = [
    "ADDRESS_BITS", "COMMAND_DATA", "COMMAND_LAST", "CONTROL", "ID", "MAP_VERSION", "REGISTERS",
    "RESPONSE_DATA", "STATUS", "VERSION", "Field", "Register",
]

#: Width of an address: 4 KB, the least that an interconnect of AXI hands out.
ADDRESS_BITS = 12

#: Counts up when software for an older map could not use a newer one.
MAP_VERSION = 1


@dataclass(frozen=True)
class Field:
    """Some bits of a register; those that no field has read as zero and are ignored in writes."""

    name: str
    low: int
    bits: int
    meaning: str

    @property
    def mask(self) -> int:
        """The bits, in place."""
        return (1 << self.bits) - 1 << self.low

    def extract(self, word: int) -> int:
        """The field's value in a word that was read."""
        return (word & self.mask) >> self.low


@dataclass(frozen=True)
class Register:
    """A register of 32 bits; without fields all of them are one value."""

    name: str
    offset: int
    """Of its byte address from the first one."""
    readable: bool
    writable: bool
    meaning: str
    fields: tuple[Field, ...] = ()

    @property
    def word(self) -> int:
        """Its number, counted in words."""
        return self.offset // 4

    def field(self, name: str) -> Field:
        """The field of that name."""
        return next(field for field in self.fields if field.name == name)

    def assemble(self, values: Mapping[str, ValueLike]) -> Value:
        """The word of 32 bits that has these values in its fields, and zero elsewhere."""
        parts: list[Value] = []
        for field in self.fields:
            value = Value.cast(values[field.name])
            assert len(value) <= field.bits, f"{field.name} of {self.name} is too narrow"
            parts += [Const(0, field.low - sum(map(len, parts))), value]
        return Cat(*parts, Const(0, 32 - sum(map(len, parts))))


ID = Register(
    "ID", 0x00, True, False,
    f"Reads as {MAGIC:#010x}: the letters CIMP, the first one in the low byte.",
)
VERSION = Register(
    "VERSION", 0x04, True, False, "What software has to know about the wrapper.",
    (
        Field("MAP_VERSION", 0, 8, f"Version of this register map: {MAP_VERSION}."),
        Field("FIFO_DEPTH", 16, 16, "Words that each of the two FIFOs holds."),
    ),
)
CONTROL = Register(
    "CONTROL", 0x08, True, True, "A write sets both fields.",
    (
        Field("RESET", 0, 1, "Write 1: the NPU is reset as by `aresetn`, and both FIFOs are "
              "emptied; the next access finds it done. Reads as 0."),
        Field("INTERRUPT_ENABLE", 1, 1, "The port `irq` is high while a word of an answer "
              "can be read. 0 at first."),
    ),
)
STATUS = Register(
    "STATUS", 0x0C, True, False, "What can be written and read without an error.",
    (
        Field("RESPONSE_AVAILABLE", 0, 1, "RESPONSE_DATA can be read."),
        Field("RESPONSE_LAST", 1, 1, "The word that RESPONSE_DATA gives next is the last one of "
              "its answer. 0 where there is none."),
        Field("COMMAND_SPACE", 8, 12, "Words that can be written to COMMAND_DATA and "
              "COMMAND_LAST."),
        Field("RESPONSE_LEVEL", 20, 12, "Words that can be read from RESPONSE_DATA."),
    ),
)
COMMAND_DATA = Register(
    "COMMAND_DATA", 0x10, False, True, "The next word of a request, which is not its last. "
    "SLVERR where the FIFO is full: the word is not taken.",
)
COMMAND_LAST = Register(
    "COMMAND_LAST", 0x14, False, True, "The last word of a request; otherwise as COMMAND_DATA.",
)
RESPONSE_DATA = Register(
    "RESPONSE_DATA", 0x18, True, False, "The next word of an answer; reading takes it. SLVERR and "
    "zero where there is none.",
)

REGISTERS = (ID, VERSION, CONTROL, STATUS, COMMAND_DATA, COMMAND_LAST, RESPONSE_DATA)
