# SPDX-License-Identifier: Apache-2.0
"""Descriptor queue: what waits in front of an engine, and when it may start."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import NpuConfig
from .isa import WORDS, Opcode, layout

__all__ = ["DescriptorQueue"]


class DescriptorQueue(wiring.Component):
    """Collects descriptors word by word and runs them in order, each when its tokens are there.

    Latency: `WORDS` cycles to collect a descriptor, 1 to take its tokens; 1 from the engine's
    `done` to giving its own.

    Members
    -------
    i : In(stream of 32-bit words)
    tokens : In(len(config.queues))
        A token from that queue is there.
    take : Out(len(config.queues))
        Tokens are taken in this cycle.
    give : Out(len(config.queues))
        Tokens are given to those queues in this cycle.
    start : Out(1)
        Tells the engine to start; `descriptor` stays until it is done.
    descriptor : Out(32 * WORDS)
    done : In(1)
        The engine's last cycle with the descriptor.
    busy : Out(1)
        The engine has a descriptor at work.
    empty : Out(1)
        Nothing waits, nothing is at work.
    """

    i: stream.Interface
    tokens: Signal
    take: Signal
    give: Signal
    start: Signal
    descriptor: Signal
    done: Signal
    busy: Signal
    empty: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(32)),
                "tokens": In(len(config.queues)),
                "take": Out(len(config.queues)),
                "give": Out(len(config.queues)),
                "start": Out(1),
                "descriptor": Out(32 * WORDS),
                "done": In(1),
                "busy": Out(1),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = fifo.SyncFIFO(
            width=32, depth=WORDS * self.config.queue_depth
        )
        header = data.View(layout(Opcode.END), self.descriptor)
        wait, signal = header.wait[: len(self.take)], header.signal[: len(self.give)]
        count = Signal(range(WORDS))
        # The engine's `done` comes late in a cycle.
        ended = Signal()
        m.d.sync += ended.eq(self.done & self.busy)
        m.d.comb += [
            words.w_data.eq(self.i.payload),
            words.w_en.eq(self.i.valid),
            self.i.ready.eq(words.w_rdy),
        ]
        with m.FSM():
            with m.State("Collect"):
                m.d.comb += [words.r_en.eq(1), self.empty.eq(~words.r_rdy & (count == 0))]
                with m.If(words.r_rdy):
                    m.d.sync += [
                        self.descriptor.word_select(count, 32).eq(words.r_data),
                        count.eq(count + 1),
                    ]
                    with m.If(count == WORDS - 1):
                        m.next = "Wait"
            with m.State("Wait"), m.If((wait & ~self.tokens) == 0):
                m.next = "Start"
            # From the state alone, as it reaches far.
            with m.State("Start"):
                m.d.comb += [self.take.eq(wait), self.start.eq(1)]
                m.next = "Run"
            with m.State("Run"):
                m.d.comb += self.busy.eq(~ended)
                with m.If(ended):
                    m.d.comb += self.give.eq(signal)
                    m.next = "Collect"
        return m
