# SPDX-License-Identifier: Apache-2.0
"""Weight loader: row groups from the weight memory into the macro."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import NpuConfig
from .isa import Opcode, layout

__all__ = ["WeightLoader"]


class WeightLoader(wiring.Component):
    """Reads a row group word by word, then offers it to the macro.

    Throughput: a row group every ``config.group_words + 1 + config.macro.write_cycles`` cycles
    where the macro is free. Cost: a register for one row group, which the macro needs while it
    writes.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(layout(Opcode.LOAD_WEIGHTS))
    done : Out(1)
        The last row group is written in this cycle.
    address : Out(...)
        Word of the weight memory; its data comes in the next cycle.
    data : In(8 * config.weight_port)
    w : Out(stream of config.macro.write_layout)
    """

    start: Signal
    descriptor: data.View
    done: Signal
    address: Signal
    data: Signal
    w: stream.Interface

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(layout(Opcode.LOAD_WEIGHTS)),
                "done": Out(1),
                "address": Out(config.weight_word_bits),
                "data": In(8 * config.weight_port),
                "w": Out(stream.Signature(config.macro.write_layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        word_bits = 8 * config.weight_port
        words = Signal(word_bits * config.group_words, reset_less=True)
        count = Signal(range(config.group_words + 1))
        left = Signal(16)
        group = Signal(16)
        first_word = exact_log2(config.weight_port)
        payload = self.w.payload
        weights = payload.weights.as_value()
        bank_bits = min(len(payload.bank), len(self.descriptor.bank))
        m.d.comb += [
            weights.eq(words[: len(weights)]),
            payload.group.eq(group[: len(payload.group)]),
            payload.bank.eq(self.descriptor.bank[:bank_bits]),
        ]
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [
                    self.address.eq(self.descriptor.address[first_word:][: len(self.address)]),
                    group.eq(self.descriptor.group),
                    left.eq((self.descriptor.groups - 1)[:16]),
                    count.eq(0),
                ]
                with m.If(self.start):
                    m.next = "Read"
            with m.State("Read"):
                # The word asked for in the cycle before is there; words enter from the top.
                m.d.sync += count.eq(count + 1)
                with m.If(count != config.group_words):
                    m.d.sync += self.address.eq(self.address + 1)
                with m.If(count != 0):
                    m.d.sync += words.eq(Cat(words, self.data)[word_bits:])
                with m.If(count == config.group_words):
                    m.next = "Write"
            with m.State("Write"):
                # A group that the macro does not have is left out.
                m.d.comb += self.w.valid.eq(group < config.macro.groups)
                m.d.sync += count.eq(0)
                with m.If(self.w.ready | ~self.w.valid):
                    m.d.sync += [group.eq(group + 1), left.eq(left - 1)]
                    m.d.comb += self.done.eq(left == 0)
                    with m.If(left == 0):
                        m.next = "Idle"
                    with m.Else():
                        m.next = "Read"
        return m
