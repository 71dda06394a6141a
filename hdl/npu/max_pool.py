# SPDX-License-Identifier: Apache-2.0
"""Max pooling: the largest of the taps of a window, channel by channel."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import NpuConfig
from .delay import delayed
from .isa import Opcode, layout
from .latency import MAX_POOL_CYCLES
from .ports import ActivationWritePort, byte_lanes
from .tap_walker import tap_layout

__all__ = ["MaxPool"]


class MaxPool(wiring.Component):
    """Largest value of each channel in a window, clamped; taps beyond the image are ignored.

    Throughput: a tap of `pool_lanes` channels a cycle. Latency: `MAX_POOL_CYCLES` cycles from
    a window's last tap to `write` and `done`.

    Members
    -------
    descriptor : In(layout(Opcode.MAX_POOL))
    tap : In(tap_layout(config))
        Valid only for a MAX_POOL.
    bytes : In(byte_lanes(config))
        The tap's, its first channel in lane 0.
    done : Out(1)
        The last result is in memory after this cycle.
    write : Out(ActivationWritePort)
    """

    descriptor: data.View
    tap: Any
    bytes: data.View
    done: Signal
    write: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "descriptor": In(layout(Opcode.MAX_POOL)),
                "tap": In(tap_layout(config)),
                "bytes": In(byte_lanes(config)),
                "done": Out(1),
                "write": Out(ActivationWritePort(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        tap = self.tap
        # Near to the lanes; the descriptor is there long before.
        low, high = (
            delayed(m, name, self.descriptor[name], 1, reset_less=True).as_signed()
            for name in ("clamp_low", "clamp_high")
        )
        # After a window's last tap its largest values are there.
        finished = delayed(m, "finished", tap, MAX_POOL_CYCLES)
        for lane in range(self.config.pool_lanes):
            largest = Signal(signed(8), name=f"largest{lane}", reset_less=True)
            value = Mux(tap.inside, self.bytes[lane].as_signed(), Const(-128, signed(8)))
            # The least that comes out is where it begins: so it need not be compared at the end.
            before = Mux(tap.first, low, largest)
            with m.If(tap.valid):
                m.d.sync += largest.eq(Mux(value > before, value, before))
            m.d.comb += self.write.data[lane].eq(Mux(largest > high, high, largest)[:8])
        for lane in range(self.config.pool_lanes, self.config.activation_port):
            m.d.comb += self.write.data[lane].eq(0)
        writes = finished.valid & finished.last
        m.d.comb += [
            self.write.count.eq(Mux(writes, finished.count, 0)),
            self.write.address.eq(finished.address),
            self.done.eq(writes & finished.ends_all),
        ]
        return m
