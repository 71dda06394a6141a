# SPDX-License-Identifier: Apache-2.0
"""Watches the channels of AXI at a design's pins: handshakes, resets, latencies. It drives nothing.

The drivers are those of cocotbext-axi, which take what comes; whether the design keeps to the rules
is checked here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from .check import require

__all__ = ["Channel", "Channels"]


class Channel:
    """One channel: a handshake and what it carries.

    Parameters
    ----------
    dut : cocotb handle of the top level
    prefix : str
        Of the pins: ``s_axi_b`` of ``s_axi_bvalid``.
    payload : names of pins behind the prefix
    is_sent : bool
        Whether the design drives `valid` and the payload; otherwise it drives `ready`.

    Attributes
    ----------
    offered : list of int
        The cycle in which each transfer became valid.
    taken : list of int
        The cycle in which it happened.
    """

    def __init__(self, dut: Any, prefix: str, payload: Sequence[str], *, is_sent: bool) -> None:
        self.prefix = prefix
        self.is_sent = is_sent
        self.offered: list[int] = []
        self.taken: list[int] = []
        self.valid = getattr(dut, f"{prefix}valid")
        self.ready = getattr(dut, f"{prefix}ready")
        self.payload = [getattr(dut, prefix + name) for name in payload]
        self._waiting: tuple[int, list[int]] | None = None

    @property
    def outputs(self) -> list[Any]:
        """The pins that the design drives."""
        return [self.valid, *self.payload] if self.is_sent else [self.ready]

    @property
    def inputs(self) -> list[Any]:
        """The pins that are driven from outside."""
        return [self.ready] if self.is_sent else [self.valid, *self.payload]

    def check(self, cycle: int) -> None:
        """Look at the cycle that ends now."""
        if not int(self.valid.value):
            require(self._waiting is None, f"{self.prefix}valid was withdrawn")
            return
        now = [int(pin.value) for pin in self.payload]
        since, before = self._waiting or (cycle, now)
        require(now == before, f"what {self.prefix}valid offers changed: {before} became {now}")
        self._waiting = (since, now)
        if int(self.ready.value):
            self.offered.append(since)
            self.taken.append(cycle)
            self._waiting = None

    def check_reset(self) -> None:
        """Look at a cycle of a reset: nothing is valid, nothing is ready."""
        self._waiting = None
        pin = self.valid if self.is_sent else self.ready
        require(not int(pin.value), f"{pin._name} is high in a reset")

    def restart(self) -> None:
        """Expect nothing of the next cycle, as a reset ends this one."""
        self._waiting = None

    def forget(self) -> None:
        """Count anew, as a reset has cut off what was under way."""
        self.offered.clear()
        self.taken.clear()


class Channels:
    """All channels of a design.

    Attributes
    ----------
    cycle : int
        Cycles since the start.
    """

    def __init__(self, dut: Any, channels: Iterable[Channel]) -> None:
        self.dut = dut
        self.cycle = 0
        self.all = {channel.prefix: channel for channel in channels}

    def __getitem__(self, prefix: str) -> Channel:
        return self.all[prefix]

    def sample(self) -> None:
        """To be called at the rising edge that ends a cycle."""
        in_reset = not int(self.dut.aresetn.value)
        for channel in self.all.values():
            if in_reset:
                channel.check_reset()
            else:
                channel.check(self.cycle)
        self.cycle += 1

    def count(self, prefix: str) -> int:
        """Transfers of a channel so far."""
        return len(self.all[prefix].taken)
