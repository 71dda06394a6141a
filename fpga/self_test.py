# SPDX-License-Identifier: Apache-2.0
"""The self-test of a bitstream: requests from a ROM, a signature of the answers, a verdict."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..hdl.npu.packets import StreamWord
from ..host.self_test import MOST_PATTERN, POLYNOMIAL, SEED, Entry, SelfTest

__all__ = ["PATIENCE_BITS", "SelfTester", "text_entries"]

#: After 2 to the power of so many cycles without a word at either stream the test has failed.
PATIENCE_BITS = 20

_ENTRY = data.StructLayout({"data": 32, "last": 1, "pattern": 1, "timed": 1, "restart": 1})
_ENTRY_BITS = 36


def text_entries(text: str) -> list[Entry]:
    """A text as words of the ROM, with at least one zero behind it, which begins a new frame."""
    letters = text.encode("ascii") + b"\0"
    letters += bytes(-len(letters) % 4)
    words = [int.from_bytes(letters[i : i + 4], "little") for i in range(0, len(letters), 4)]
    return [Entry(word, last=index == len(words) - 1) for index, word in enumerate(words)]


def _step(state: Signal) -> Any:
    """The next state of a linear feedback shift register: `host.self_test.step`."""
    return (state >> 1) ^ Mux(state[0], POLYNOMIAL, 0)


class SelfTester(wiring.Component):
    """Sends a ROM's requests after a reset, judges the answers, and says so in a text.

    A word of a pattern takes a cycle where the NPU takes it, any other word four. All answers go
    through a multiple-input signature register of 32 bits, whose final state must be the one that
    the golden model says: an error in one word always shows, any other but for one in 2**32. The
    verdict's text then leaves byte by byte. A test that comes to a stop has failed 2**20 cycles
    later.

    Parameters
    ----------
    test : SelfTest
    passed_text, failed_text : str
        What is said; ASCII.
    patience_bits : int
        As `PATIENCE_BITS`.

    Members
    -------
    command : Out(stream of StreamWord)
        Requests to the NPU.
    response : In(stream of StreamWord)
        Its answers.
    text : Out(stream of 8 bits)
    active : Out(1)
        High from the reset until the text has gone.
    passed, failed : Out(1)
        The verdict, from before the text on.
    """

    command: stream.Interface
    response: stream.Interface
    text: stream.Interface
    active: Signal
    passed: Signal
    failed: Signal

    def __init__(
        self, test: SelfTest, passed_text: str, failed_text: str,
        patience_bits: int = PATIENCE_BITS,
    ) -> None:
        self.test = test
        self.patience_bits = patience_bits
        passed, failed = text_entries(passed_text), text_entries(failed_text)
        self.entries = [*test.entries, *passed, *failed]
        #: Where the requests end and the first text begins, and where the second one begins.
        self.end = len(test.entries)
        self.failed_at = self.end + len(passed)
        super().__init__(
            {
                "command": Out(stream.Signature(StreamWord)),
                "response": In(stream.Signature(StreamWord)),
                "text": Out(stream.Signature(8)),
                "active": Out(1),
                "passed": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        words = [_pack(entry) for entry in self.entries]
        m.submodules.rom = rom = Memory(shape=_ENTRY_BITS, depth=len(words), init=words)
        port = rom.read_port()
        address = Signal(range(len(self.entries)))
        active = Signal(init=1)
        m.d.comb += [port.addr.eq(address), port.en.eq(1), self.active.eq(active)]
        # A register behind the ROM, whose output is late in a cycle.
        entry: Any = Signal(_ENTRY)
        timed = Signal()
        signature, done = self._judge_answers(m, timed)
        stuck = self._watch(m)

        with m.FSM():
            with m.State("ADDRESS"):
                m.next = "READ"
            with m.State("READ"):
                m.d.sync += entry.eq(port.data)
                m.next = "BEGIN"
            self._send(m, entry, address, timed, stuck)
            with m.State("ANSWER"):
                m.next = "ANSWER"
                with m.If(done):
                    m.next = "ADDRESS"
                    with m.If(address == self.end):
                        m.next = "JUDGE"
                with m.Elif(stuck):
                    m.next = "JUDGE"
            with m.State("JUDGE"):
                good = (signature == self.test.signature) & ~stuck
                m.d.sync += [self.passed.eq(good), self.failed.eq(~good)]
                m.d.sync += address.eq(Mux(good, self.end, self.failed_at))
                m.next = "TEXT ADDRESS"
            self._say(m, port, entry, address)
            with m.State("END"):
                m.d.sync += active.eq(0)
        return m

    def _send(
        self, m: Module, entry: Any, address: Signal, timed: Signal, stuck: Value
    ) -> None:
        """Send an entry's word, or as many of the pattern as it says."""
        pattern, turned = Signal(32, init=SEED), Signal()
        sent = Signal(bits_for(MOST_PATTERN))
        final = ~entry.pattern | (sent + 1 == entry.data[: len(sent)])
        with m.State("BEGIN"):
            with m.If(entry.restart):
                m.d.sync += [pattern.eq(SEED), turned.eq(1)]
            m.next = "SEND"
        with m.State("SEND"):
            word = pattern ^ turned.replicate(32)
            m.d.comb += [
                self.command.valid.eq(1),
                self.command.payload.data.eq(Mux(entry.pattern, word, entry.data)),
                self.command.payload.last.eq(entry.last & final),
            ]
            m.d.sync += timed.eq(entry.timed)
            with m.If(self.command.ready):
                with m.If(entry.pattern):
                    m.d.sync += [pattern.eq(_step(pattern)), sent.eq(sent + 1)]
                with m.If(final):
                    m.d.sync += [sent.eq(0), address.eq(address + 1)]
                    m.next = "ADDRESS"
                    with m.If(entry.last):
                        m.next = "ANSWER"
            with m.Elif(stuck):
                m.next = "JUDGE"

    def _judge_answers(self, m: Module, timed: Signal) -> tuple[Signal, Any]:
        """The signature so far, and whether an answer ends."""
        signature, inside = Signal(32), Signal()
        word = self.response.payload
        # Not once the link has the NPU.
        m.d.comb += self.response.ready.eq(self.active)
        comes = self.response.valid & self.response.ready
        with m.If(comes):
            m.d.sync += inside.eq(~word.last)
            with m.If(~(inside & timed)):
                m.d.sync += signature.eq(_step(signature) ^ word.data)
        return signature, comes & word.last

    def _watch(self, m: Module) -> Value:
        """Whether nothing has moved for so long that nothing will."""
        quiet = Signal(self.patience_bits + 1)
        stuck = quiet[-1]
        moves = self.command.valid & self.command.ready | self.response.valid
        with m.If(moves):
            m.d.sync += quiet.eq(0)
        with m.Elif(~stuck):
            m.d.sync += quiet.eq(quiet + 1)
        return stuck

    def _say(self, m: Module, port: Any, entry: Any, address: Signal) -> None:
        """Send the bytes of the text's words, up to the one that is its last."""
        index = Signal(2)
        with m.State("TEXT ADDRESS"):
            m.next = "TEXT READ"
        with m.State("TEXT READ"):
            m.d.sync += entry.eq(port.data)
            m.next = "TEXT"
        with m.State("TEXT"):
            m.d.comb += [self.text.valid.eq(1), self.text.payload.eq(entry.data[:8])]
            with m.If(self.text.ready):
                m.d.sync += [index.eq(index + 1), entry.data.eq(Cat(entry.data[8:], Const(0, 8)))]
                with m.If(index == 3):
                    m.d.sync += address.eq(address + 1)
                    m.next = "TEXT ADDRESS"
                    with m.If(entry.last):
                        m.next = "END"


def _pack(entry: Entry) -> int:
    """An entry as `_ENTRY` has it."""
    flags = entry.last | entry.pattern << 1 | entry.timed << 2 | entry.restart << 3
    return entry.data | flags << 32
