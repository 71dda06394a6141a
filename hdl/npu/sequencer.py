# SPDX-License-Identifier: Apache-2.0
"""Sequencer: fetches a program and hands its descriptors to the engines' queues."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import NpuConfig
from .isa import VERSION, WORDS, Opcode, Queue, layout

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Reads descriptors from the program memory, a word a cycle, until END or a fault.

    A program that has no END would begin anew behind the memory's end; that is a fault.

    A descriptor goes to the queue of its opcode; a full queue holds the sequencer up. After END it
    waits until all queues are empty and the weights settled, as the next program begins with a
    reset of the engines.

    Members
    -------
    start : In(1)
    first : In(config.descriptor_bits)
        Number of the first descriptor; taken with `start`.
    address : Out(config.program_word_bits)
    data : In(32)
        As in `ProgramMemory`.
    queues : Out(stream of 32-bit words) per queue of the NPU
    empty : In(len(config.queues))
        The queue is empty and its engine idle.
    settled : In(1)
        As in `WeightLoader`.
    done : Out(1)
        The program has ended with END.
    fault : Out(1)
        It has come to a descriptor of unknown opcode or version, or to the end of the memory; the
        engines must be reset. FETCH is unknown where there is no external port.
    sent : Out(1)
        A word goes to a queue in this cycle.
    current : Out(config.fetch_bits)
        The descriptor that is being fetched.
    """

    start: Signal
    first: Signal
    address: Signal
    data: Signal
    queues: list[stream.Interface]
    empty: Signal
    settled: Signal
    done: Signal
    fault: Signal
    sent: Signal
    current: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "first": In(config.descriptor_bits),
                "address": Out(config.program_word_bits),
                "data": In(32),
                "queues": Out(stream.Signature(32)).array(len(config.queues)),
                "empty": In(len(config.queues)),
                "settled": In(1),
                "done": Out(1),
                "fault": Out(1),
                "sent": Out(1),
                "current": Out(config.fetch_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = Signal(ceil_log2(WORDS))
        position = Cat(word, self.current)
        header = data.View(layout(Opcode.END), Cat(self.data, Const(0, 32 * (WORDS - 1))))
        target = Signal(Queue)
        chosen = Signal(Queue)
        legal = Signal()
        send = Signal()

        with m.Switch(header.opcode):
            for opcode in self.config.opcodes:
                if opcode.queue is not None:
                    with m.Case(opcode):
                        m.d.comb += [chosen.eq(opcode.queue), legal.eq(header.version == VERSION)]
        ends = (header.opcode == Opcode.END) & (header.version == VERSION)

        # The memory answers a cycle late, so it is asked for the next word as this one goes.
        m.d.comb += self.address.eq(
            Mux(self.sent, (position + 1)[: len(self.address)], position[: len(self.address)])
        )
        destination = Mux(word == 0, chosen, target)
        for queue in self.config.queues:
            port = self.queues[queue]
            m.d.comb += [
                port.payload.eq(self.data),
                port.valid.eq(send & (destination == queue)),
            ]
        m.d.comb += self.sent.eq(send & Array(port.ready for port in self.queues)[destination])

        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [word.eq(0), self.current.eq(self.first)]
                with m.If(self.start):
                    m.next = "Ask"
            with m.State("Ask"):
                m.next = "Fetch"
            with m.State("Fetch"):
                is_beyond = self.current == self.config.descriptors
                with m.If((word == 0) & ends & ~is_beyond):
                    m.next = "Drain"
                with m.Elif((word == 0) & (~legal | is_beyond)):
                    m.d.comb += self.fault.eq(1)
                    m.next = "Idle"
                with m.Else():
                    m.d.comb += send.eq(1)
                    with m.If(self.sent):
                        m.d.sync += word.eq(word + 1)
                        with m.If(word == WORDS - 1):
                            m.d.sync += self.current.eq(self.current + 1)
                        with m.If(word == 0):
                            m.d.sync += target.eq(chosen)
            with m.State("Drain"), m.If(self.empty.all() & self.settled):
                m.d.comb += self.done.eq(1)
                m.next = "Idle"
        return m
