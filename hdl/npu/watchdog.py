# SPDX-License-Identifier: Apache-2.0
"""Watchdog: ends a program in which everybody waits for somebody else."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import NpuConfig

__all__ = ["Watchdog", "patience"]

#: Cycles that no sound program is without progress: a vector's planes and its way through the
#: array, the longest of them, take a tenth of these.
_LEAST = 1024


def patience(config: NpuConfig) -> int:
    """Cycles without progress after which a program is taken to wait for ever: a power of two.

    The windows of a round may be gathered byte by byte, and a round's outputs are taken once and
    requantised in `config.beats` cycles.
    """
    gathering = config.macros * config.macro.rows
    return 1 << ceil_log2(max(_LEAST, 4 * config.beats, 4 * gathering))


class Watchdog(wiring.Component):
    """Counts the cycles of a run in which nothing moves.

    Progress is whatever a program has only so much of: a word of a descriptor, a start, a row of
    weights, a vector, a read by the vector engine. An engine at work is none: it may wait. Nor is a
    read by the window feeder, for which a window deeper than the macro never ends.

    Members
    -------
    running : In(1)
    progress : In(1)
        Something moves in this cycle.
    stuck : Out(1)
        Nothing has for `patience(config)` cycles: told a cycle later.
    """

    running: Signal
    progress: Signal
    stuck: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__({"running": In(1), "progress": In(1), "stuck": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        waited = Signal(range(patience(self.config)))
        # Progress is the sum of what comes from all over the NPU.
        moved = Signal()
        m.d.sync += moved.eq(self.progress)
        m.d.comb += self.stuck.eq(waited.all())
        with m.If(~self.running | moved):
            m.d.sync += waited.eq(0)
        with m.Elif(~self.stuck):
            m.d.sync += waited.eq(waited + 1)
        return m
