# SPDX-License-Identifier: Apache-2.0
"""Command queue: the words of a frame go to the NPU when the frame is known to be sound."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..npu.block_memory import block_memory
from ..npu.packets import StreamWord
from .frames import POSITION_BITS

__all__ = ["CommandQueue"]


class CommandQueue(wiring.Component):
    """A ring of words, into which a frame's words go at once and for good with `commit`.

    Latency: a word is offered 3 cycles after `commit`. Throughput: a word a cycle.

    Parameters
    ----------
    depth : int
        Words, a power of two, at most half of the positions.

    Members
    -------
    clear : In(1)
        Empty the queue; positions begin at 0. There is one before the first frame.
    amid_frame : In(1)
        With `clear`: the words that come next are a frame's rest, and have no room.
    word : In(32)
    last : In(1)
        The word ends a packet.
    store : In(1)
        Put `word` behind those of the frame.
    commit : In(1)
        Keep what the frame has stored, also in this cycle. Only if `has_room`.
    drop : In(1)
        Forget it.
    has_room : Out(1)
        Every word of this frame had a place; with `store` `word` has one too.
    position : Out(12)
        Words kept so far: the position that the next frame must have; 2 cycles after `commit`.
    command : Out(stream of StreamWord)
    """

    clear: Signal
    amid_frame: Signal
    word: Signal
    last: Signal
    store: Signal
    commit: Signal
    drop: Signal
    has_room: Signal
    position: Signal
    command: stream.Interface

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "clear": In(1),
                "amid_frame": In(1),
                "word": In(32),
                "last": In(1),
                "store": In(1),
                "commit": In(1),
                "drop": In(1),
                "has_room": Out(1),
                "position": Out(POSITION_BITS),
                "command": Out(stream.Signature(StreamWord)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = exact_log2(self.depth)
        m.submodules.ring = ring = block_memory(StreamWord, self.depth)
        write: Any = ring.write_port()
        # Behind the frame's words, and the word that is read next.
        place = Signal(POSITION_BITS, reset_less=True)
        taken = Signal(bits + 1, reset_less=True)
        position = Signal(POSITION_BITS, reset_less=True)
        lost = Signal()
        commits = Signal()
        is_full = (place[:bits] == taken[:bits]) & (place[bits] != taken[bits])
        m.d.comb += [
            self.has_room.eq(~lost & ~(self.store & is_full)),
            write.addr.eq(place[:bits]),
            write.data.data.eq(self.word),
            write.data.last.eq(self.last),
            write.en.eq(self.store & ~is_full),
            self.position.eq(position),
        ]
        with m.If(self.store):
            m.d.sync += [place.eq(place + 1), lost.eq(~self.has_room)]
        m.d.sync += commits.eq(self.commit)
        with m.If(commits):
            m.d.sync += position.eq(place)
        with m.If(self.drop):
            m.d.sync += place.eq(position)
        with m.If(self.commit | self.drop):
            m.d.sync += lost.eq(0)
        self._read(m, ring, taken)
        with m.If(self.clear):
            m.d.sync += [
                place.eq(0), position.eq(0), commits.eq(0), taken.eq(0), lost.eq(self.amid_frame),
                self.command.valid.eq(0),
            ]
        return m

    def _read(self, m: Module, ring: Any, taken: Signal) -> None:
        read: Any = ring.read_port()
        is_free = ~self.command.valid | self.command.ready
        fetch = (taken != self.position[: len(taken)]) & is_free
        m.d.comb += [
            read.addr.eq(taken[:-1]), read.en.eq(fetch), self.command.payload.eq(read.data),
        ]
        with m.If(fetch):
            m.d.sync += taken.eq(taken + 1)
        with m.If(is_free):
            m.d.sync += self.command.valid.eq(fetch)
