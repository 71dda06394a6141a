# SPDX-License-Identifier: Apache-2.0
"""Token board: the counters by which the engines order themselves."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import NpuConfig

__all__ = ["TokenBoard"]

#: Width of a counter. A program that has more tokens outstanding is in error.
TOKEN_BITS = 8


class TokenBoard(wiring.Component):
    """A counter of tokens for each ordered pair of the NPU's queues.

    Members
    -------
    give : In(array of masks, by giving queue)
        Bit q: a token for queue q.
    take : In(array of masks, by taking queue)
        Bit q: a token from queue q. Only where `tokens` has the bit.
    tokens : Out(array of masks, by taking queue)
        Bit q: a token from queue q is there.
    """

    give: data.View
    take: data.View
    tokens: data.View

    def __init__(self, config: NpuConfig) -> None:
        self.queues = config.queues
        # A bit for each queue, by queue.
        masks = data.ArrayLayout(len(self.queues), len(self.queues))
        super().__init__({"give": In(masks), "take": In(masks), "tokens": Out(masks)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for giver in self.queues:
            for taker in self.queues:
                if giver is taker:
                    m.d.comb += self.tokens[taker][giver].eq(0)
                    continue
                count = Signal(TOKEN_BITS, name=f"{giver.name}_to_{taker.name}".lower())
                given = self.give[giver][taker]
                taken = self.take[taker][giver]
                m.d.comb += self.tokens[taker][giver].eq(count != 0)
                with m.If(given & ~taken):
                    m.d.sync += count.eq(count + 1)
                with m.Elif(taken & ~given):
                    m.d.sync += count.eq(count - 1)
        return m
