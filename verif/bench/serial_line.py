# SPDX-License-Identifier: Apache-2.0
"""The two wires of a serial line: bytes to a pin, and bytes from a pin. They know no frames."""

from collections.abc import Iterable
from typing import Any

import cocotb
from cocotb.triggers import Event, FallingEdge, Timer

__all__ = ["BREAK", "SILENCE", "LineDriver", "LineMonitor", "Symbol", "bits_of", "raw"]

#: What a line carries: a byte, or ten bits that need not be one, the first to go in bit 0.
Symbol = int
_BITS = 10

#: Twenty bits of zero, in two symbols.
BREAK = [1 << 16, 1 << 16]

#: Ten bits without a byte.
SILENCE = 1 << 16 | 0x3FF

#: Marks a symbol that is no byte.
_RAW = 1 << 16


def bits_of(symbol: Symbol) -> int:
    """The ten bits of a symbol; a byte has a start bit and a stop bit."""
    return symbol & (1 << _BITS) - 1 if symbol & _RAW else symbol << 1 | 1 << _BITS - 1


def raw(bits: int) -> Symbol:
    """The symbol of these ten bits."""
    return bits | _RAW


class LineDriver:
    """Sends symbols to a pin without a gap between them.

    Parameters
    ----------
    pin : cocotb handle
    bit : int
        Picoseconds of a bit.

    Attributes
    ----------
    idle : int
        Bits of silence behind each symbol.
    """

    def __init__(self, pin: Any, bit: int) -> None:
        self.pin = pin
        self.bit = bit
        pin.value = 1

    async def send(self, symbols: Iterable[Symbol]) -> None:
        """Send symbols; returns at the end of the last stop bit."""
        level, waits = 1, 0
        for symbol in symbols:
            bits = bits_of(symbol)
            for index in range(_BITS):
                now = bits >> index & 1
                if now != level:
                    if waits:
                        await Timer(waits * self.bit, "ps")
                    self.pin.value = level = now
                    waits = 0
                waits += 1
        if waits:
            await Timer(waits * self.bit, "ps")
        self.pin.value = 1

    async def rest(self, bits: float) -> None:
        """Send nothing for so many bits."""
        await Timer(round(bits * self.bit), "ps")


class LineMonitor:
    """Collects the bytes that a pin sends.

    Parameters
    ----------
    pin : cocotb handle
    bit : int
        Picoseconds of a bit.

    Attributes
    ----------
    has_frame : Event
        A zero byte has come since it was cleared.
    faults : int
        Stop bits that were none, so far.
    count : int
        Bytes so far.
    """

    def __init__(self, pin: Any, bit: int) -> None:
        self.pin = pin
        self.bit = bit
        self.has_frame = Event()
        self.faults = 0
        self.count = 0
        self._bytes = bytearray()
        cocotb.start_soon(self._watch())

    def take(self) -> bytes:
        """What has come since the last call."""
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken

    async def _watch(self) -> None:
        falls = FallingEdge(self.pin)
        first, bit = Timer(self.bit * 3 // 2, "ps"), Timer(self.bit, "ps")
        while True:
            await falls
            await first
            byte = int(self.pin.value)
            for index in range(1, _BITS - 2):
                await bit
                byte |= int(self.pin.value) << index
            await bit
            if not int(self.pin.value):
                self.faults += 1
                continue
            self.count += 1
            self._bytes.append(byte)
            if byte == 0:
                self.has_frame.set()
