# SPDX-License-Identifier: Apache-2.0
"""Clock, reset and all streams of one design, a cycle at a time.

A bench is written as one thread that queues payloads and waits for conditions. There are no
concurrent tasks, so a run is the same each time for one seed, and the first failure ends the test.
"""

import random
from collections.abc import Callable, Collection, Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import First, RisingEdge, Timer

from .case import report_alive
from .check import require
from .stalls import stalls
from .stream import Sink, Source, StreamMonitor, StreamPort, Transfer

__all__ = ["Testbench"]

#: Simulated time of a cycle, in ns.
_PERIOD = 10

#: Most cycles that a bench sleeps, so that it gives a sign of life even where they take long.
_LONGEST_SLEEP = 20_000

#: Fewest cycles for which it falls asleep.
_SHORTEST_SLEEP = 4


class Testbench:
    """A design with ports `clk`, `rst` (high for a reset, synchronous) and streams.

    In every cycle: all streams are sampled at the rising edge that ends it, then their monitors
    report in the order in which the streams were added, then the drivers set the next cycle's pins.

    Where no stream has anything to do, cycles pass without Python: the simulator toggles the clock,
    and the bench sleeps until the design offers something. What monitors and drivers see and do is
    the same in every cycle. A simulator that knows undefined values is watched in every cycle, as
    `ready` may be undefined for a while; there Python's share of the time is small.

    Parameters
    ----------
    dut : cocotb handle of the top level
    patience : int
        Cycles without a transfer anywhere after which `until` gives up.

    Attributes
    ----------
    random : random.Random
        Seeded by cocotb's seed and the name of the test.
    cycle : int
        Cycles since the start.
    """

    def __init__(self, dut: Any, *, patience: int) -> None:
        self.dut = dut
        self.patience = patience
        self.cycle = 0
        self.random = random.Random(cocotb.RANDOM_SEED)
        self.sources: dict[str, Source] = {}
        self.sinks: dict[str, Sink] = {}
        self.monitors: dict[str, StreamMonitor] = {}
        self._ports: list[StreamPort] = []
        self._edge = RisingEdge(dut.clk)
        self._last_transfer = 0
        self._silent = False
        # Our main program for Verilator, `clocked.cpp`, toggles the clock by itself.
        self._may_sleep = "verilator" in cocotb.SIM_NAME.lower()
        if not self._may_sleep:
            Clock(dut.clk, _PERIOD, "ns", impl="gpi").start()

    def add_source(self, name: str, layout: Any, report: Callable[[Transfer], None]) -> Source:
        """A stream that the bench sends on; `report` gets every transfer."""
        port = self._add_port(name, layout, report)
        self.sources[name] = source = Source(port, self.stalls("none"))
        return source

    def add_sink(self, name: str, layout: Any, report: Callable[[Transfer], None]) -> Sink:
        """A stream that the bench receives on; `report` gets every transfer."""
        port = self._add_port(name, layout, report)
        self.sinks[name] = sink = Sink(port, self.stalls("none"))
        return sink

    def _add_port(self, name: str, layout: Any, report: Callable[[Transfer], None]) -> StreamPort:
        port = StreamPort(self.dut, name, layout)
        self._ports.append(port)
        self.monitors[name] = StreamMonitor(port, report)
        return port

    def stalls(self, profile: str) -> Iterator[bool]:
        """A sequence of that profile with a seed of its own."""
        return stalls(profile, random.Random(self.random.getrandbits(64)))

    def set_stalls(self, profile: str) -> None:
        """Let every stream be held up by that profile from now on."""
        for driver in (*self.sources.values(), *self.sinks.values()):
            driver.stalls = self.stalls(profile)

    async def reset(self, cycles: int = 1, *, kept: Collection[str] = ()) -> None:
        """Reset the design for `cycles` from now on; all queues become empty.

        The sources named in `kept` are not part of the reset: what they offer stays on offer.
        """
        for name, source in self.sources.items():
            source.clear(keep_offer=name in kept)
        for end in (*self.sinks.values(), *self.monitors.values(), *self._ports):
            end.clear()
        self.dut.rst.value = 1
        for _ in range(cycles):
            await self._edge
            self.cycle += 1
        self.dut.rst.value = 0
        self._last_transfer = self.cycle
        # Nothing was sampled, so nothing is known of what the outputs are now.
        self._silent = False

    async def step(self, cycles: int = 1) -> None:
        """Let some cycles pass."""
        end = self.cycle + cycles
        while self.cycle < end:
            await self._sleep(end - self.cycle - 1)
            await self._pass_cycle()

    async def _pass_cycle(self) -> None:
        await self._edge
        for port in self._ports:
            port.sample()
        for monitor in self.monitors.values():
            monitor.check(self.cycle)
        for source in self.sources.values():
            source.drive()
        for sink in self.sinks.values():
            sink.drive()
        if any(port.transfers for port in self._ports):
            self._last_transfer = self.cycle
        self._silent = not any(port.valid for port in self._ports)
        self.cycle += 1
        report_alive()

    async def _sleep(self, most: int) -> None:
        """Let up to `most` cycles pass in which nothing is valid; maybe none.

        Called in the time step of a rising edge. Ends amid a cycle: the first one in which the
        design offers something, or the one after `most`.
        """
        cycles = min(most, _LONGEST_SLEEP)
        # To fall asleep and to wake up takes as long as some cycles do.
        if cycles < _SHORTEST_SLEEP or not self._is_quiet():
            return
        offers = (RisingEdge(sink.port.valid_pin) for sink in self.sinks.values())
        began = get_sim_time("ns")
        await First(Timer(cycles * _PERIOD + _PERIOD // 2, "ns"), *offers)
        self.cycle += int(get_sim_time("ns") - began) // _PERIOD

    def _is_quiet(self) -> bool:
        """Whether nothing happens until the design offers something.

        Nothing is valid, nothing waits to be sent, and no pin of a driver is going to change.
        """
        return (
            self._may_sleep
            and self._silent
            and all(source.idle for source in self.sources.values())
            and all(sink.steady for sink in self.sinks.values())
        )

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Let cycles pass until `condition` holds, which must depend on transfers alone.

        Raises AssertionError, which names `what` and the streams that wait, when there was no
        transfer for `patience` cycles.
        """
        self._last_transfer = self.cycle
        while not condition():
            await self._sleep(self._last_transfer + self.patience - self.cycle)
            await self._pass_cycle()
            require(
                self.cycle - self._last_transfer <= self.patience,
                f"no transfer for {self.patience} cycles while waiting for {what}; {self._state()}",
            )

    def _state(self) -> str:
        waiting = [port.name for port in self._ports if port.waits]
        return f"valid and not ready: {', '.join(waiting) or 'no stream'}"
