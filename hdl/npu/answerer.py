# SPDX-License-Identifier: Apache-2.0
"""Answerer: sends the answer to a request, header first, then its words one by one."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .config import NpuConfig
from .latency import HOST_READ_CYCLES
from .packets import (
    COUNTERS,
    IDENTITY_WORDS,
    MEMORY_SHIFT,
    Memory,
    Request,
    RequestHeader,
    ResponseHeader,
    Status,
    StreamWord,
    identity,
)

__all__ = ["Answerer"]


class Answerer(wiring.Component):
    """Sends one answer for each `start`.

    Latency: the header 1 cycle after `start`. Throughput: a word in `ANSWER_CYCLES` cycles.

    Members
    -------
    start : In(1)
        The members up to `detail` are there and stay until `done`.
    header : In(RequestHeader)
        The request's.
    operand : In(32)
        The word behind it.
    status : In(Status)
    detail : In(32)
        The answer's word where `status` is not OK; the cycles of a RUN.
    done : Out(1)
        The answer's last word goes in this cycle.
    index : Out(16)
        Word that is asked for: of a READ's range, or of counters and stamps.
    read : Out(1)
        Ask the memory that `operand` names.
    read_data : In(ArrayLayout(32, len(Memory)))
        As in `HostPort`, a cycle later: its requests are registered.
    counter_value : In(32)
        As in `RunCounters`.
    response : Out(stream of StreamWord)
    """

    start: Signal
    header: data.View
    operand: Signal
    status: Signal
    detail: Signal
    done: Signal
    index: Signal
    read: Signal
    read_data: data.View
    counter_value: Signal
    response: stream.Interface

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "header": In(RequestHeader),
                "operand": In(32),
                "status": In(Status),
                "detail": In(32),
                "done": Out(1),
                "index": Out(16),
                "read": Out(1),
                "read_data": In(data.ArrayLayout(32, len(Memory))),
                "counter_value": In(32),
                "response": Out(stream.Signature(StreamWord)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        out = self.response
        # Words that follow the one that is sent.
        left = Signal(16)
        is_last = left == 0
        header: Any = Signal(ResponseHeader)
        # A register: what it is chosen from lies all over the die.
        word = Signal(32)
        waited = Signal(range(HOST_READ_CYCLES + 2))
        m.d.comb += [
            header.opcode.eq(self.header.opcode),
            header.tag.eq(self.header.tag),
            header.status.eq(self.status),
            header.reserved.eq(0),
        ]
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [self.index.eq(0), left.eq(self._word_count(m))]
                with m.If(self.start):
                    m.next = "Header"
            with m.State("Header"):
                m.d.comb += [
                    out.valid.eq(1),
                    out.payload.data.eq(header),
                    out.payload.last.eq(is_last),
                ]
                with m.If(out.ready):
                    m.next = "Ask"
                    with m.If(is_last):
                        m.d.comb += self.done.eq(1)
                        m.next = "Idle"
            with m.State("Ask"):
                is_read = self.header.opcode == Request.READ
                m.d.comb += self.read.eq(is_read & (self.status == Status.OK))
                m.d.sync += [left.eq(left - 1), waited.eq(1)]
                m.next = "Wait"
            with m.State("Wait"):
                m.d.sync += [waited.eq(waited + 1), word.eq(self._word(m))]
                with m.If(waited == HOST_READ_CYCLES + 1):
                    m.next = "Word"
            with m.State("Word"):
                m.d.comb += [
                    out.valid.eq(1),
                    out.payload.data.eq(word),
                    out.payload.last.eq(is_last),
                ]
                with m.If(out.ready):
                    m.d.sync += self.index.eq(self.index + 1)
                    m.next = "Ask"
                    with m.If(is_last):
                        m.d.comb += self.done.eq(1)
                        m.next = "Idle"
        return m

    def _word_count(self, m: Module) -> Signal:
        """How many words follow the header."""
        words = Signal(16)
        with m.If(self.status != Status.OK):
            m.d.comb += words.eq(1)
        with m.Else(), m.Switch(self.header.opcode):
            with m.Case(Request.IDENTIFY):
                m.d.comb += words.eq(IDENTITY_WORDS)
            with m.Case(Request.READ):
                m.d.comb += words.eq(self.header.count)
            with m.Case(Request.RUN, Request.SYNC):
                m.d.comb += words.eq(1)
            with m.Case(Request.COUNTERS):
                m.d.comb += words.eq(COUNTERS + self.config.stamps)
        return words

    def _word(self, m: Module) -> Signal:
        """The word number `index`."""
        word = Signal(32)
        constants: Any = Array(Const(value, 32) for value in identity(self.config))
        memories: Any = Array(self.read_data[memory] for memory in Memory)
        memory_bits = bits_for(len(Memory) - 1)
        with m.If(self.status != Status.OK):
            m.d.comb += word.eq(self.detail)
        with m.Else(), m.Switch(self.header.opcode):
            with m.Case(Request.IDENTIFY):
                m.d.comb += word.eq(constants[self.index[: bits_for(IDENTITY_WORDS - 1)]])
            with m.Case(Request.READ):
                m.d.comb += word.eq(memories[self.operand[MEMORY_SHIFT:][:memory_bits]])
            with m.Case(Request.RUN):
                m.d.comb += word.eq(self.detail)
            with m.Case(Request.SYNC):
                m.d.comb += word.eq(self.operand)
            with m.Case(Request.COUNTERS):
                m.d.comb += word.eq(self.counter_value)
        return word
