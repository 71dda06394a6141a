# SPDX-License-Identifier: Apache-2.0
"""Answer queue: the NPU's answers are kept until the host says that it has them."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..npu.block_memory import block_memory
from ..npu.packets import StreamWord
from .frames import FRAME_WORDS, POSITION_BITS

__all__ = ["AnswerQueue"]


class AnswerQueue(wiring.Component):
    """A ring of words with two readers' places: what is acknowledged, and what is sent next.

    Words are sent when a frame of them is full or the NPU's packet is at its end, and again after
    `rewind`. While nothing is acknowledged and the ring is full, the NPU waits.

    Latency: a word can be sent 2 cycles after it was taken; `word` follows `next_word` in 1 cycle.

    Parameters
    ----------
    depth : int
        Words, a power of two, at least `FRAME_WORDS` and at most half of the positions.

    Members
    -------
    clear : In(1)
        Empty the queue; positions begin at 0. Before the first time nothing means anything.
    response : In(stream of StreamWord)
    ack : In(12)
    acknowledge : In(1)
        All words before `ack` have come, none of which is yet to be sent. One that lies before
        those that are kept is old, and nothing happens.
    rewind : In(1)
        The next word to send is the first that is not acknowledged. Not within a frame.
    sendable : Out(1)
        There is a frame to send.
    word : Out(StreamWord)
        The word that is sent next.
    position : Out(12)
        Its position.
    is_end : Out(1)
        There is none behind it now.
    next_word : In(1)
        Go on to the next one.
    """

    clear: Signal
    response: stream.Interface
    ack: Signal
    acknowledge: Signal
    rewind: Signal
    sendable: Signal
    word: Any
    position: Signal
    is_end: Signal
    next_word: Signal

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "clear": In(1),
                "response": In(stream.Signature(StreamWord)),
                "ack": In(POSITION_BITS),
                "acknowledge": In(1),
                "rewind": In(1),
                "sendable": Out(1),
                "word": Out(StreamWord),
                "position": Out(POSITION_BITS),
                "is_end": Out(1),
                "next_word": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = exact_log2(self.depth)
        m.submodules.ring = ring = block_memory(StreamWord, self.depth)
        write: Any = ring.write_port()
        read: Any = ring.read_port()
        # Words that have been acknowledged, gone on from, and taken from the NPU, so far.
        kept = Signal(POSITION_BITS, reset_less=True)
        cursor = Signal(POSITION_BITS, reset_less=True)
        end = Signal(POSITION_BITS, reset_less=True)
        ended = Signal()
        is_full = (end[:bits] == kept[:bits]) & (end[bits] != kept[bits])
        m.d.comb += [
            self.response.ready.eq(~is_full),
            write.addr.eq(end[:bits]),
            write.data.eq(self.response.payload),
            write.en.eq(self.response.valid & ~is_full),
            read.addr.eq(cursor[:bits]),
            self.word.eq(read.data),
            self.position.eq(cursor),
        ]
        with m.If(write.en):
            m.d.sync += [end.eq(end + 1), ended.eq(self.response.payload.last)]
        waiting = Signal(POSITION_BITS)
        m.d.comb += waiting.eq((end - cursor)[:POSITION_BITS])
        m.d.sync += [
            self.is_end.eq(waiting == 1),
            self.sendable.eq((waiting != 0) & (ended | (waiting >= FRAME_WORDS))),
        ]
        with m.If(self.next_word):
            m.d.sync += cursor.eq(cursor + 1)
        # An old acknowledgement is behind, one of words that there are not yet is beyond.
        came = (self.ack - kept)[:POSITION_BITS]
        is_kept = came <= (end - kept)[:POSITION_BITS]
        with m.If(self.acknowledge & is_kept):
            m.d.sync += kept.eq(self.ack)
        with m.If(self.rewind):
            m.d.sync += cursor.eq(kept)
        with m.If(self.clear):
            m.d.sync += [place.eq(0) for place in (kept, cursor, end)]
        return m
