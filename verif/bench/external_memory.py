# SPDX-License-Identifier: Apache-2.0
"""External memory at an NPU's pins, by cocotbext-axi: random latencies, refusals, and what it saw.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiRamRead, AxiReadBus

from ...hdl.npu.config import NpuConfig
from .axi_channels import Channel
from .check import require
from .stalls import stalls

__all__ = ["EXTERNAL_BYTES", "ExternalMemory", "contents"]

#: Bytes of it: some pages of 4 KiB.
EXTERNAL_BYTES = 1 << 15

_PREFIX = "m_axi"
_ADDRESS = ("addr", "len", "size", "burst", "cache", "prot", "id")


def contents() -> bytes:
    """What it holds, always."""
    return Random(1).randbytes(EXTERNAL_BYTES)


class _Ram(AxiRamRead):
    """Refuses to read what `refused` names, and what is beyond its end."""

    refused = range(0)

    async def _read(self, address: int, length: int) -> Any:
        if address in self.refused or address + length > self.size:
            raise ValueError(f"refused: {address:#x}")
        return self.read(address, length)


class ExternalMemory:
    """A memory at the pins ``m_axi_*``.

    Parameters
    ----------
    dut : cocotb handle of the top level
    config : NpuConfig
    random : random.Random
    clock, reset : cocotb handles
    is_wrapped : bool
        Whether the reset is AXI's: low, and nothing may be valid or ready in it.

    Attributes
    ----------
    waits : list of int
        For each address that was taken the cycles for which it had been offered in vain.
    gaps : list of int
        For each beat the cycles since the one before it, or since its burst's address was taken.
    under_way : list of int
        Beats that have not come of each burst whose address was taken.
    """

    def __init__(
        self, dut: Any, config: NpuConfig, random: Random, clock: Any, reset: Any, *,
        is_wrapped: bool,
    ) -> None:
        self._random = random
        self._reset, self._is_wrapped = reset, is_wrapped
        self._edge = RisingEdge(clock)
        bus = AxiReadBus.from_prefix(dut, _PREFIX)
        self._ram = _Ram(bus, clock, reset, reset_active_level=not is_wrapped, size=EXTERNAL_BYTES)
        self._ram.write(0, contents())
        # More than may be under way.
        self._ram.ar_channel.queue_occupancy_limit = 16
        self._size = config.beat_bits
        self._ar = Channel(dut, f"{_PREFIX}_ar", _ADDRESS, is_sent=True)
        self._r = Channel(dut, f"{_PREFIX}_r", ("last",), is_sent=False)
        self._cycle = 0
        self._before = -1
        self._taken: list[int] = []
        self.under_way: list[int] = []
        self.waits: list[int] = []
        self.gaps: list[int] = []
        cocotb.start_soon(self._watch())

    def set_stalls(self, profile: str) -> None:
        """Hold up addresses and data by that profile from now on."""
        for channel in (self._ram.ar_channel, self._ram.r_channel):
            channel.set_pause_generator(self._pauses(profile))

    def hold(self, *, back: bool) -> None:
        """Bring no data until told that they are not held `back` any more."""
        self._ram.r_channel.clear_pause_generator()
        self._ram.r_channel.pause = back

    def refuse(self, addresses: range) -> None:
        """Refuse to read these, and no others, from now on."""
        self._ram.refused = addresses

    def grants(self, address: int, size: int) -> bool:
        """Whether it reads all of these bytes."""
        refused = self._ram.refused
        return address >= refused.stop or address + size <= refused.start

    def forget(self) -> None:
        """Begin a new record."""
        self.waits.clear()
        self.gaps.clear()

    def _pauses(self, profile: str) -> Iterator[bool]:
        return stalls(profile, Random(self._random.getrandbits(64)))

    async def _watch(self) -> None:
        while True:
            await self._edge
            if bool(int(self._reset.value)) is not self._is_wrapped:
                for channel in (self._ar, self._r):
                    if self._is_wrapped:
                        channel.check_reset()
                    else:
                        channel.restart()
                self.under_way.clear()
                self._taken.clear()
            else:
                self._sample()
            self._cycle += 1

    def _sample(self) -> None:
        require(bool(int(self._r.ready.value)), "a beat is not taken")
        beats, addresses = len(self._r.taken), len(self._ar.taken)
        self._r.check(self._cycle)
        if len(self._r.taken) > beats:
            self._beat()
        self._ar.check(self._cycle)
        if len(self._ar.taken) > addresses:
            self._address()

    def _beat(self) -> None:
        require(bool(self.under_way), "a beat comes that nobody has asked for")
        self.gaps.append(self._cycle - max(self._before, self._taken[0]))
        self._before = self._cycle
        self.under_way[0] -= 1
        if not self.under_way[0]:
            del self.under_way[0], self._taken[0]

    def _address(self) -> None:
        address, length, size, burst, *others = (int(pin.value) for pin in self._ar.payload)
        require((size, burst) == (self._size, 1), f"ARSIZE {size}, ARBURST {burst}")
        require(others == [0b0011, 0, 0], f"ARCACHE, ARPROT, ARID {others}")
        first, last = address >> 12, (address + (length << size)) >> 12
        require(first == last, f"a burst from {address:#x} on crosses a page")
        self.waits.append(self._cycle - self._ar.offered[-1])
        self.under_way.append(length + 1)
        self._taken.append(self._cycle)
        require(len(self.under_way) <= 4, "too many bursts are under way")
