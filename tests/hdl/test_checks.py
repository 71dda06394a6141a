# SPDX-License-Identifier: Apache-2.0
"""The design rules: each finds what it is for, and says nothing about what is meant."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from amaranth.hdl import Array, Cat, ClockDomain, Fragment, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from cimple.hdl.checks import check
from cimple.hdl.narrow import narrow
from cimple.hdl.stamp import Stamp

Body = Callable[[Module, Any], object]


class Block(wiring.Component):
    """Ports and a body that a test gives."""

    def __init__(self, body: Body, **ports: Any) -> None:
        self.body = body
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.body(m, self)
        return m


def assign(m: Any, *statements: Any) -> None:
    """For a body that is an expression."""
    m.d.comb += statements


def findings(body: Body, **ports: Any) -> list[str]:
    """What is found, without the place."""
    return [f"{found.rule}: {found.text}" for found in check(Block(body, **ports))]


def narrowed(target: Any, source: Any, expression: Callable[[Any], Any]) -> list[str]:
    """What is found where `expression` of an input is assigned to an output."""
    return findings(
        lambda m, block: assign(m, block.o.eq(expression(block.i))),
        i=In(source),
        o=Out(target),
    )


@pytest.mark.parametrize(
    ("target", "source", "expression"),
    [
        (7, 8, lambda i: i),
        (8, 8, lambda i: i + i),
        (8, 8, lambda i: i << 1),
        (signed(8), signed(8), lambda i: -i),
        (signed(8), unsigned(8), lambda i: i),
        (unsigned(8), signed(8), lambda i: i),
        (unsigned(8), signed(4), lambda i: i),
        (8, 9, lambda i: Mux(i[0], i, 0)),
        (8, 8, lambda i: Mux(i[0], 0, 256)),
        (8, 9, lambda i: Array([i, i[:4]])[i[0]]),
        (2, 8, lambda i: 4),
        (signed(8), 8, lambda i: 128),
        (1, 8, lambda i: -2),
        (8, 9, lambda i: i + 1),
        (8, 8, lambda i: i + i[:2]),
        (8, signed(8), lambda i: i + 1),
        (8, 8, lambda i: Cat(i, i[0])),
        (0, 8, lambda i: i[0]),
    ],
)
def test_lost_bits_are_found(target, source, expression):
    found = narrowed(target, source, expression)
    assert len(found) == 1
    assert found[0].startswith("narrowing: ")


@pytest.mark.parametrize(
    ("target", "source", "expression"),
    [
        (8, 8, lambda i: i),
        (9, 8, lambda i: i + i),
        (8, 8, lambda i: (i + i)[:8]),
        (signed(9), unsigned(8), lambda i: i),
        (signed(8), unsigned(8), lambda i: i.as_signed()),
        (unsigned(8), signed(8), lambda i: i.as_unsigned()),
        (signed(8), signed(8), lambda i: narrow(i + i, signed(8))),
        (8, 8, lambda i: i + 1),
        (8, 8, lambda i: i - 3),
        (8, 8, lambda i: 1 + i),
        (8, 8, lambda i: i + i[0]),
        (1, 1, lambda i: i + 1),
        (8, 8, lambda i: Mux(i[0], i, i + 1)),
        (8, 8, lambda i: ~i),
        (8, 8, lambda i: -1),
        (8, 8, lambda i: 255),
        (signed(8), 8, lambda i: -128),
        (1, 8, lambda i: i == 3),
        (0, 8, lambda i: 0),
    ],
)
def test_what_fits_or_is_cut_explicitly_is_not_found(target, source, expression):
    assert narrowed(target, source, expression) == []


def test_a_lost_bit_is_found_in_any_branch():
    def body(m, block):
        with m.If(block.i[0]), m.Switch(block.i[1:3]), m.Case(2):
            m.d.sync += block.o.eq(block.i)

    (found,) = findings(body, i=In(9), o=Out(8))
    assert found == (
        "narrowing: unsigned of 9 bits does not fit o, which is unsigned of 8 bits; if that is "
        "meant, use a slice"
    )


def test_the_place_is_the_statement():
    (found,) = check(Block(lambda m, b: assign(m, b.o.eq(b.i)), i=In(9), o=Out(8)))
    assert found.place.startswith("test_checks.py:")
    assert str(found).startswith(f"{found.place}: narrowing: ")


def test_a_signal_nobody_reads_is_found():
    def body(m, block):
        forgotten = Signal(4)
        m.d.sync += forgotten.eq(block.i)

    assert findings(body, i=In(4)) == ["unread: forgotten is driven and nothing reads it"]


def test_a_register_that_only_feeds_itself_is_found():
    def body(m, block):
        turns = Signal(4)
        m.d.sync += turns.eq(turns + 1)

    assert findings(body) == ["unread: turns is driven and nothing reads it"]


def test_a_signal_nobody_drives_is_found():
    def body(m, block):
        nothing = Signal(4)
        m.d.comb += block.o.eq(nothing)

    assert findings(body, o=Out(4)) == ["undriven: nothing is read and nothing drives it"]


def test_bits_nobody_drives_are_found():
    def body(m, block):
        partly = Signal(data.ArrayLayout(2, 4))
        m.d.comb += [partly[0].eq(block.i), partly[2].eq(block.i), block.o.eq(partly)]

    expected = ["undriven: partly[2:4, 6:8] is read and nothing drives it"]
    assert findings(body, i=In(2), o=Out(8)) == expected


def test_bits_nobody_reads_need_no_driver():
    def body(m, block):
        partly = Signal(data.ArrayLayout(2, 4))
        m.d.comb += [partly[1].eq(block.i), partly[2].eq(block.i), block.o.eq(partly[2])]

    assert findings(body, i=In(2), o=Out(2)) == []


def test_bits_are_followed_through_concatenations():
    def body(m, block):
        low = Signal(3)
        high = Signal(3)
        m.d.comb += Cat(low, high)[1:5].eq(block.i)
        m.d.comb += block.o.eq(Cat(high, low)[1:5])

    # Driven: low[1:3] and high[0:2]. Read: high[1:3] and low[0:2].
    assert findings(body, i=In(4), o=Out(4)) == [
        "undriven: low[0] is read and nothing drives it",
        "undriven: high[2] is read and nothing drives it",
    ]


def test_a_constant_signal_is_meant():
    def body(m, block):
        constant = Signal(4, init=5)
        m.d.comb += block.o.eq(constant)

    assert findings(body, o=Out(4)) == []


def test_an_output_nobody_drives_is_found():
    def body(m, block):
        m.d.comb += block.o[:3].eq(block.i)

    assert findings(body, i=In(3), o=Out(4)) == ["undriven: o[3] is a port and nothing drives it"]


def test_an_input_of_a_part_nobody_drives_is_found():
    def body(m, block):
        def inner(m, part):
            m.d.comb += part.s.ready.eq(part.s.valid & part.s.payload[0])

        part: Any = Block(inner, s=In(stream.Signature(4)))
        m.submodules.part = part
        m.d.comb += [part.s.valid.eq(1), block.o.eq(part.s.ready)]

    expected = ["undriven: s__payload is a port and nothing drives it"]
    assert findings(body, o=Out(1)) == expected


def test_an_input_of_a_part_nobody_uses_is_found_undriven_too():
    def body(m, block):
        m.submodules.part = Block(lambda m, part: None, i=In(4))

    assert findings(body) == ["undriven: i is a port and nothing drives it"]


def test_a_part_that_is_not_added_is_found():
    def body(m, block):
        part: Any = Block(lambda m, part: None, i=In(4))
        Fragment.get(part, None)  # only so that Amaranth does not complain in its own way
        m.d.comb += part.i.eq(block.i)

    assert findings(body, i=In(4)) == ["unread: i is driven and nothing reads it"]


def test_an_output_of_a_part_need_not_be_read():
    def body(m, block):
        m.submodules.part = Block(lambda m, part: assign(m, part.o.eq(3)), o=Out(4))

    assert findings(body) == []


def test_a_memory_reads_its_ports_and_drives_its_data():
    def body(m, block, written):
        m.submodules.table = table = memory.Memory(shape=8, depth=4, init=[])
        read = table.read_port()
        write = table.write_port()
        m.d.comb += [read.addr.eq(block.i), block.o.eq(read.data)]
        if written:
            m.d.comb += [write.addr.eq(block.i), write.data.eq(7), write.en.eq(1)]

    assert findings(partial(body, written=True), i=In(2), o=Out(8)) == []
    found = findings(partial(body, written=False), i=In(2), o=Out(8))
    assert sorted(text.split()[1] for text in found) == ["write__addr", "write__data", "write__en"]


def test_a_clock_that_is_driven_is_read_by_its_registers():
    def body(m, block):
        domain: Any = ClockDomain("own", local=True)
        m.domains += domain
        m.d.comb += [domain.clk.eq(block.i[0]), domain.rst.eq(block.i[1])]
        m.d.own += block.o.eq(block.i)

    assert findings(body, i=In(2), o=Out(2)) == []


def test_an_fsm_is_no_finding():
    def body(m, block):
        with m.FSM():
            with m.State("Idle"), m.If(block.i):
                m.next = "Busy"
            with m.State("Busy"):
                m.d.comb += block.o.eq(1)
                m.next = "Idle"

    assert findings(body, i=In(1), o=Out(1)) == []


def test_what_a_library_part_offers_need_not_be_read():
    def body(m, block):
        m.submodules.fifo = queue = fifo.SyncFIFO(width=4, depth=4)
        m.d.comb += [queue.w_data.eq(block.i), queue.w_en.eq(block.i[0]), queue.r_en.eq(block.i[1])]
        m.d.comb += block.o.eq(queue.r_data)

    assert findings(body, i=In(4), o=Out(4)) == []


def test_what_is_stamped_is_checked_once():
    def build():
        return Block(lambda m, part: assign(m, part.o.eq(part.i)), i=In(5), o=Out(4))

    def body(m, block):
        signature = wiring.Signature({"i": In(5), "o": Out(4)})
        parts: list[Any] = [Stamp("part", "part", signature, build) for _ in range(3)]
        m.submodules += parts
        m.d.comb += [part.i.eq(block.i) for part in parts]
        m.d.comb += block.o.eq(Cat(part.o for part in parts))

    found = findings(body, i=In(5), o=Out(12))
    assert len(found) == 1
    assert found[0].startswith("narrowing: ")


def test_a_stamped_part_needs_its_inputs():
    def build():
        return Block(lambda m, part: assign(m, part.o.eq(part.i)), i=In(4), o=Out(4))

    def body(m, block):
        signature = wiring.Signature({"i": In(4), "o": Out(4)})
        part: Any = Stamp("part", "part", signature, build)
        m.submodules.part = part
        m.d.comb += block.o.eq(part.o)

    assert findings(body, o=Out(4)) == ["undriven: i is a port and nothing drives it"]
