# SPDX-License-Identifier: Apache-2.0
"""Drivers, monitors, stall profiles and scoreboard, with pins that are plain Python objects."""

import random
from itertools import cycle, islice, repeat
from types import SimpleNamespace

import pytest
from amaranth.hdl import unsigned
from amaranth.lib import data

from cimple.verif.bench.check import InOrderScoreboard, require
from cimple.verif.bench.coverage import Coverage
from cimple.verif.bench.stalls import PROFILES, stalls
from cimple.verif.bench.stream import Sink, Source, StreamMonitor, StreamPort

LAYOUT = data.StructLayout({"data": unsigned(8), "last": 1})


class Unknown:
    def __int__(self):
        raise ValueError

    def __str__(self):
        return "0X"


def make_port():
    pins = {f"s__{name}": SimpleNamespace(value=0) for name in ("payload", "valid", "ready")}
    return StreamPort(SimpleNamespace(**pins), "s", LAYOUT)


def run(port, cycles, *drivers, monitor=None):
    """Let cycles pass as a testbench does; the sampled handshakes."""
    seen = []
    for number in range(cycles):
        port.sample()
        seen.append((port.valid, port.ready))
        if monitor:
            monitor.check(number)
        for driver in drivers:
            driver.drive()
    return seen


def test_a_source_and_a_sink_pass_everything_on_in_order():
    port, received = make_port(), []
    source = Source(port, iter(cycle([False, True, True])))
    sink = Sink(port, iter(cycle([True, False])))
    monitor = StreamMonitor(port, received.append)
    sent = [{"data": n, "last": n % 2} for n in range(10)]
    source.put(*sent)
    assert not source.idle
    run(port, 100, source, sink, monitor=monitor)
    assert source.idle
    assert [transfer.value for transfer in received] == sent
    assert monitor.transfers == 10
    assert monitor.waited == sum(t.cycle - t.since for t in received) > 0


def test_without_stalls_there_is_a_transfer_every_cycle():
    port, received = make_port(), []
    source, sink = Source(port, repeat(False)), Sink(port, repeat(False))
    source.put(*({"data": n, "last": 0} for n in range(5)))
    run(port, 6, source, sink, monitor=StreamMonitor(port, received.append))
    assert [transfer.cycle for transfer in received] == [1, 2, 3, 4, 5]


def test_an_offer_stays_until_it_is_taken():
    port = make_port()
    source = Source(port, iter([False, *[True] * 50]))
    source.put({"data": 7, "last": 1}, {"data": 8, "last": 0})
    run(port, 20, source)
    assert source.offers
    assert (port.valid_pin.value, port.payload_pin.value) == (1, 0x107)
    port.ready_pin.value = 1
    run(port, 2, source)
    assert port.valid_pin.value == 0
    assert source.queued == [{"data": 8, "last": 0}]


@pytest.mark.parametrize("keep", [False, True])
def test_clear(keep):
    port = make_port()
    source = Source(port, repeat(False))
    source.put({"data": 1, "last": 0}, {"data": 2, "last": 0})
    run(port, 2, source)
    source.clear(keep_offer=keep)
    assert port.valid_pin.value == int(keep)
    assert source.queued == ([{"data": 1, "last": 0}] if keep else [])


def test_a_held_sink_takes_nothing():
    port = make_port()
    sink = Sink(port, repeat(False))
    run(port, 1, sink)
    sink.hold()
    assert run(port, 5, sink)[1:] == [(False, False)] * 4


def drive(port, valid, payload, ready):
    port.valid_pin.value, port.payload_pin.value, port.ready_pin.value = valid, payload, ready
    port.sample()


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ((0, 5, 0), "s.valid was withdrawn before the transfer"),
        ((1, 6, 0), "s.payload changed before the transfer: 0x5 became 0x6"),
        ((1, 6, 1), "s.payload changed before the transfer: 0x5 became 0x6"),
        ((1, Unknown(), 0), "s.payload is not defined: 0X"),
        ((Unknown(), 0, 0), "s.valid is not defined: 0X"),
        ((0, 0, Unknown()), "s.ready is not defined: 0X"),
    ],
)
def test_a_monitor_finds_a_broken_rule(second, message):
    port = make_port()
    monitor = StreamMonitor(port, lambda transfer: None)
    drive(port, 1, 5, 0)
    monitor.check(0)

    def next_cycle():
        drive(port, *second)
        monitor.check(1)

    with pytest.raises(AssertionError) as caught:
        next_cycle()
    assert str(caught.value) == message


def test_a_monitor_expects_nothing_after_a_reset():
    port = make_port()
    monitor = StreamMonitor(port, lambda transfer: None)
    drive(port, 1, 5, 0)
    monitor.check(0)
    monitor.clear()
    drive(port, 0, 0, 0)
    monitor.check(1)
    assert monitor.transfers == 0


@pytest.mark.parametrize(
    ("profile", "low", "high"),
    [("none", 0, 0), ("light", 0.1, 0.3), ("heavy", 0.7, 0.9), ("bursts", 0.3, 0.7)],
)
def test_stall_profiles(profile, low, high):
    held = list(islice(stalls(profile, random.Random(1)), 5000))
    assert low <= sum(held) / len(held) <= high
    assert held == list(islice(stalls(profile, random.Random(1)), 5000))
    runs = "".join("x" if hold else "." for hold in held).split(".")
    assert (max(map(len, runs)) > 25) == (profile in ("bursts", "heavy"))


def test_every_profile_is_tested():
    assert set(PROFILES) == {"none", "light", "heavy", "bursts"}


def test_scoreboard_accepts_what_comes_in_order():
    board = InOrderScoreboard("o")
    for value in ([1, 2], [3, 4]):
        board.expect(value)
    board.observe([1, 2])
    assert (board.pending, board.matched) == (1, 1)
    board.observe([3, 4])
    board.finish(at_least=2)


def scoreboard(*actions):
    board = InOrderScoreboard("o")
    for name, *arguments in actions:
        getattr(board, name)(*arguments)
    board.finish(at_least=2)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([("observe", 5)], "o, item 0: nothing was expected, but 5 came"),
        ([("expect", 4), ("observe", 5)], "o, item 0: 5 came, 4 was expected"),
        (
            [("expect", [1, 2, 3]), ("observe", [1, 0, 9])],
            "o, item 0: 2 of 3 elements differ, the first at index 1: 0 came, 2 was expected",
        ),
        ([("expect", [1]), ("observe", [1, 2])], "o, item 0: [1, 2] came, [1] was expected"),
        ([("expect", 4)], "o: 1 expected items never came"),
        (
            [("expect", 4), ("observe", 4)],
            "o: only 1 items were checked, at least 2 are needed",
        ),
    ],
)
def test_scoreboard_refuses(actions, message):
    with pytest.raises(AssertionError) as caught:
        scoreboard(*actions)
    assert str(caught.value) == message


def test_require():
    require(True, "never")
    with pytest.raises(AssertionError, match="now"):
        require(False, "now")


def test_coverage_names_what_is_missing():
    coverage = Coverage()
    coverage.hit("a", "b", "a")
    coverage.finish(["a", "b"])
    assert coverage.counts["a"] == 2
    with pytest.raises(AssertionError, match="the stimuli never had: c; d"):
        coverage.finish(["c", "a", "d"])
