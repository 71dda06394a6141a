# SPDX-License-Identifier: Apache-2.0
"""Serial link: the two streams of an NPU over a UART that may lose, change and repeat bytes."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..npu.packets import StreamWord
from .answer_queue import AnswerQueue
from .cobs_encoder import CobsEncoder
from .command_queue import CommandQueue
from .config import WrapperConfig
from .frame_receiver import FrameReceiver, patience
from .frame_sender import FrameSender
from .link_counters import LinkCounters
from .link_session import LinkSession
from .uart_receiver import UartReceiver
from .uart_transmitter import UartTransmitter

__all__ = ["SerialLink"]


class SerialLink(wiring.Component):
    """Carries words in both directions, each once and in order, whatever happens on the line.

    Structure::

        rx -> UART receiver -> frame receiver -> command queue -> command
                                     |
                               session, counters
                                     |
        tx <- UART transmitter <- COBS encoder <- frame sender <- answer queue <- response

    The frames are those of `hdl.link.frames`. Words are passed on when their frame is known to be
    sound; answers are kept until the host has them. Packets are not looked at: one may be divided
    among frames, and what follows another waits for nothing but room.

    Throughput: that of the line, a byte in 10 bits.

    Parameters
    ----------
    wrapper : WrapperConfig
        Of the protocol `uart`: clock, baud rate and size of the buffers.

    Members
    -------
    rx, tx : In(1), Out(1)
        The line; `rx` need not be synchronous to the clock.
    command : Out(stream of StreamWord)
        To the NPU.
    response : In(stream of StreamWord)
        From the NPU.
    reset_npu : Out(1)
        A host has begun a session: resets the NPU as `rst` does, for one cycle, from a register.
        What the NPU offers in this cycle is dropped.
    """

    rx: Signal
    tx: Signal
    command: stream.Interface
    response: stream.Interface
    reset_npu: Signal

    def __init__(self, wrapper: WrapperConfig) -> None:
        self.wrapper = wrapper
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "command": Out(stream.Signature(StreamWord)),
                "response": In(stream.Signature(StreamWord)),
                "reset_npu": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        divisor, depth = self.wrapper.divisor, self.wrapper.buffer_words
        m.submodules.uart_receiver = uart_receiver = UartReceiver(divisor)
        m.submodules.receiver = receiver = FrameReceiver(patience(self.wrapper))
        m.submodules.commands = commands = CommandQueue(depth)
        m.submodules.session = session = LinkSession()
        m.submodules.counters = counters = LinkCounters(depth, self.wrapper.clock_hz)
        m.submodules.answers = answers = AnswerQueue(depth)
        m.submodules.sender = sender = FrameSender()
        m.submodules.encoder = encoder = CobsEncoder()
        m.submodules.transmitter = transmitter = UartTransmitter(divisor)
        connect(m, sender.frame, encoder.frame)
        connect(m, encoder.line, transmitter.bytes)
        connect(m, commands.command, flipped(self.command))
        connect(m, flipped(self.response), answers.response)
        m.d.comb += [
            uart_receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.reset_npu.eq(session.reset),
            counters.events.eq(Cat(receiver.events, session.events)),
        ]
        _join(m, uart_receiver, receiver, "byte", "valid", "framing_error", "line_break")
        _join(m, receiver, session, "sound", "damaged", "has_word", "control")
        _join(m, session, commands, "commit", "drop")
        _join(m, session, answers, "acknowledge", "rewind")
        _join(m, session, sender, "pause", "report_due", "status_due", "gap", "is_open", "session")
        _join(m, sender, session, "is_idle", "begins_report", "begins")
        _join(m, answers, sender, "sendable", "word", "position", "is_end")
        _join(m, sender, answers, "next_word")
        _join(m, sender, counters, "index")
        _join(m, counters, sender, "value", "is_settled")
        m.d.comb += [
            commands.clear.eq(session.reset),
            commands.amid_frame.eq(receiver.amid_frame),
            commands.word.eq(receiver.word),
            commands.store.eq(receiver.word_valid | (receiver.sound & receiver.has_word)),
            commands.last.eq(receiver.sound & receiver.control.flags[0]),
            session.has_room.eq(commands.has_room),
            session.expected.eq(commands.position),
            sender.ack.eq(commands.position),
            answers.clear.eq(session.reset),
            answers.ack.eq(receiver.control.ack),
        ]
        return m


def _join(m: Module, source: Any, sink: Any, *names: str) -> None:
    """Connect members of the same names."""
    m.d.comb += [getattr(sink, name).eq(getattr(source, name)) for name in names]
