# SPDX-License-Identifier: Apache-2.0
"""Amaranth's own simulator, and what stands in for a block's surroundings in it."""

import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from amaranth.sim import Simulator

from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.latency import READ_CYCLES


@pytest.fixture
def simulate() -> Callable[..., None]:
    """Run async benches ``bench(ctx)`` on a component with one clock; all must reach their ends.

    `background` are benches that run as long as the others do. `cycles` bounds the simulation, so
    that a block that hangs fails its test.
    """

    def run(component: Any, *benches: Any, background: Iterable[Any] = (), cycles=20000) -> None:
        ended = []

        def until_end(bench: Any) -> Any:
            async def testbench(ctx: Any) -> None:
                await bench(ctx)
                ended.append(bench)

            return testbench

        simulator = Simulator(component)
        simulator.add_clock(1e-6, if_exists=True)
        for bench in benches:
            simulator.add_testbench(until_end(bench))
        for bench in background:
            simulator.add_testbench(bench, background=True)
        for _ in range(2 * cycles):  # both edges of the clock
            if not simulator.advance():
                break
        waiting = len(benches) - len(ended)
        assert not waiting, f"{waiting} benches still wait after {cycles} cycles"

    return run


@pytest.fixture
def npu_config() -> Callable[..., NpuConfig]:
    """A small NPU: `macro` are fields of its macro, `fields` others of its own."""

    def make(macro: dict[str, Any] | None = None, **fields: Any) -> NpuConfig:
        array = {"rows": 12, "columns": 6} | (macro or {})
        small = {"activation_bytes": 512, "weight_bytes": 512, "channels": 32, "descriptors": 16}
        return NpuConfig.from_mapping(small | fields | {"macro": array}, source="test")

    return make


class Streams:
    """Both ends of a stream: pauses at random, and a check of its rules."""

    def __init__(self, seed: int) -> None:
        self.source = random.Random(seed)

    def pause(self, chance: float) -> bool:
        """Whether to do nothing in this cycle."""
        return self.source.random() < chance

    async def send(self, ctx: Any, stream: Any, items: Iterable[Any], chance: float = 0) -> None:
        """Offer the items one after the other."""
        for item in items:
            while self.pause(chance):
                await ctx.tick()
            ctx.set(stream.payload, item)
            ctx.set(stream.valid, 1)
            await ctx.tick().until(stream.ready)
            ctx.set(stream.valid, 0)

    async def receive(self, ctx: Any, stream: Any, count: int, chance: float = 0) -> list[Any]:
        """Take `count` items; what is offered must stay as it is until it is taken."""
        items, offered = [], None
        while len(items) < count:
            ready = not self.pause(chance)
            ctx.set(stream.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
            assert offered is None or valid, "an offer was taken back"
            assert offered is None or payload == offered, "an offer changed"
            offered = payload if valid and not ready else None
            if valid and ready:
                items.append(payload)
        ctx.set(stream.ready, 0)
        return items


@pytest.fixture
def streams() -> Streams:
    """The ends of streams."""
    return Streams(0)


class ReadableBytes:
    """Stands in for the activation memory at one `ActivationReadPort`.

    Answers as the port's docstring says and not a cycle longer: at other times the data is noise.
    `log` has the cycle and the address of every access.
    """

    def __init__(self, port: Any, content: bytes, lanes: int, chance: float, seed: int) -> None:
        self.port, self.content, self.lanes = port, content, lanes
        self.chance, self.source = chance, random.Random(seed)
        self.log: list[tuple[int, int]] = []

    async def serve(self, ctx: Any) -> None:
        """Background bench."""
        port, cycle = self.port, 0
        coming = deque([self._noise()] * (READ_CYCLES - 1))
        while True:
            ready = self.source.random() >= self.chance
            ctx.set(port.ready, ready)
            _, _, valid, address, lane = await ctx.tick().sample(
                port.valid, port.address, port.lane
            )
            data = self._noise()
            if ready and valid:
                self.log.append((cycle, address))
                for byte in range(address, address + self.lanes):
                    # Beyond its end the memory says nothing sensible, but it is asked.
                    if byte < len(self.content):
                        data[(lane + byte - address) % self.lanes] = self.content[byte]
            coming.append(data)
            ctx.set(port.data, coming.popleft())
            cycle += 1

    def _noise(self) -> list[int]:
        return list(self.source.randbytes(self.lanes))


@pytest.fixture
def readable_bytes() -> type[ReadableBytes]:
    """Stand-in for the activation memory."""
    return ReadableBytes


