# SPDX-License-Identifier: Apache-2.0
"""The registers behind an AXI4-Lite port: two FIFOs, and what there is to know and set of them."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value, ValueLike
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..npu.packets import MAGIC, StreamWord
from .axi_lite_port import RegisterAccess, Resp
from .register_map import (
    COMMAND_DATA,
    COMMAND_LAST,
    CONTROL,
    ID,
    MAP_VERSION,
    REGISTERS,
    RESPONSE_DATA,
    STATUS,
    VERSION,
    Register,
)

__all__ = ["Registers"]


class Registers(wiring.Component):
    """Holds the words of requests until the NPU takes them, those of answers until they are read.

    Nothing waits: a word for a full FIFO, and a read of an empty one, are answered SLVERR and
    change nothing. So a program that does not end, or answers that nobody reads, cannot hold up the
    bus.

    Latency: a word is at the NPU, and an answer's word can be read, 1 cycle after it was written.

    Parameters
    ----------
    depth : int
        Words in each FIFO, at least 2.

    Members
    -------
    access : In(RegisterAccess)
        At least a cycle without a write lies between two writes.
    command : Out(stream of StreamWord)
    response : In(stream of StreamWord)
    reset_npu : Out(1)
        Resets the NPU: in the one cycle after CONTROL was written so. The FIFOs are reset too.
    irq : Out(1)
        A word of an answer can be read, and CONTROL enables it.
    """

    access: Any
    command: stream.Interface
    response: stream.Interface
    reset_npu: Signal
    irq: Signal

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "access": In(RegisterAccess()),
                "command": Out(stream.Signature(StreamWord)),
                "response": In(stream.Signature(StreamWord)),
                "reset_npu": Out(1),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        resettable = ResetInserter(self.reset_npu)
        width = len(Value.cast(self.command.payload))
        m.submodules.commands = commands = resettable(
            fifo.SyncFIFO(width=width, depth=self.depth)
        )
        m.submodules.responses = responses = resettable(
            fifo.SyncFIFO(width=width, depth=self.depth)
        )
        enable = Signal()
        m.d.comb += [
            self.command.valid.eq(commands.r_rdy),
            self.command.payload.eq(commands.r_data),
            commands.r_en.eq(self.command.ready),
            self.response.ready.eq(responses.w_rdy),
            responses.w_data.eq(self.response.payload),
            responses.w_en.eq(self.response.valid),
            self.irq.eq(enable & responses.r_rdy),
        ]
        self._write(m, commands, enable)
        self._read(m, commands, responses, enable)
        return m

    def _write(self, m: Module, commands: Any, enable: Signal) -> None:
        access = self.access
        reset = CONTROL.field("RESET").low
        enabled = CONTROL.field("INTERRUPT_ENABLE").low
        m.d.comb += commands.w_data.eq(
            Cat(access.write_data, access.write_word == COMMAND_LAST.word)
        )
        m.d.sync += self.reset_npu.eq(0)
        with m.Switch(access.write_word):
            with m.Case(CONTROL.word):
                m.d.comb += access.write_resp.eq(Resp.OKAY)
                with m.If(access.write):
                    m.d.sync += [
                        self.reset_npu.eq(access.write_data[reset]),
                        enable.eq(access.write_data[enabled]),
                    ]
            with m.Case(COMMAND_DATA.word, COMMAND_LAST.word):
                m.d.comb += [
                    commands.w_en.eq(access.write),
                    access.write_resp.eq(Mux(commands.w_rdy, Resp.OKAY, Resp.SLVERR)),
                ]
            with m.Case(*(each.word for each in REGISTERS if not each.writable)):
                m.d.comb += access.write_resp.eq(Resp.SLVERR)
            with m.Default():
                m.d.comb += access.write_resp.eq(Resp.DECERR)

    def _read(self, m: Module, commands: Any, responses: Any, enable: Signal) -> None:
        access = self.access
        values: dict[Register, ValueLike] = {
            ID: MAGIC,
            VERSION: VERSION.assemble({"MAP_VERSION": MAP_VERSION, "FIFO_DEPTH": self.depth}),
            CONTROL: CONTROL.assemble({"RESET": 0, "INTERRUPT_ENABLE": enable}),
            STATUS: self._status(m, commands, responses),
        }
        with m.Switch(access.read_word):
            for register, value in values.items():
                with m.Case(register.word):
                    m.d.comb += [access.read_data.eq(value), access.read_resp.eq(Resp.OKAY)]
            with m.Case(RESPONSE_DATA.word):
                there = responses.r_rdy
                m.d.comb += [
                    responses.r_en.eq(access.read),
                    access.read_data.eq(Mux(there, responses.r_data[:32], 0)),
                    access.read_resp.eq(Mux(there, Resp.OKAY, Resp.SLVERR)),
                ]
            with m.Case(*(each.word for each in REGISTERS if not each.readable)):
                m.d.comb += access.read_resp.eq(Resp.SLVERR)
            with m.Default():
                m.d.comb += access.read_resp.eq(Resp.DECERR)

    def _status(self, m: Module, commands: Any, responses: Any) -> Value:
        space = Signal(bits_for(self.depth))
        m.d.comb += space.eq((self.depth - commands.level)[: len(space)])
        return STATUS.assemble(
            {
                "RESPONSE_AVAILABLE": responses.r_rdy,
                "RESPONSE_LAST": responses.r_rdy & responses.r_data[32],
                "COMMAND_SPACE": space,
                "RESPONSE_LEVEL": responses.level,
            }
        )
