# SPDX-License-Identifier: Apache-2.0
"""The macro's input side: vectors and read requests in, the operand of one step a cycle out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..keep import keep_where
from .config import MacroConfig
from .tags import TagLayout

__all__ = ["Serialiser", "Step"]

#: A condition, and the bank whose weights are used where it holds.
Use = tuple[Value, Value]


class Step(NamedTuple):
    """What the step register is to take."""

    number: Signal
    """Number of the vector's step."""
    begin: Value
    """Number of the step with which the vector begins."""
    next_number: Value
    """Number of the one after it."""
    within: Value
    """It is of a vector, and not its first."""
    is_top: Value
    """It is the vector's top one; of steps that are skipped none is."""
    goes_on: Value
    """It is taken, and the vector has more."""
    asks: Value
    """A row is to be read back in the next step."""
    reads: Value
    """It is none of a vector: it reads the row back that was asked for in the cycle before."""


class Serialiser(wiring.Component):
    """Takes vectors apart into steps.

    A vector stays on `i` while its steps are taken, so it needs no register here: the transfer
    happens with the last step. A row is read back as a vector of one step with a single one in it;
    that may happen between accumulations. Where vectors and requests wait at once, they take turns.

    Throughput: a step a cycle. Latency: 1 cycle from `i` to `operand`.

    Members
    -------
    i : In(stream of config.input_layout)
    read_request : In(stream of config.read_request_layout)
    enable : In(1)
        Nothing moves where it is low.
    hold : In(1)
        No vector and no read of bank `hold_bank` may begin.
    hold_bank : In(config.bank_bits)
    write_bank : In(config.bank_bits)
        The bank whose weights are to change. While another one is held, what is said of it does not
        count.
    operand : Out(config.operand_layout)
        The step register; `bank` and `tag` belong to it.
    bank : Out(config.bank_bits)
    tag : Out(TagLayout(config))
    next_tag : Out(TagLayout(config))
        What `tag` becomes where `enable` is high.
    moves_on : Out(1)
        A step of a vector or a read of bank `write_bank` goes to the step register.
    in_use : Out(1)
        A step of bank `write_bank` meets the weights in this cycle or, as the vector has begun or
        may begin, in one of the next.
    waits : Out(1)
        A vector or read of bank `write_bank` is there and has not begun.
    skipped : Out(32)
        Steps that zero planes have saved since the reset, modulo 2**32.
    """

    i: stream.Interface
    read_request: stream.Interface
    enable: Signal
    hold: Signal
    hold_bank: Signal
    write_bank: Signal
    operand: Any
    bank: Signal
    tag: data.View
    next_tag: data.View
    moves_on: Signal
    in_use: Signal
    waits: Signal
    skipped: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.input_layout)),
                "read_request": In(stream.Signature(config.read_request_layout)),
                "enable": In(1),
                "hold": In(1),
                "hold_bank": In(config.bank_bits),
                "write_bank": In(config.bank_bits),
                "operand": Out(config.operand_layout),
                "bank": Out(config.bank_bits),
                "tag": Out(TagLayout(config)),
                "next_tag": Out(TagLayout(config)),
                "moves_on": Out(1),
                "in_use": Out(1),
                "waits": Out(1),
                "skipped": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vector, request = self.i.payload, self.read_request.payload
        vector_bank, request_bank = self.config.bank_of(vector), self.config.bank_of(request)

        # A vector between its first and last step, and the step that is next then.
        within = Signal()
        top, begin = self._first_steps(m)
        following = Signal.like(begin)
        # It is not the last one.
        more = Signal()
        goes_on = Signal()
        accumulating = Signal()
        read_was_last = Signal()

        current = Signal.like(begin)
        next_number = Signal.like(begin)
        # A row to read back sets out from registers: the choice between it and a vector would be
        # too long a way to every bit of the operand.
        reading = Signal(attrs=keep_where(self.config.broadcast_registers))
        read_bank = Signal(self.config.bank_bits)
        launch = Signal()
        takes_read = Signal()
        may_begin = Signal()
        asks = Signal()
        may_read = Signal()
        vector_held = self.hold & (vector_bank == self.hold_bank)
        request_held = self.hold & (request_bank == self.hold_bank)
        m.d.comb += [
            current.eq(Mux(within, following, begin)),
            next_number.eq((current - 1)[: len(begin)]),
            may_begin.eq(self.i.valid & ~vector_held),
            asks.eq(self.read_request.valid & ~within & ~accumulating),
            may_read.eq(asks & ~request_held),
            takes_read.eq(may_read & ~(may_begin & read_was_last)),
            launch.eq(within | (may_begin & ~reading & ~takes_read)),
            goes_on.eq(Mux(within, more, launch & (begin != 0))),
            self.i.ready.eq(self.enable & launch & ~goes_on),
            self.read_request.ready.eq(self.enable & takes_read),
        ]
        _, closes = self._bounds(vector)
        with m.If(self.enable):
            m.d.sync += [
                within.eq(goes_on),
                following.eq(next_number),
                more.eq(next_number != 0),
            ]
        with m.If(self.enable & launch):
            m.d.sync += read_was_last.eq(0)
            with m.If(~goes_on):
                m.d.sync += accumulating.eq(~closes)
            if self.config.skip_zero_planes:
                with m.If(~within):
                    saved = (top - begin)[: len(begin)]
                    m.d.sync += self.skipped.eq((self.skipped + saved)[:32])
        with m.If(self.enable):
            m.d.sync += [reading.eq(takes_read), read_bank.eq(request_bank)]
            with m.If(takes_read):
                m.d.sync += read_was_last.eq(1)

        self._tell_writer(
            m,
            moving=((launch, vector_bank), (takes_read, request_bank)),
            # What may begin but gives way to another bank's has not lost its turn. The bank that is
            # held is the one to write here, so nothing waits for the comparison.
            coming=(
                (reading, read_bank),
                (within | (self.i.valid & ~self.hold), vector_bank),
                (asks & ~self.hold, request_bank),
            ),
        )
        step = Step(
            number=current, begin=begin, next_number=next_number, within=within,
            # Where none is skipped, vectors begin with it.
            is_top=~within if begin is top else ~within & (begin == top),
            goes_on=goes_on, asks=takes_read, reads=reading,
        )  # fmt: skip
        self._take_operand(m, step)
        self._take_tag(m, step, launch)
        with m.If(self.enable):
            m.d.sync += self.bank.eq(Mux(reading, read_bank, vector_bank))
        return m

    def _tell_writer(self, m: Module, moving: Sequence[Use], coming: Sequence[Use]) -> None:
        """Say what uses weights of bank `write_bank`: in this cycle, or in one of the next."""
        vector_bank = self.config.bank_of(self.i.payload)
        request_bank = self.config.bank_of(self.read_request.payload)
        offered = (self.i.valid, vector_bank), (self.read_request.valid, request_bank)
        m.d.comb += [
            self.moves_on.eq(self.enable & self._any_here(*moving)),
            self.in_use.eq(self._any_here((self.tag.valid, self.bank), *coming)),
            self.waits.eq(self._any_here(*offered)),
        ]

    def _any_here(self, *uses: Use) -> Value:
        """Whether any of these is so of bank `write_bank`: conditions, and the bank of each."""
        return Cat(condition & (bank == self.write_bank) for condition, bank in uses).any()

    def _take_tag(self, m: Module, step: Step, launch: Value) -> None:
        """Register the tag of a step; `launch` says that it is one of a vector, and is taken."""
        vector = self.i.payload
        opens, closes = self._bounds(vector)
        is_sign = self._is_negative(vector, step.is_top)
        m.d.comb += [
            self.next_tag.valid.eq(launch | step.reads),
            self.next_tag.last.eq(~step.goes_on),
            self.next_tag.negative.eq(is_sign & ~step.reads),
            self.next_tag.opens.eq(step.reads | opens),
            self.next_tag.closes.eq(step.reads | closes),
            self.next_tag.reads.eq(step.reads),
            self.next_tag.fused.eq(Mux(step.reads, 0, vector.fused)),
        ]
        with m.If(self.enable):
            m.d.sync += self.tag.eq(self.next_tag)

    def _bounds(self, vector: data.View) -> tuple[Value, Value]:
        """Whether the vector is the first and the last of its accumulation."""
        if self.config.accumulations == 1:
            return Const(1, 1), Const(1, 1)
        return vector.first, vector.last

    def _first_steps(self, m: Module) -> tuple[Value, Value]:
        """The number of the vector's top step, and of the one it begins with; the last is 0."""
        raise NotImplementedError

    def _is_negative(self, vector: data.View, is_top: Value) -> Value:
        """Whether the step counts negative."""
        raise NotImplementedError

    def _take_operand(self, m: Module, step: Step) -> None:
        """Register the operand of a step."""
        raise NotImplementedError
