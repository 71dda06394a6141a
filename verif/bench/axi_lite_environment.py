# SPDX-License-Identifier: Apache-2.0
"""An NPU behind AXI4-Lite under test: what software would do with its registers."""

from typing import Any

import cocotb
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from ...hdl.link.axi_lite_port import Resp
from ...hdl.link.register_map import (
    COMMAND_DATA,
    COMMAND_LAST,
    CONTROL,
    REGISTERS,
    RESPONSE_DATA,
    STATUS,
    Register,
)
from .axi_channels import Channel, Channels
from .axi_environment import AxiEnvironment
from .check import require
from .npu_stimulus import Packet

__all__ = ["AxiLiteEnvironment"]

_CHANNELS = {
    "aw": (("addr", "prot"), False),
    "w": (("data", "strb"), False),
    "b": (("resp",), True),
    "ar": (("addr", "prot"), False),
    "r": (("data", "resp"), True),
}

#: Cycles between two looks at STATUS while there is nothing to do.
_POLL = 10


class AxiLiteEnvironment(AxiEnvironment):
    """A manager on all five channels, and a driver that sends and receives at the same time."""

    def __init__(self, dut: Any) -> None:
        channels = (
            Channel(dut, f"s_axi_{name}", payload, is_sent=is_sent)
            for name, (payload, is_sent) in _CHANNELS.items()
        )
        super().__init__(dut, Channels(dut, channels))
        self.master: Any = AxiLiteMaster(
            AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False
        )

    @classmethod
    async def start(cls, dut: Any) -> "AxiLiteEnvironment":
        """An environment after a reset."""
        environment = cls(dut)
        await environment.open()
        return environment

    @property
    def drivers(self) -> dict[str, Any]:
        """The driver of each channel."""
        write, read = self.master.write_if, self.master.read_if
        return {
            "aw": write.aw_channel, "w": write.w_channel, "b": write.b_channel,
            "ar": read.ar_channel, "r": read.r_channel,
        }

    def set_stalls(self, profile: str) -> None:
        for driver in self.drivers.values():
            driver.set_pause_generator(self.pauses(profile))

    # Registers ----------------------------------------------------------------------------------

    async def write(self, offset: int, value: int) -> Resp:
        """Write a whole word; how that ended."""
        answer = await self.bounded(self.master.write(offset, value.to_bytes(4, "little")))
        return Resp(int(answer.resp))

    async def read(self, offset: int) -> tuple[int, Resp]:
        """Read a whole word; its value, and how that ended."""
        answer = await self.bounded(self.master.read(offset, 4))
        return int.from_bytes(answer.data, "little"), Resp(int(answer.resp))

    async def get(self, register: Register, field: str | None = None) -> int:
        """A register, or one field of it, which must be readable now."""
        value, resp = await self.read(register.offset)
        require(resp is Resp.OKAY, f"{register.name} is read with {resp.name}")
        return register.field(field).extract(value) if field else value

    async def put(self, register: Register, value: int) -> None:
        """Write a register, which must be writable now."""
        resp = await self.write(register.offset, value)
        require(resp is Resp.OKAY, f"{register.name} is written with {resp.name}")

    async def control(self, **fields: int) -> None:
        """Write CONTROL with these fields, the others 0."""
        word = sum(value << CONTROL.field(name).low for name, value in fields.items())
        await self.put(CONTROL, word)

    # Packets ------------------------------------------------------------------------------------

    async def send(self, packet: Packet) -> None:
        """Write a packet, as much at once as there is space for."""
        waiting = [(COMMAND_DATA, word) for word in packet]
        waiting[-1] = (COMMAND_LAST, packet[-1])
        while waiting:
            space = await self.get(STATUS, "COMMAND_SPACE")
            writes = [
                self.master.init_write(register.offset, word.to_bytes(4, "little"))
                for register, word in waiting[:space]
            ]
            del waiting[:space]
            for write in writes:
                await self.bounded(write.wait())
                resp = Resp(int(write.data.resp))
                require(resp is Resp.OKAY, f"a word for which there is space gives {resp.name}")
            if not space:
                await self.step(_POLL)

    async def receive(self) -> Packet:
        """Read an answer word by word, up to the one that STATUS says is the last."""
        words: Packet = []
        while True:
            status = await self.get(STATUS)
            available, last, level = (
                STATUS.field(name).extract(status)
                for name in ("RESPONSE_AVAILABLE", "RESPONSE_LAST", "RESPONSE_LEVEL")
            )
            require(bool(available) == (level > 0), f"STATUS contradicts itself: {status:#010x}")
            if not available:
                require(not last, "STATUS tells of the last word where there is none")
                await self.step(_POLL)
                continue
            words.append(await self.get(RESPONSE_DATA))
            if last:
                return words

    async def transfer(self, packets: list[Packet]) -> list[Packet]:
        async def send() -> None:
            for packet in packets:
                await self.send(packet)

        sending = cocotb.start_soon(send())
        answers = [await self.receive() for _ in packets]
        await sending
        return answers

    async def expect_silence(self) -> None:
        _, resp = await self.read(RESPONSE_DATA.offset)
        require(resp is Resp.SLVERR, "an answer came that nobody asked for")
        for request, response in (("aw", "b"), ("w", "b"), ("ar", "r")):
            sent = self.channels.count(f"s_axi_{request}")
            came = self.channels.count(f"s_axi_{response}")
            require(sent == came, f"{sent} transfers of {request}, but {came} of {response}")

    # What is refused ----------------------------------------------------------------------------

    async def refused_write(self) -> None:
        """A write that changes nothing: no such register, one that is only read, half a word."""
        kind = self.random.randrange(3)
        if kind == 0:
            expected, place = Resp.DECERR, self._unmapped()
        elif kind == 1:
            expected, place = Resp.SLVERR, self._one(readable=True, writable=False)
        else:
            place = self._one(writable=True)
            some = self.random.randrange(1, 4)
            data = self.random.randbytes(some)
            answer = await self.bounded(self.master.write(place, data))
            require(int(answer.resp) == Resp.SLVERR, "half a word is written")
            return
        resp = await self.write(place, self.stimulus.word())
        require(resp is expected, f"a write to {place:#x} gives {resp.name}")

    async def refused_read(self) -> None:
        """A read that changes nothing: no such register, or one that is only written."""
        expected, place = Resp.SLVERR, self._one(readable=False)
        if self.random.random() < 0.5:
            expected, place = Resp.DECERR, self._unmapped()
        value, resp = await self.read(place)
        require((value, resp) == (0, expected), f"a read of {place:#x} gives {value}, {resp.name}")

    def _unmapped(self) -> int:
        """An address without a register, often just behind the last one."""
        first = REGISTERS[-1].offset + 4
        return 4 * self.random.randrange(first // 4, self.random.choice([first + 16, 4096]) // 4)

    def _one(self, **wanted: bool) -> int:
        fitting = [
            each for each in REGISTERS
            if all(getattr(each, name) == value for name, value in wanted.items())
        ]
        return self.random.choice(fitting).offset
