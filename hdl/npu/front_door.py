# SPDX-License-Identifier: Apache-2.0
"""Front door: packets in, answers out. It checks everything before anything happens."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from .answerer import Answerer
from .config import WORD_BYTES, NpuConfig
from .delay import delayed
from .packets import (
    COUNTERS,
    MEMORY_SHIFT,
    Memory,
    Request,
    RequestHeader,
    Status,
    StreamWord,
    memory_bytes,
)
from .ports import HostPort

__all__ = ["FrontDoor"]


class FrontDoor(wiring.Component):
    """Serves one request after the other, each with exactly one answer.

    A packet of fixed size is acted on when its last word has come and is the last. A WRITE is
    checked when its address has come, which takes three cycles; its words are written as they come.
    Whatever is wrong with a packet, its words are taken up to its end, and the answer names the
    fault.

    While a program runs, the next packet waits; only a complete RESET is looked at. Every program
    comes to an end by itself, so no packet waits for ever.

    Throughput: WRITE a word a cycle, READ a word in `ANSWER_CYCLES`.

    Members
    -------
    command : In(stream of StreamWord)
    response : Out(stream of StreamWord)
    memories : Out(HostPort) per `Memory`
    run : Out(1)
        Starts the program at descriptor `first`; the engines come fresh from a reset.
    first : Out(config.descriptor_bits)
    done, fault : In(1)
        How the program ends: `Sequencer`.
    fault_at : In(config.fetch_bits)
        The descriptor at fault, with `fault`.
    stuck : In(1)
        The program waits for ever: `Watchdog`.
    refused : In(1)
        External memory has refused a read; only with an external port, as is the next.
    refused_at : In(32)
        Its address, with `refused`.
    running : Out(1)
        From `run` to the end.
    engine_reset : Out(1)
        Resets sequencer, queues, tokens and engines in the next cycle; it comes from a register.
    counter_index : Out(...)
    counter_value : In(32)
        As in `RunCounters`.
    cycles : In(32)
        Cycles of the run.
    """

    command: stream.Interface
    response: stream.Interface
    memories: list[Any]
    run: Signal
    first: Signal
    done: Signal
    fault: Signal
    fault_at: Signal
    stuck: Signal
    refused: Signal
    refused_at: Signal
    running: Signal
    engine_reset: Signal
    counter_index: Signal
    counter_value: Signal
    cycles: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        external = {"refused": In(1), "refused_at": In(32)} if config.external_port else {}
        super().__init__(
            {
                **external,
                "command": In(stream.Signature(StreamWord)),
                "response": Out(stream.Signature(StreamWord)),
                "memories": Out(HostPort()).array(len(Memory)),
                "run": Out(1),
                "first": Out(config.descriptor_bits),
                "done": In(1),
                "fault": In(1),
                "fault_at": In(config.fetch_bits),
                "stuck": In(1),
                "running": Out(1),
                "engine_reset": Out(1),
                "counter_index": Out(bits_for(COUNTERS + config.stamps - 1)),
                "counter_value": In(32),
                "cycles": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.answerer = answerer = Answerer(self.config)
        connect(m, answerer.response, flipped(self.response))
        request = _Request()
        self._check(m, request)
        with m.FSM():
            self._receive_header(m, request)
            self._receive_operand(m, request)
            self._write(m, request)
            self._drain(m, request)
            self._act(m, request)
            self._run(m, request)
            with m.State("Send"):
                m.d.comb += request.send.eq(1)
                m.next = "Answer"
            with m.State("Answer"), m.If(answerer.done):
                m.next = "Header"
        self._connect_answerer(m, request, answerer)
        self._drive_memories(m, request, answerer)
        return m

    # Receiving ----------------------------------------------------------------------------------

    def _receive_header(self, m: Module, request: "_Request") -> None:
        word = self.command.payload
        header = data.View(RequestHeader, word.data)
        known = Signal()
        has_operand = Signal()
        with m.State("Header"):
            with m.Switch(header.opcode):
                with m.Case(Request.WRITE, Request.READ, Request.RUN, Request.SYNC):
                    m.d.comb += [known.eq(1), has_operand.eq(1)]
                with m.Case(Request.IDENTIFY, Request.RESET, Request.COUNTERS):
                    m.d.comb += known.eq(1)
            m.d.comb += self.command.ready.eq(1)
            with m.If(self.command.valid):
                m.d.sync += [
                    request.header.eq(header),
                    request.received.eq(1),
                    request.written.eq(0),
                    request.status.eq(Status.OK),
                ]
                with m.If(~known):
                    self._fail(m, request, Status.UNKNOWN_OPCODE, word.last)
                with m.Elif(has_operand & word.last):
                    self._fail(m, request, Status.TRUNCATED, word.last)
                with m.Elif(has_operand):
                    m.next = "Operand"
                with m.Elif(word.last):
                    m.next = "Act"
                with m.Else():
                    self._fail(m, request, Status.OVERLONG, word.last)

    def _receive_operand(self, m: Module, request: "_Request") -> None:
        word = self.command.payload
        with m.State("Operand"):
            m.d.comb += self.command.ready.eq(1)
            with m.If(self.command.valid):
                m.d.sync += [
                    request.operand.eq(word.data),
                    request.place.eq(word.data[2:MEMORY_SHIFT]),
                    request.ended.eq(word.last),
                    request.received.eq(2),
                ]
                is_write = request.header.opcode == Request.WRITE
                with m.If(~is_write & ~word.last):
                    self._fail(m, request, Status.OVERLONG, word.last)
                with m.Else():
                    m.next = "Add"
        # While it is checked.
        with m.State("Add"):
            m.next = "Compare"
        with m.State("Compare"):
            m.next = "Act"

    def _check(self, m: Module, request: "_Request") -> None:
        """Whether the operand names what there is, two cycles after it has come."""
        # Behind the last word.
        end = Signal(MEMORY_SHIFT)
        m.d.sync += end.eq(request.operand[2:MEMORY_SHIFT] + request.header.count)
        with m.If(request.header.opcode == Request.RUN):
            m.d.sync += request.in_range.eq(request.operand < self.config.descriptors)
        with m.Else(), m.Switch(request.operand[MEMORY_SHIFT:]):
            for memory in Memory:
                with m.Case(memory):
                    words = memory_bytes(self.config, memory) // WORD_BYTES
                    m.d.sync += request.in_range.eq((request.operand[:2] == 0) & (end <= words))
            with m.Default():
                m.d.sync += request.in_range.eq(0)

    def _write(self, m: Module, request: "_Request") -> None:
        word = self.command.payload
        with m.State("Write"):
            m.d.comb += self.command.ready.eq(1)
            with m.If(self.command.valid):
                m.d.comb += request.write.eq(1)
                m.d.sync += [
                    request.written.eq(request.written + 1),
                    request.received.eq(request.received + 1),
                ]
                complete = request.written == (request.header.count - 1)[:16]
                with m.If(complete & word.last):
                    m.next = "Send"
                with m.Elif(complete):
                    self._fail(m, request, Status.OVERLONG, word.last)
                with m.Elif(word.last):
                    self._fail(m, request, Status.TRUNCATED, word.last)

    def _fail(self, m: Module, request: "_Request", status: Status, at_end: Value) -> None:
        """Answer with `status`, once the packet's words are all taken."""
        m.d.sync += request.status.eq(status)
        with m.If(at_end):
            m.next = "Fault"
        with m.Else():
            m.next = "Drain"

    def _drain(self, m: Module, request: "_Request") -> None:
        with m.State("Drain"):
            m.d.comb += self.command.ready.eq(1)
            with m.If(self.command.valid):
                m.d.sync += request.received.eq(request.received + 1)
                with m.If(self.command.payload.last):
                    m.next = "Fault"
        with m.State("Fault"):
            with m.Switch(request.status):
                with m.Case(Status.TRUNCATED, Status.OVERLONG):
                    m.d.sync += request.detail.eq(request.received)
                with m.Case(Status.BAD_ADDRESS):
                    m.d.sync += request.detail.eq(request.operand)
                with m.Default():
                    m.d.sync += request.detail.eq(request.header)
            m.next = "Send"

    # Acting -------------------------------------------------------------------------------------

    def _act(self, m: Module, request: "_Request") -> None:
        """A packet of fixed size has come and is complete, or a WRITE's words come next."""
        end = Value.cast(1)
        with m.State("Act"):
            m.next = "Send"
            with m.Switch(request.header.opcode):
                with m.Case(Request.WRITE):
                    with m.If(request.header.count == 0):
                        self._fail(m, request, Status.BAD_COUNT, request.ended)
                    with m.Elif(~request.in_range):
                        self._fail(m, request, Status.BAD_ADDRESS, request.ended)
                    with m.Elif(request.ended):
                        self._fail(m, request, Status.TRUNCATED, end)
                    with m.Else():
                        m.next = "Write"
                with m.Case(Request.READ):
                    with m.If(request.header.count == 0):
                        self._fail(m, request, Status.BAD_COUNT, end)
                    with m.Elif(~request.in_range):
                        self._fail(m, request, Status.BAD_ADDRESS, end)
                with m.Case(Request.RUN):
                    with m.If(~request.in_range):
                        self._fail(m, request, Status.BAD_ADDRESS, end)
                    with m.Else():
                        m.d.comb += request.resets.eq(1)
                        m.next = "Start"
                with m.Case(Request.RESET):
                    m.d.comb += request.resets.eq(1)

    def _run(self, m: Module, request: "_Request") -> None:
        word = self.command.payload
        waiting = data.View(RequestHeader, word.data)
        m.d.comb += self.first.eq(request.operand[: len(self.first)])
        m.d.sync += self.engine_reset.eq(request.resets)
        # The engines hear it a cycle later, and are fresh in the next.
        is_fresh = delayed(m, "reset", self.engine_reset, 2)
        with m.State("Start"), m.If(is_fresh):
            m.d.comb += self.run.eq(1)
            m.next = "Run"
        with m.State("Run"):
            m.d.comb += self.running.eq(1)
            with m.If(self.done):
                m.next = "Ended"
            for fault, status, place in self._faults():
                with m.Elif(fault):
                    m.d.comb += request.resets.eq(1)
                    m.d.sync += [request.status.eq(status), request.detail.eq(place)]
                    m.next = "Send"
            with m.Elif(self.stuck):
                m.d.comb += request.resets.eq(1)
                m.d.sync += request.status.eq(Status.DEADLOCK)
                m.next = "Ended"
            with m.Elif(self.command.valid & word.last & (waiting.opcode == Request.RESET)):
                # The packet stays where it is and gets its own answer next.
                m.d.comb += request.resets.eq(1)
                m.d.sync += request.status.eq(Status.ABORTED)
                m.next = "Ended"
        with m.State("Ended"):
            m.d.sync += request.detail.eq(self.cycles)
            m.next = "Send"

    def _faults(self) -> list[tuple[Signal, Status, Signal]]:
        """What else can end a program, and where it happened."""
        faults = [(self.fault, Status.BAD_DESCRIPTOR, self.fault_at)]
        if self.config.external_port:
            faults.append((self.refused, Status.BUS_ERROR, self.refused_at))
        return faults

    # Answering ----------------------------------------------------------------------------------

    def _connect_answerer(self, m: Module, request: "_Request", answerer: Any) -> None:
        m.d.comb += [
            answerer.start.eq(request.send),
            answerer.header.eq(request.header),
            answerer.operand.eq(request.operand),
            answerer.status.eq(request.status),
            answerer.detail.eq(request.detail),
            answerer.counter_value.eq(self.counter_value),
            answerer.read_data.eq(Cat(port.read_data for port in self.memories)),
            self.counter_index.eq(answerer.index[: len(self.counter_index)]),
        ]

    def _drive_memories(self, m: Module, request: "_Request", answerer: Any) -> None:
        """The word to write or to read, in the memory that `operand` names; the memories are far.
        """
        selected = request.operand[MEMORY_SHIFT:]
        with m.If(request.write | answerer.read):
            m.d.sync += request.place.eq(request.place + 1)
        # A word that was taken is written, even where a reset comes in the next cycle.
        offset = delayed(m, "offset", request.place, 1, reset_less=True)
        word = delayed(m, "word", self.command.payload.data, 1, reset_less=True)
        for memory in Memory:
            port = self.memories[memory]
            writes = request.write & (selected == memory)
            m.d.comb += [
                port.offset.eq(offset),
                port.write.eq(delayed(m, f"writes{memory.value}_", writes, 1, reset_less=True)),
                port.write_data.eq(word),
            ]
            m.d.sync += port.read.eq(answerer.read & (selected == memory))


class _Request:
    """What the front door knows of the request it serves."""

    def __init__(self) -> None:
        self.header: Any = Signal(RequestHeader)
        #: The word behind the header, whether it is an address of as many words as are meant or a
        #: descriptor, and whether the packet ended with it.
        self.operand = Signal(32)
        self.in_range = Signal()
        self.ended = Signal()
        #: The word of a memory to write or to read next.
        self.place = Signal(MEMORY_SHIFT - 2)
        #: Words of the packet so far, and those of them that are written.
        self.received = Signal(32)
        self.written = Signal(16)
        #: The answer's.
        self.status = Signal(Status)
        self.detail = Signal(32)
        #: The engines are to be reset.
        self.resets = Signal()
        #: A word is written in this cycle.
        self.write = Signal()
        #: The answer may go from this cycle on.
        self.send = Signal()
