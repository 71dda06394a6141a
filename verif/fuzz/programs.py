# SPDX-License-Identifier: Apache-2.0
"""Programs that nobody should write: from one wrong bit to words without any sense."""

from collections.abc import Callable

import numpy as np

from ...hdl.npu.isa import FIELDS, VERSION, WORDS, BitField, Descriptor, Opcode, Queue
from ..bench.npu_stimulus import NpuStimulus
from ..bench.program_builder import ProgramBuilder

__all__ = ["HostilePrograms"]

Words = list[list[int]]

#: Vectors of the sound programs that others are made from.
_VECTORS = 16


class HostilePrograms:
    """Makes programs as words of descriptors, each kind in many forms.

    Parameters
    ----------
    stimulus : NpuStimulus
        Makes the sound programs, and has the random generator.

    Attributes
    ----------
    kinds : dict from str to callable
        What makes a program of each kind.
    """

    def __init__(self, stimulus: NpuStimulus) -> None:
        self._stimulus = stimulus
        self._known = stimulus.config.opcodes
        self._random: np.random.Generator = stimulus.random
        self.kinds: dict[str, Callable[[], Words]] = {
            "sound": self.sound,
            "stuck": self._stuck,
            "vain": self._vain,
            "tokens": self._tokens,
            "spare tokens": self._spare_tokens,
            "bits": self._bits,
            "order": self._order,
            "fields": self._fields,
            "arbitrary": self._arbitrary,
        }

    def sound(self) -> Words:
        """A program that is defined, if the memories are as it was made for."""
        return self._encoded(stuck=False)

    def _stuck(self) -> Words:
        """One that waits in vain."""
        return self._encoded(stuck=True)

    def _vain(self) -> Words:
        """One that does nothing but wait in vain."""
        return [d.encode() for d in ProgramBuilder().finish(stuck=True)]

    def _tokens(self) -> Words:
        """Tokens that nobody gives, or that nobody takes."""
        program = self._encoded(stuck=False)
        for _ in range(1 + self._below(4)):
            words = program[self._below(len(program))]
            words[0] ^= 1 << (16 + self._below(3) + 4 * self._below(2))
        return program

    def _spare_tokens(self) -> Words:
        """It ends, and tokens are left; those of this program must not meet the next."""
        load = {"taps": 1, "signal": (1 + self._below(3)) << Queue.COMPUTE}
        program = [Descriptor(Opcode.LOAD_TAPS, load)] * (1 + self._below(3))
        return [d.encode() for d in (*program, Descriptor(Opcode.END, {}))]

    def _bits(self) -> Words:
        """Some bits are wrong, in headers, fields, or where no field is."""
        program = self._encoded(stuck=False)
        for _ in range(1 + self._below(6)):
            words = program[self._below(len(program))]
            words[self._below(WORDS)] ^= 1 << self._below(32)
        return program

    def _order(self) -> Words:
        """Descriptors lost, doubled or swapped."""
        program = self._encoded(stuck=False)
        for _ in range(1 + self._below(3)):
            first, second = self._below(len(program)), self._below(len(program))
            match self._below(3):
                case 0 if len(program) > 1:
                    del program[first]
                case 1:
                    program[second] = list(program[first])
                case _:
                    program[first], program[second] = program[second], program[first]
        return program

    def descriptor(self) -> list[int]:
        """One with any values in the fields of its kind, END among the kinds."""
        opcode = self._known[self._below(len(self._known))]
        left_out = ["opcode", "version"]
        if not self._stimulus.config.macro.skip_zero_planes:
            # The golden model says nothing of a program that asks for it; `bits` are set anyway.
            left_out.append("skip_zero_planes")
        values = {f.name: self._value(f) for f in FIELDS[opcode] if f.name not in left_out}
        if self._below(2):
            # Without tokens to wait for it surely starts.
            values |= {"wait": 0}
        return Descriptor(opcode, values).encode()

    def _fields(self) -> Words:
        """Descriptors of known kinds with any values in their fields."""
        program = [self.descriptor() for _ in range(1 + self._below(6))]
        if self._below(4):
            program.append(Descriptor(Opcode.END, {}).encode())
        return program

    def _arbitrary(self) -> Words:
        """Random words, now and then behind a header that is taken."""
        program = []
        for _ in range(1 + self._below(6)):
            words = [self._below(1 << 32) for _ in range(WORDS)]
            if self._below(8):
                words[0] = words[0] & ~0xFFF | self._below(len(self._known)) | VERSION << 8
            program.append(words)
        return program

    def _value(self, field: BitField) -> int:
        low, high = field.range
        match self._below(6):
            case 0:
                return low if self._below(2) else high
            case 1:
                return low + self._below(high - low + 1)
            case _:
                return self._below(min(high + 1, 9))

    def _encoded(self, *, stuck: bool) -> Words:
        descriptors = self._stimulus.program(_VECTORS).builder.finish(stuck=stuck)
        return [descriptor.encode() for descriptor in descriptors]

    def _below(self, limit: int) -> int:
        return int(self._random.integers(limit))
