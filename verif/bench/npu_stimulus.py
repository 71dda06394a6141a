# SPDX-License-Identifier: Apache-2.0
"""Requests for an NPU, sensible and malformed. It knows packets and nothing of their answers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...hdl.npu.config import TAP_BANKS, WORD_BYTES, NpuConfig
from ...hdl.npu.isa import WORDS, Descriptor, Opcode
from ...hdl.npu.packets import CHANNEL_BYTES, Memory, Request, address, header, memory_bytes
from .programs import RandomProgram, parameters
from .roundings import ROUNDING_INPUTS, near_ties, rounding_program
from .short_programs import short_programs
from .vector_layers import addition_parameters
from .walks import Arena

__all__ = ["NpuStimulus", "Packet"]

Packet = list[int]

#: Bytes of activations and of weights that programs use; more only costs cycles.
_ARENA = 512
#: Bytes of activations whose highest plane with a one is the same: some windows fit in.
_STRETCH = 32


class NpuStimulus:
    """Makes packets within the contract of one configuration, and outside it where it is told to.

    Parameters
    ----------
    config : NpuConfig
    seed : int, or sequence of int
    effort : float
        1 for as much as is useful; less makes programs use less memory, and reads less of it.

    Attributes
    ----------
    activations, weights : Arena
        The bytes that programs use.
    channels : range
        The channels whose parameters they use.
    any_multiplier : bool
        Whether the parameters on the NPU have multipliers of more than 24 bits.
    """

    def __init__(
        self, config: NpuConfig, seed: int | Sequence[int], effort: float = 1.0
    ) -> None:
        self.config = config
        self._small = effort < 0.5
        self.random = np.random.default_rng(seed)
        self._group_bytes = config.group_bytes
        self.any_multiplier = False
        self.move()

    def below(self, limit: int) -> int:
        """A random number from 0 to ``limit - 1``."""
        return int(self.random.integers(limit))

    def chance(self, probability: float) -> bool:
        """True that often."""
        return bool(self.random.random() < probability)

    def move(self) -> None:
        """Let programs use other parts of the memories from now on."""
        config = self.config
        wanted = _ARENA // 2 if self._small else _ARENA
        self.activations = self._arena(config.activation_bytes, wanted, WORD_BYTES)
        groups = self._group_bytes * min(config.macro.groups, 4)
        self.weights = self._arena(config.weight_bytes, max(wanted, groups), config.weight_port)
        width = config.requantisers
        count = min(config.channels, max(16 if self._small else 32, 3 * width))
        first = width * self.below((config.channels - count) // width + 1)
        self.channels = range(first, first + count)

    def _arena(self, size: int, wanted: int, unit: int) -> Arena:
        wanted = min(size, -(-wanted // unit) * unit)
        start = Arena(0, size).place(wanted, unit, self.random)
        return Arena(start, start + wanted)

    # Sensible requests --------------------------------------------------------------------------

    def simple(self, request: Request, *words: int) -> Packet:
        """A request whose header has a random tag, and a random count where that is ignored."""
        return [header(request, self.below(256), self.below(1 << 16)), *words]

    def word(self) -> int:
        """Any word."""
        return self.below(1 << 32)

    def writes(self, memory: Memory, offset: int, words: Sequence[int]) -> list[Packet]:
        """WRITE packets of random lengths that write `words` from a byte offset on."""
        packets, done = [], 0
        while done < len(words):
            count = min(len(words) - done, 1 + self.below(64 if self.chance(0.8) else 1024))
            place = address(memory, offset + WORD_BYTES * done)
            packet = [header(Request.WRITE, self.below(256), count), place]
            packets.append(packet + list(words[done : done + count]))
            done += count
        return packets

    def reads(self, memory: Memory, offset: int, count: int) -> list[Packet]:
        """READ packets of random lengths for `count` words from a byte offset on."""
        packets, done = [], 0
        while done < count:
            some = min(count - done, 1 + self.below(64 if self.chance(0.8) else 1024))
            place = address(memory, offset + WORD_BYTES * done)
            packets.append([header(Request.READ, self.below(256), some), place])
            done += some
        return packets

    def access(self, memory: Memory) -> list[Packet]:
        """Write somewhere, often at an end of the memory, and read there."""
        words = memory_bytes(self.config, memory) // WORD_BYTES
        count = min(words, 1 + self.below(4 if self.chance(0.7) else 48))
        offset = Arena(0, WORD_BYTES * words).place(WORD_BYTES * count, WORD_BYTES, self.random)
        values = [self.word() for _ in range(count)]
        return self.writes(memory, offset, values) + self.reads(memory, offset, count)

    def read_results(self) -> list[Packet]:
        """Read all activations that a program may have changed."""
        arena = self.activations
        return self.reads(Memory.ACTIVATIONS, arena.start, len(arena) // WORD_BYTES)

    def read_much(self, memory: Memory) -> list[Packet]:
        """Read all of a small memory, and both ends and somewhere of a big one."""
        words, some = memory_bytes(self.config, memory) // WORD_BYTES, 12 if self._small else 128
        if words <= 3 * some:
            return self.reads(memory, 0, words)
        starts = (0, words - some, self.below(words - some))
        return [p for start in starts for p in self.reads(memory, WORD_BYTES * start, some)]

    # Programs -----------------------------------------------------------------------------------

    def data(self) -> list[Packet]:
        """Write new activations, weights and parameters wherever programs use them."""
        self.any_multiplier = self.chance(0.5)
        packets = self.writes(
            Memory.ACTIVATIONS, self.activations.start, self._pixels(len(self.activations))
        )
        packets += self.writes(Memory.WEIGHTS, self.weights.start, self._bytes(len(self.weights)))
        # Sums of products, and those of the few taps of an average.
        usual = (1500.0 * self.config.macro.rows, 300.0)
        rows = parameters(
            self.random, len(self.channels), any_multiplier=self.any_multiplier,
            typical=self.random.choice(usual, len(self.channels), p=(0.6, 0.4)),
        )
        if self.chance(0.7):
            rows[-2 * self.config.requantisers :] = addition_parameters(
                self.random, self.config.requantisers, any_multiplier=self.any_multiplier
            )
        offset = CHANNEL_BYTES * self.channels.start
        return packets + self.writes(Memory.PARAMETERS, offset, rows.ravel().tolist())

    def tie_data(self) -> list[Packet]:
        """Write activations, small weights, and parameters that bring results next to ties."""
        self.any_multiplier = self.chance(0.4)
        packets = []
        for memory, start, count, limit in (
            (Memory.ACTIVATIONS, self.activations.start, ROUNDING_INPUTS, 128),
            (Memory.WEIGHTS, self.weights.start, self._group_bytes, 3),
        ):
            some = self.random.integers(-limit, limit, count).astype(np.int8)
            packets += self.writes(memory, start, some.view("<u4").tolist())
        rows = near_ties(self.random, len(self.channels), any_multiplier=self.any_multiplier)
        offset = CHANNEL_BYTES * self.channels.start
        return packets + self.writes(Memory.PARAMETERS, offset, rows.ravel().tolist())

    def tie_program(self) -> list[Descriptor]:
        """A program for `tie_data`."""
        return rounding_program(
            self.config, self.random, activations=self.activations, weights=self.weights,
            channels=self.channels, any_multiplier=self.any_multiplier,
        )

    def _pixels(self, count: int) -> list[int]:
        """Words of so many bytes; where planes can be skipped, stretches have some that are zero.
        """
        if not self.config.macro.skip_zero_planes or self.chance(0.3):
            return self._bytes(count)
        stretches = self.random.integers(0, 9, -(-count // _STRETCH))
        planes = np.repeat(stretches, _STRETCH)[:count]
        # The lowest value is the one whose planes are all zero.
        values = self.random.integers(0, 1 << planes) - 128
        return values.astype(np.int8).view("<u4").tolist()

    def _bytes(self, count: int) -> list[int]:
        """Words of so many random bytes: any, small ones, or the extremes of int8."""
        kind = self.below(4)
        if kind == 0:
            values = self.random.choice([-128, 127], count)
        elif kind == 1:
            values = np.clip(np.rint(self.random.normal(0, 12, count)), -128, 127)
        else:
            values = self.random.integers(-128, 128, count)
        return values.astype(np.int8).view("<u4").tolist()

    def program(self, vectors: int, external: int = 0, slides: bool = False) -> RandomProgram:
        """A program of about so many vectors for the data that is there.

        It may fetch weights from external memory of so many bytes, and its windows may slide.
        """
        return RandomProgram(
            self.config, self.random, activations=self.activations, weights=self.weights,
            channels=self.channels, any_multiplier=self.any_multiplier, vectors=vectors,
            external=external, slides=slides,
        )

    def run(self, descriptors: Sequence[Descriptor]) -> tuple[list[Packet], Packet]:
        """Write a program somewhere; the RUN that starts it."""
        return self.run_words([descriptor.encode() for descriptor in descriptors])

    def run_words(
        self, descriptors: Sequence[list[int]], *, at_end: bool = False
    ) -> tuple[list[Packet], Packet]:
        """Write the words of descriptors somewhere, or at the end; the RUN that starts there."""
        last_start = self.config.descriptors - len(descriptors)
        start = last_start if at_end else self.below(last_start + 1)
        words = [word for descriptor in descriptors for word in descriptor]
        packets = self.writes(Memory.PROGRAM, WORD_BYTES * WORDS * start, words)
        return packets, self.simple(Request.RUN, start)

    def in_a_row(self) -> tuple[list[Packet], list[Packet]]:
        """Write short programs somewhere; the RUNs that start them one right after the other."""
        programs = short_programs(
            self.config, self.random, activations=self.activations, weights=self.weights,
            channels=self.channels, bad=self.bad_descriptor(),
        )
        packets, run = self.run_words(programs.words)
        order = (programs.load, programs.product, programs.cut, programs.product)
        return packets, [self.simple(Request.RUN, run[1] + first) for first in order]

    def load_all(self) -> list[list[Descriptor]]:
        """Programs that load every row group of every bank, and as many taps as there can be."""
        macro, descriptors = self.config.macro, []
        most = len(self.weights) // self._group_bytes
        for bank in range(macro.banks):
            for first in range(0, macro.groups if most else 0, most or 1):
                groups = min(most, macro.groups - first)
                fields = {"bank": bank, "group": first, "groups": groups}
                fields["address"] = self.weights.start
                descriptors.append(Descriptor(Opcode.LOAD_WEIGHTS, fields))
        taps = min(self.config.taps, self.config.weight_bytes // self.config.tap_bytes)
        for bank in range(TAP_BANKS):
            descriptors.append(Descriptor(Opcode.LOAD_TAPS, {"bank": bank, "taps": taps}))
        most, end = self.config.descriptors - 1, Descriptor(Opcode.END, {})
        starts = range(0, len(descriptors), most)
        return [[*descriptors[first : first + most], end] for first in starts]

    def refill(self, unknown: NDArray[np.bool_]) -> list[Packet]:
        """Packets that write activations from the first unknown byte to the last."""
        words = np.flatnonzero(unknown.reshape(-1, WORD_BYTES).any(axis=1))
        if not words.size:
            return []
        values = [self.word() for _ in range(words[0], words[-1] + 1)]
        return self.writes(Memory.ACTIVATIONS, WORD_BYTES * int(words[0]), values)

    def bad_descriptor(self) -> list[int]:
        """Words that no hardware takes for a descriptor: unknown opcode, or another version."""
        known = self.config.opcodes
        words = Descriptor(known[self.below(len(known))], {}).encode()
        if self.chance(0.5):
            words[0] = words[0] & ~0xFF | (len(known) + self.below(256 - len(known)))
        else:
            words[0] ^= (1 + self.below(15)) << 8
        return words
