# SPDX-License-Identifier: Apache-2.0
"""Requests that an NPU must refuse, one kind after another."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ...hdl.npu.config import WORD_BYTES, NpuConfig
from ...hdl.npu.packets import MEMORY_SHIFT, Memory, Request, address, header, memory_bytes

__all__ = ["MalformedPackets"]

Packet = list[int]
T = TypeVar("T")

_FIXED = {
    Request.READ: 2, Request.RESET: 1, Request.RUN: 2, Request.IDENTIFY: 1, Request.SYNC: 2,
    Request.COUNTERS: 1,
}


class MalformedPackets:
    """Makes malformed packets, each kind in many forms.

    Parameters
    ----------
    config : NpuConfig
    random : numpy.random.Generator

    Attributes
    ----------
    kinds : dict from str to callable
        What makes a packet of each kind.
    """

    def __init__(self, config: NpuConfig, random: np.random.Generator) -> None:
        self.config = config
        self._random = random
        self._made: Counter[str] = Counter()
        self.kinds: dict[str, Callable[[], Packet]] = {
            "unknown opcode": self._unknown_opcode,
            "too short": self._too_short,
            "too long": self._too_long,
            "write without data": self._write_without_data,
            "write too short": self._write_too_short,
            "write too long": self._write_too_long,
            "no count": self._no_count,
            "unaligned": self._unaligned,
            "no such memory": self._no_such_memory,
            "beyond the end": self._beyond_the_end,
            "no such descriptor": self._no_such_descriptor,
            "garbage": self._garbage,
        }

    def _unknown_opcode(self) -> Packet:
        known = set(Request)
        codes = [code for code in range(256) if code not in known]
        return [self._header(self._one_of(codes), self._below(1 << 16)), *self._words(0, 12)]

    def _too_short(self) -> Packet:
        two = [request for request, length in _FIXED.items() if length == 2]
        return [self._header(self._next("short", two), self._below(1 << 16))]

    def _too_long(self) -> Packet:
        request = self._next("long", list(_FIXED))
        most = 8 if self._below(4) else 300
        return [self._header(request, self._below(4)), *self._words(_FIXED[request], most)]

    def _write_without_data(self) -> Packet:
        if self._next("write", [True, False]):
            return [self._header(Request.WRITE, self._below(3))]
        return self._access(Request.WRITE, self._memory(), 0, 1 + self._below(4))

    def _write_too_short(self) -> Packet:
        memory = self._memory()
        count = min(2 + self._below(12), memory_bytes(self.config, memory) // WORD_BYTES)
        return self._access(Request.WRITE, memory, 0, count) + self._words(1, count - 1)

    def _write_too_long(self) -> Packet:
        count = 1 + self._below(12)
        packet = self._access(Request.WRITE, self._memory(), 0, count)
        return packet + self._words(count + 1, count + 6)

    def _no_count(self) -> Packet:
        return self._whole("count", self._memory(), 0, 0)

    def _unaligned(self) -> Packet:
        return self._whole("unaligned", self._memory(), 1 + self._below(3), 1)

    def _no_such_memory(self) -> Packet:
        number = len(Memory) + self._below(16 - len(Memory))
        place = number << MEMORY_SHIFT | WORD_BYTES * self._below(64)
        packet = self._whole("memory", self._memory(), 0, 1)
        return [packet[0], place, *packet[2:]]

    def _beyond_the_end(self) -> Packet:
        memory, count = self._memory(), 1 + self._below(8)
        size = memory_bytes(self.config, memory)
        offset = size - WORD_BYTES * self._below(count)
        if not self._below(3):
            offset = size + WORD_BYTES * self._below(((1 << MEMORY_SHIFT) - size) // WORD_BYTES)
        if not self._below(3):
            count = min(size // WORD_BYTES + 1, (1 << 16) - 1)
            offset = size - WORD_BYTES * (count - 1)
        return self._whole("beyond", memory, offset, count)

    def _no_such_descriptor(self) -> Packet:
        number = self.config.descriptors + self._below(1 << self._below(31))
        return [self._header(Request.RUN, self._below(1 << 16)), number]

    def _garbage(self) -> Packet:
        """Random words, but for a request that runs whatever program is there."""
        code = self._one_of([0, *(set(Request) - {Request.RUN}), 0xFF])
        return [header(code, self._below(256), self._below(4)), *self._words(0, 10)]

    def _whole(self, kind: str, memory: Memory, offset: int, count: int) -> Packet:
        """A READ, or a WRITE with more or less data."""
        request = self._next(kind, [Request.READ, Request.WRITE])
        data = self._words(0, 12) if request is Request.WRITE else []
        return self._access(request, memory, offset, count) + data

    def _access(self, request: Request, memory: Memory, offset: int, count: int) -> Packet:
        return [self._header(request, count), address(memory, offset)]

    def _header(self, code: int, count: int) -> int:
        return header(code, self._below(256), count)

    def _memory(self) -> Memory:
        return self._one_of(list(Memory))

    def _words(self, least: int, most: int) -> Packet:
        count = least + self._below(max(1, most - least + 1))
        return [int(word) for word in self._random.integers(1 << 32, size=count)]

    def _next(self, kind: str, values: list[T]) -> T:
        """Each value in turn, for each kind of packet."""
        self._made[kind] += 1
        return values[(self._made[kind] - 1) % len(values)]

    def _one_of(self, values: list[T]) -> T:
        return values[self._below(len(values))]

    def _below(self, limit: int) -> int:
        return int(self._random.integers(limit))
