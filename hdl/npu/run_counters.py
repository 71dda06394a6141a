# SPDX-License-Identifier: Apache-2.0
"""Counters and time stamps of a run."""

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .block_memory import block_memory
from .config import NpuConfig
from .packets import BUSY, COUNTERS, Counter

__all__ = ["RunCounters"]


class RunCounters(wiring.Component):
    """What `Counter` names, each of 32 bits, and a memory of time stamps.

    Members
    -------
    clear : In(1)
        A run begins; time stamps stay.
    running : In(1)
        While it is low nothing counts, and no stamp is left.
    busy : In(len(BUSY))
        Engines of these queues with a descriptor at work.
    round_taken : In(1)
        The planes of another round of windows are going to meet the arrays.
    top_plane : In(config.macro.plane_bits)
        The first of them; the last is 0.
    stamp : In(1)
        Leave the cycle count in time stamp `stamp_index`.
    stamp_index : In(config.stamp_bits)
    cycles : Out(32)
        Cycles since the run began.
    index : In(...)
        Counter, then time stamp, to read.
    value : Out(32)
        Its value, 1 cycle later; a run's is whole a cycle after its end.
    """

    clear: Signal
    running: Signal
    busy: Signal
    round_taken: Signal
    top_plane: Signal
    stamp: Signal
    stamp_index: Signal
    cycles: Signal
    index: Signal
    value: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "clear": In(1),
                "running": In(1),
                "busy": In(len(BUSY)),
                "round_taken": In(1),
                "top_plane": In(config.macro.plane_bits),
                "stamp": In(1),
                "stamp_index": In(config.stamp_bits),
                "cycles": Out(32),
                "index": In(bits_for(COUNTERS + config.stamps - 1)),
                "value": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counts = {
            **{counter: self.busy[place] for place, counter in enumerate(BUSY.values())},
            Counter.PLANES: Mux(self.round_taken, self.top_plane + 1, 0),
        }
        m.d.sync += self.cycles.eq((self.cycles + self.running)[:32])
        with m.If(self.clear):
            m.d.sync += self.cycles.eq(0)
        registers = [self.cycles, *(self._sum(m, *each) for each in counts.items())]

        m.submodules.stamps = stamps = block_memory(32, self.config.stamps)
        write, read = stamps.write_port(), stamps.read_port()
        is_counter = Signal()
        counter_value = Signal(32)
        m.d.comb += [
            write.en.eq(self.stamp & self.running),
            write.addr.eq(self.stamp_index),
            write.data.eq(self.cycles),
            read.addr.eq((self.index - COUNTERS)[: self.config.stamp_bits]),
            self.value.eq(Mux(is_counter, counter_value, read.data)),
        ]
        m.d.sync += [
            is_counter.eq(self.index < COUNTERS),
            counter_value.eq(Array(registers)[self.index[: bits_for(COUNTERS - 1)]]),
        ]
        return m

    def _sum(self, m: Module, counter: Counter, count: Value) -> Signal:
        """The sum of a count while the program runs. It is registered first, as it comes late."""
        name = counter.name.lower()
        increment = Signal.like(count, name=f"{name}_more")
        total = Signal(32, name=name)
        m.d.sync += [
            increment.eq(Mux(self.running, count, 0)),
            total.eq((total + increment)[:32]),
        ]
        with m.If(self.clear):
            m.d.sync += [increment.eq(0), total.eq(0)]
        return total
