# SPDX-License-Identifier: Apache-2.0
"""Program reader: the words of a program, read ahead, each with what is to be done with it."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, ResetInserter, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import NpuConfig
from .delay import delayed
from .isa import VERSION, WORDS, Opcode, Queue, layout
from .latency import PROGRAM_CYCLES

__all__ = ["ProgramReader", "ProgramWord"]

#: Words that can wait. They are asked for while fewer than half of these do, as many as may be on
#: their way: so there is room for all, and they come before the last has gone.
_DEPTH = 2 * (PROGRAM_CYCLES + 3)


class ProgramWord(data.StructLayout):
    """A word of a descriptor.

    ``queue`` is where the descriptor goes, ``last`` says that it ends with this word. ``ends``: the
    word is the header of an END; ``fails``: that of a descriptor that cannot be executed.
    """

    def __init__(self) -> None:
        super().__init__({"word": 32, "queue": Queue, "last": 1, "ends": 1, "fails": 1})


class ProgramReader(wiring.Component):
    """Reads descriptors from the program memory for as long as it is told to.

    The block RAM's words go through a register, and what a header says is registered with them, so
    that whoever takes them need not look. Behind the memory's end the first words follow, which
    are never of use: the header there fails.

    Latency: ``PROGRAM_CYCLES + 3`` cycles from `run` to the first word. Throughput: a word a cycle.

    Members
    -------
    run : In(1)
        Words are read; while it is low there are none.
    first : In(config.descriptor_bits)
        Number of the first descriptor; to be there in the cycle before `run`.
    address : Out(config.program_word_bits)
    data : In(32)
        As in `ProgramMemory`.
    o : Out(stream of ProgramWord)
    """

    run: Signal
    first: Signal
    address: Signal
    data: Signal
    o: stream.Interface

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "run": In(1),
                "first": In(config.descriptor_bits),
                "address": Out(config.program_word_bits),
                "data": In(32),
                "o": Out(stream.Signature(ProgramWord())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = ResetInserter(~self.run)(fifo.SyncFIFO(width=ProgramWord().size, depth=_DEPTH))
        m.submodules.words = words
        asks = Signal()
        m.d.comb += asks.eq(self.run & (words.level < _DEPTH // 2))
        with m.If(~self.run):
            m.d.sync += self.address.eq(Cat(Const(0, ceil_log2(WORDS)), self.first))
        with m.Elif(asks):
            m.d.sync += self.address.eq(self.address + 1)
        # The word comes from the memory, then it is in a register.
        is_here: Any = asks
        for cycle in range(PROGRAM_CYCLES + 1):
            is_here = delayed(m, f"is_read{cycle}_", is_here & self.run, 1)
        word: Any = delayed(m, "word", self.data, 1, reset_less=True)
        m.d.comb += [
            words.w_data.eq(self._decode(m, word, is_here)),
            words.w_en.eq(is_here),
            self.o.payload.as_value().eq(words.r_data),
            self.o.valid.eq(words.r_rdy),
            words.r_en.eq(self.o.ready),
        ]
        return m

    def _decode(self, m: Module, word: Any, is_here: Any) -> Any:
        """What the word is: of which descriptor, and which of its words."""
        number = Signal(self.config.fetch_bits)
        index = Signal(range(WORDS))
        header = data.View(layout(Opcode.END), Cat(word, Const(0, 32 * (WORDS - 1))))
        chosen = Signal(Queue)
        queue = Signal(Queue)
        known = Signal()
        item: Any = Signal(ProgramWord())
        with m.Switch(header.opcode):
            for opcode in self.config.opcodes:
                with m.Case(opcode):
                    m.d.comb += known.eq(header.version == VERSION)
                    if opcode.queue is not None:
                        m.d.comb += chosen.eq(opcode.queue)
        is_header = index == 0
        is_beyond = number == self.config.descriptors
        ends = known & ~is_beyond & (header.opcode == Opcode.END)
        m.d.comb += [
            item.word.eq(word),
            item.queue.eq(queue),
            item.last.eq(index == WORDS - 1),
            item.ends.eq(is_header & ends),
            item.fails.eq(is_header & (~known | is_beyond)),
        ]
        with m.If(is_header):
            m.d.comb += item.queue.eq(chosen)
        with m.If(~self.run):
            m.d.sync += [number.eq(self.first), index.eq(0)]
        with m.Elif(is_here):
            m.d.sync += [index.eq(index + 1), queue.eq(item.queue)]
            with m.If(item.last):
                m.d.sync += number.eq(number + 1)
        return item
