# SPDX-License-Identifier: Apache-2.0
"""Drivers and monitors for streams. They know the handshake and nothing of what is carried.

A transfer happens in each cycle in which `valid` and `ready` are both high. Whoever drives `valid`
keeps it and the payload steady until the transfer; every monitor checks that on both sides.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from ...hdl.packing import pack, unpack
from .check import require

__all__ = ["Sink", "Source", "StreamMonitor", "StreamPort", "Transfer"]


class StreamPort:
    """The pins of one stream of a design, as they were in the cycle that was sampled last.

    Parameters
    ----------
    dut : cocotb handle of the top level
    name : str
        As in the component's signature; the ports are `<name>__payload` and so on.
    layout : shape of the payload
    """

    def __init__(self, dut: Any, name: str, layout: Any) -> None:
        self.name = name
        self.layout = layout
        self.payload_pin = getattr(dut, f"{name}__payload")
        self.valid_pin = getattr(dut, f"{name}__valid")
        self.ready_pin = getattr(dut, f"{name}__ready")
        self.valid = False
        self.ready = False

    @property
    def transfers(self) -> bool:
        """Whether a transfer happened in the sampled cycle."""
        return self.valid and self.ready

    @property
    def waits(self) -> bool:
        """Whether the sender was kept waiting in the sampled cycle."""
        return self.valid and not self.ready

    def sample(self) -> None:
        """Read the handshake of the cycle that ends now."""
        self.valid = bool(self._read(self.valid_pin, "valid"))
        self.ready = bool(self._read(self.ready_pin, "ready"))

    def clear(self) -> None:
        """Forget what was sampled, as in a reset."""
        self.valid = self.ready = False

    def sample_payload(self) -> int:
        """Read the payload of the cycle that ends now."""
        return self._read(self.payload_pin, "payload")

    def _read(self, pin: Any, member: str) -> int:
        value = pin.value
        try:
            return int(value)
        except ValueError:
            raise AssertionError(f"{self.name}.{member} is not defined: {value}") from None


class Source:
    """Drives the sending side: payloads in order, each held until it is taken."""

    def __init__(self, port: StreamPort, stalls: Iterator[bool]) -> None:
        self.port = port
        self.stalls = stalls
        self.offers = False
        """Whether a payload is on offer in the current cycle."""
        self._queue: deque[int] = deque()

    def put(self, *values: Any) -> None:
        """Queue payloads, as `hdl.packing.pack` takes them."""
        self._queue.extend(pack(self.port.layout, value) for value in values)

    @property
    def queued(self) -> list[Any]:
        """The payloads that have not been taken, the one on offer first."""
        return [unpack(self.port.layout, payload) for payload in self._queue]

    @property
    def idle(self) -> bool:
        """Whether all payloads have been taken."""
        return not self._queue

    def clear(self, *, keep_offer: bool = False) -> None:
        """Forget all payloads, as in a reset.

        A source outside the reset keeps its offer: it stays valid, and nothing it sees before
        `drive` is called again counts as a transfer.
        """
        kept = [self._queue[0]] if keep_offer and self.offers else []
        self._queue = deque(kept)
        self.offers = bool(kept)
        self.port.valid_pin.value = int(self.offers)

    def drive(self) -> None:
        """Set the pins for the cycle that begins, after `port.sample` of the one that ended."""
        if self.offers:
            if not self.port.transfers:
                return
            self._queue.popleft()
        self.offers = bool(self._queue) and not next(self.stalls)
        self.port.valid_pin.value = int(self.offers)
        if self.offers:
            self.port.payload_pin.value = self._queue[0]


class Sink:
    """Drives the receiving side: takes what comes, except in the cycles that `stalls` picks."""

    def __init__(self, port: StreamPort, stalls: Iterator[bool]) -> None:
        self.port = port
        self.stalls = stalls
        self._ready = False

    @property
    def steady(self) -> bool:
        """Whether `drive` would change nothing, in this cycle and all that follow."""
        return isinstance(self.stalls, repeat) and self._ready is not next(self.stalls)

    def hold(self) -> None:
        """Take nothing until `stalls` is set anew."""
        self.stalls = repeat(True)

    def clear(self) -> None:
        """Take nothing in this cycle, as in a reset."""
        self._ready = False
        self.port.ready_pin.value = 0

    def drive(self) -> None:
        """Set the pin for the cycle that begins."""
        self._ready = not next(self.stalls)
        self.port.ready_pin.value = int(self._ready)


@dataclass(frozen=True)
class Transfer:
    """One transfer that a monitor saw."""

    value: Any
    """The payload, as `hdl.packing.unpack` gives it."""
    since: int
    """The first cycle in which it was valid."""
    cycle: int
    """The cycle in which it was taken."""


class StreamMonitor:
    """Watches one stream: checks the rules of the handshake and reports every transfer.

    Parameters
    ----------
    port : StreamPort
    report : callable
        Called with each `Transfer`, in order.
    """

    def __init__(self, port: StreamPort, report: Callable[[Transfer], None]) -> None:
        self.port = port
        self.report = report
        self.transfers = 0
        self.waited = 0
        self._waiting: tuple[int, int] | None = None

    def clear(self) -> None:
        """Expect nothing of the next cycle, as after a reset."""
        self._waiting = None

    def check(self, cycle: int) -> None:
        """Look at the cycle that `port.sample` has read."""
        port = self.port
        if not port.valid:
            require(self._waiting is None, f"{port.name}.valid was withdrawn before the transfer")
            return
        payload = port.sample_payload()
        since, first = self._waiting or (cycle, payload)
        if payload != first:
            raise AssertionError(
                f"{port.name}.payload changed before the transfer: {first:#x} became {payload:#x}"
            )
        if port.ready:
            self._waiting = None
            self.transfers += 1
            self.report(Transfer(unpack(port.layout, payload), since, cycle))
        else:
            self._waiting = (since, payload)
            self.waited += 1
