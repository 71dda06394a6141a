# SPDX-License-Identifier: Apache-2.0
"""COBS encoder: bytes of frames in, bytes of the line out."""

# The fields of a data.Struct are annotated with their widths, which are no types.
# pyright: reportGeneralTypeIssues=false

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..npu.block_memory import block_memory

__all__ = ["CobsEncoder", "FrameByte"]

#: Bytes of the buffer: two blocks of the greatest length.
_DEPTH = 512

#: A block's code says how far the next one is, 255 at most.
_LONGEST = 255


class FrameByte(data.Struct):
    """A byte of a frame, or its end, which has none."""

    data: 8
    end: 1


class CobsEncoder(wiring.Component):
    """Consistent overhead byte stuffing, between two zeros.

    A block's code tells how long it is, so it is written when the block is over, into the place
    that was kept for it; the line gets what lies before that place. A frame of n bytes takes
    ``n + 3 + n // 254`` on the line at most.

    Throughput: a byte a cycle in, three cycles for zeros; a byte in two cycles out.

    Members
    -------
    frame : In(stream of FrameByte)
    line : Out(stream of 8)
    """

    frame: stream.Interface
    line: stream.Interface

    def __init__(self) -> None:
        super().__init__(
            {"frame": In(stream.Signature(FrameByte)), "line": Out(stream.Signature(8))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = block_memory(8, _DEPTH)
        write: Any = buffer.write_port()
        # Where the next byte goes, and the place kept for the code of the block.
        place = Signal(range(_DEPTH))
        code = Signal(range(_DEPTH))
        distance = (place - code)[:8]
        byte = self.frame.payload
        m.d.comb += [write.addr.eq(place), write.data.eq(byte.data)]
        taken = self._send(m, buffer, code)
        # Eight places at least, as told a cycle late: what follows takes two of them by then.
        has_room = Signal()
        m.d.sync += has_room.eq((taken - place - 1)[3 : len(place)].any())
        is_longest = distance == _LONGEST
        with m.FSM():
            with m.State("Begin"), m.If(self.frame.valid & has_room):
                m.d.comb += [write.data.eq(0), write.en.eq(1)]
                m.d.sync += place.eq(place + 1)
                m.next = "Block"
            with m.State("Block"):
                m.d.sync += [code.eq(place), place.eq(place + 1)]
                m.next = "Body"
            with m.State("Body"):
                with m.If(is_longest):
                    m.next = "Close"
                with m.Elif(self.frame.valid & has_room & (byte.end | (byte.data == 0))):
                    m.next = "Close"
                with m.Elif(self.frame.valid & has_room):
                    m.d.comb += [self.frame.ready.eq(1), write.en.eq(1)]
                    m.d.sync += place.eq(place + 1)
            # A block ends: at its greatest length, at a zero, or with the frame.
            with m.State("Close"):
                m.d.comb += [
                    write.addr.eq(code), write.data.eq(distance), write.en.eq(1),
                    self.frame.ready.eq(~is_longest),
                ]
                m.next = "Block"
                with m.If(~is_longest & byte.end):
                    m.next = "End"
            with m.State("End"):
                m.d.comb += [write.data.eq(0), write.en.eq(1)]
                m.d.sync += place.eq(place + 1)
                m.next = "Release"
            with m.State("Release"):
                m.d.sync += code.eq(place)
                m.next = "Begin"
        return m

    def _send(self, m: Module, buffer: Any, end: Signal) -> Signal:
        """Give what lies before `end` to the line; the place of the first byte not yet read."""
        read: Any = buffer.read_port()
        taken = Signal(range(_DEPTH))
        fetch = (taken != end) & ~self.line.valid
        m.d.comb += [read.addr.eq(taken), read.en.eq(fetch), self.line.payload.eq(read.data)]
        with m.If(fetch):
            m.d.sync += [taken.eq(taken + 1), self.line.valid.eq(1)]
        with m.Elif(self.line.ready):
            m.d.sync += self.line.valid.eq(0)
        return taken
