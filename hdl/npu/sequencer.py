# SPDX-License-Identifier: Apache-2.0
"""Sequencer: fetches a program and hands its descriptors to the engines' queues."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .config import NpuConfig
from .program_reader import ProgramReader

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Hands descriptors from the program memory on, a word a cycle, until END or a fault.

    A program that has no END would begin anew behind the memory's end; that is a fault.

    A descriptor goes to the queue of its opcode; a full queue holds the sequencer up. After END it
    waits until all queues are empty and the weights settled, as the next program begins with a
    reset of the engines.

    Latency: 4 cycles from `start` to the first word; 1 from the end to `done` or `fault`.

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
        The descriptor whose words are handed on.
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
        m.submodules.reader = reader = ProgramReader(self.config)
        item = reader.o.payload
        send = Signal()
        m.d.comb += [
            reader.first.eq(self.first),
            self.address.eq(reader.address),
            reader.data.eq(self.data),
            reader.o.ready.eq(self.sent),
        ]
        for queue in self.config.queues:
            port = self.queues[queue]
            m.d.comb += [
                port.payload.eq(item.word),
                port.valid.eq(send & (item.queue == queue)),
            ]
        m.d.comb += self.sent.eq(send & Array(port.ready for port in self.queues)[item.queue])

        with m.FSM():
            with m.State("Idle"):
                m.d.sync += self.current.eq(self.first)
                with m.If(self.start):
                    m.next = "Fetch"
            with m.State("Fetch"):
                m.d.comb += reader.run.eq(1)
                with m.If(reader.o.valid & item.ends):
                    m.next = "Drain"
                with m.Elif(reader.o.valid & item.fails):
                    m.next = "Failed"
                with m.Else():
                    m.d.comb += send.eq(reader.o.valid)
                    with m.If(self.sent & item.last):
                        m.d.sync += self.current.eq(self.current + 1)
            with m.State("Drain"), m.If(self.empty.all() & self.settled):
                m.next = "Done"
            # What ends the run comes from the state alone, as it reaches far.
            with m.State("Done"):
                m.d.comb += self.done.eq(1)
                m.next = "Idle"
            with m.State("Failed"):
                m.d.comb += self.fault.eq(1)
                m.next = "Idle"
        return m
