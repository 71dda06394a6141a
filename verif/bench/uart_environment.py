# SPDX-License-Identifier: Apache-2.0
"""An NPU behind a serial line, with the host's own end of the link at its pins."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import cocotb
from cocotb.triggers import First, RisingEdge, Timer
from cocotb.utils import get_sim_time

from ...hdl.link.frames import REPORT_WORDS, SESSION_BITS, Answer, Command
from ...hdl.npu.packets import Memory, Request
from ...host.devices.frame_codec import AnswerFrame, FrameFinder, command_frame
from ...host.devices.host_link import ATTEMPTS, HostLink, LinkPace, Report
from .check import require
from .line_noise import LineNoise
from .npu_stimulus import Packet
from .serial_line import LineDriver, LineMonitor, Symbol
from .wrapped_environment import PERIOD, WrappedEnvironment

__all__ = ["CommandMonitor", "UartEnvironment", "now"]

_BYTE_BITS = 10

#: What the host's end waits beyond the time of bytes, and while a program runs, in bytes' times.
_MARGIN, _IDLE = 20, 300

#: Bits' times of an exchange, besides those of its words.
_PATIENCE = 10_000

#: Bytes' times without a byte that surely are no pause between two.
_PAUSE = 4

#: Bytes' times in which a device sends a report and some short frames.
_SILENCE = 4 * REPORT_WORDS + 60


class CommandMonitor:
    """Sees every word that reaches the NPU.

    Attributes
    ----------
    packets : list of Packet
        Those that are complete.
    rest : Packet
        Words behind them.
    """

    def __init__(self, dut: Any) -> None:
        self.packets: list[Packet] = []
        self.rest: Packet = []
        self._valid, self._ready = dut.command__valid, dut.command__ready
        self._payload = dut.command__payload
        self._edge = RisingEdge(dut.clk)
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        rises = RisingEdge(self._valid)
        # In a simulator of four values nothing is known before.
        await self._edge
        while True:
            if not int(self._valid.value):
                await rises
            await self._edge
            if int(self._valid.value) and int(self._ready.value):
                word = int(self._payload.value)
                self.rest.append(word & 0xFFFFFFFF)
                if word >> 32:
                    self.packets.append(self.rest)
                    self.rest = []


class UartEnvironment(WrappedEnvironment):
    """Pins, noise on them, a host, and what the NPU got.

    Parameters
    ----------
    dut : cocotb handle of the top level
    deviation : float
        By which the host's bits are longer than the device's, in per cent.
    noise : float
        Share of the frames in each direction that get a fault.

    Attributes
    ----------
    host : HostLink
    meant : list of Packet
        What the host has meant to be carried out in this session, in order.
    reached : CommandMonitor
    is_slow : bool
        Whether the simulator is one that needs a hundred times as long for a cycle.
    up, down : LineNoise
        To the device and from it.
    """

    def __init__(self, dut: Any, *, deviation: float = 0.0, noise: float = 0.0) -> None:
        super().__init__(dut, dut.clk, dut.rst, reset_level=1)
        divisor = self.wrapper.divisor
        bit = round(1000 * PERIOD * divisor * (1 + deviation / 100))
        self.byte_seconds = _BYTE_BITS * bit * 1e-12
        # With noise each frame may take several attempts.
        self.patience = _PATIENCE * divisor * (50 if noise else 1)
        self.word_cycles = 120 * divisor
        self.driver = LineDriver(dut.rx, bit)
        self.line = LineMonitor(dut.tx, bit)
        self.up = LineNoise(Random(self.random.getrandbits(64)), noise, has_bits=True)
        self.down = LineNoise(Random(self.random.getrandbits(64)), noise, has_bits=False)
        self.reached = CommandMonitor(dut)
        self.meant: list[Packet] = []
        self.is_slow = "icarus" in cocotb.SIM_NAME.lower()
        self.host = self._new_host()

    @classmethod
    async def start(cls, dut: Any, **options: Any) -> "UartEnvironment":
        """An environment after a reset, with a session."""
        environment = cls(dut, **options)
        await environment.open()
        if environment.meant:
            # A case before has failed, and what it left was put right.
            await environment.connect()
        return environment

    def _new_host(self) -> HostLink:
        byte = self.byte_seconds
        # Without noise nothing is lost.
        attempts = ATTEMPTS if self.up.rate else 2
        pace = LinkPace(byte, _MARGIN * byte, _IDLE * byte, attempts)
        return HostLink("device", self.random.getrandbits(SESSION_BITS), pace)

    async def connect(self) -> None:
        """Begin a session, which resets the NPU; what the one before meant may be cut off."""
        self.host = self._new_host()
        self.up.forget()
        await self.pump(lambda: self.host.is_open)
        self.down.forget()
        self.expect_beginning()
        self.reached.packets.clear()
        self.reached.rest.clear()
        self.meant.clear()

    async def transfer(self, packets: list[Packet]) -> list[Packet]:
        """Send packets one behind the other, and return their answers."""
        for packet in packets:
            self.send(packet)
        return await self.collect(len(packets))

    async def collect(self, count: int) -> list[Packet]:
        """So many answers, which are all that is awaited."""
        answers = self.host.answers.packets
        await self.pump(lambda: len(answers) >= count)
        taken = list(answers)
        answers.clear()
        self.expect_exactly()
        return taken

    def send(self, packet: Packet) -> None:
        """Queue a packet."""
        self.meant.append(list(packet))
        self.host.commands.add(packet)

    def expect_exactly(self) -> None:
        """Require that the NPU got what was meant, each packet once and in order."""
        got, meant = self.reached.packets, self.meant
        for index, (one, other) in enumerate(zip(got, meant, strict=False)):
            require(one == other, f"packet {index} of the session is not what was meant")
        require(len(got) == len(meant), f"{len(got)} packets reached the NPU, {len(meant)} meant")
        require(not self.reached.rest, "words without an end reached the NPU")

    def expect_beginning(self) -> None:
        """Require that the NPU got a beginning of what was meant, and nothing twice."""
        got = self.reached.packets
        require(got == self.meant[: len(got)], "what reached the NPU is not what was meant first")
        rest = self.reached.rest
        following = self.meant[len(got)] if len(got) < len(self.meant) else []
        require(rest == following[: len(rest)], "part of a packet is not what was meant next")

    async def expect_silence(self) -> None:
        """Require that nothing comes too much."""
        require(not self.host.answers.packets, "an answer came that nobody asked for")
        require(self.line.faults == 0, "the device sent a byte without a stop bit")

    # The line -----------------------------------------------------------------------------------

    async def pump(self, done: Callable[[], bool]) -> None:
        """Let host and device speak until something is done."""
        while not done():
            frame = self.host.poll(now())
            if frame:
                await self.driver.send(self.up.pass_on(frame))
            else:
                await self._wait()
            self.hear()

    async def _wait(self) -> None:
        """Until a frame ends or the host has to do something."""
        if not self.line.has_frame.is_set():
            left = max(1, 1 + round((self.host.wake - now()) * 1e9))
            await First(self.line.has_frame.wait(), Timer(left, "ns"))
        self.line.has_frame.clear()

    def hear(self) -> None:
        """Hand on what has come from the device, with the line's faults."""
        data = self.line.take()
        if not self.down.is_on or not self.down.rate:
            self.host.receive(data, now())
            return
        # Faults are counted by frames, which end at zeros.
        *frames, rest = data.split(b"\0")
        for frame in frames:
            symbols = self.down.pass_on([*frame, 0]) if frame else [0]
            self.host.receive(bytes(symbols), now())
        self.host.receive(rest, now())

    async def ask(self, symbols: Iterable[Symbol]) -> list[AnswerFrame]:
        """Send symbols past the host; the short frames that come back."""
        await self._silence()
        self.line.take()
        await self.driver.send(symbols)
        await Timer(round(self.byte_seconds * _SILENCE * 1e9), "ns")
        return list(FrameFinder().feed(self.line.take()))

    async def _silence(self) -> None:
        """Until the device has sent what it had to send."""
        count = -1
        while count != self.line.count:
            count = self.line.count
            await Timer(round(self.byte_seconds * _PAUSE * 1e9), "ns")

    async def report(self) -> Report:
        """The device's report, past the host."""
        frames = await self.ask(command_frame(Command.REPORT, 0, self.host.answers.expected))
        reports = [frame for frame in frames if Answer.REPORT in frame.flags]
        require(len(reports) == 1, f"{len(reports)} reports came to one question")
        require(reports[0].session == self.host.session, "a report of another session")
        return Report.parse(reports[0].words)

    def simple_traffic(self) -> list[Packet]:
        """A few requests of all kinds."""
        stimulus = self.stimulus
        kind = stimulus.below(5)
        if kind == 0:
            return [stimulus.simple(Request.SYNC, stimulus.word())]
        if kind == 1:
            return [stimulus.simple(Request.IDENTIFY), stimulus.simple(Request.COUNTERS)]
        return stimulus.access(Memory(stimulus.below(len(Memory))))


def now() -> float:
    """Simulated time, in seconds."""
    return get_sim_time("ps") * 1e-12
