# SPDX-License-Identifier: Apache-2.0
"""The self-test's hardware, with the golden model in the place of the NPU."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from amaranth.sim import Simulator

from cimple.fpga.self_test import SelfTester, text_entries
from cimple.hdl.npu.packets import Request
from cimple.host.commands.compile import load_npu
from cimple.host.self_test import make_self_test
from cimple.verif.golden.npu import NpuModel

CONFIG = load_npu("npu_least")
TEST = make_self_test(CONFIG)


@dataclass
class Run:
    """What a run came to."""

    text: bytes = b""
    passed: bool = False
    failed: bool = False
    requests: list[list[int]] = field(default_factory=list)


#: What answers a request, from its words and the right answer; None for nothing.
Answer = Callable[[list[int], list[int]], list[int] | None]


def run(test=TEST, *, answer: Answer = lambda _, right: right, limit: int = 40_000) -> Run:
    """Run the hardware until its text has gone; `answer` may change what the model answers."""
    dut, model, seen = SelfTester(test, "good", "bad", patience_bits=8), NpuModel(CONFIG), Run()

    async def npu(context):
        words: list[int] = []
        for number in range(limit):
            # A word is taken in three cycles of four.
            context.set(dut.command.ready, number % 4 != 0)
            *_, valid, payload = await context.tick().sample(
                dut.command.valid, dut.command.payload
            )
            if valid and number % 4:
                words.append(payload.data)
                if payload.last:
                    seen.requests.append(words)
                    reply = answer(words, model.transact(words))
                    words = []
                    await send(context, reply)

    async def send(context, reply):
        context.set(dut.command.ready, 0)
        for index, word in enumerate(reply or []):
            last = index == len(reply) - 1
            context.set(dut.response.payload, {"data": word, "last": last})
            context.set(dut.response.valid, 1)
            await context.tick().until(dut.response.ready)
            context.set(dut.response.valid, 0)

    async def watch(context):
        context.set(dut.text.ready, 1)
        for _ in range(limit):
            *_, valid, letter = await context.tick().sample(dut.text.valid, dut.text.payload)
            seen.text += bytes([letter]) if valid else b""
            if not context.get(dut.active):
                break
        seen.passed, seen.failed = context.get(dut.passed), context.get(dut.failed)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(npu, background=True)
    simulator.add_testbench(watch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulator.run()
    return seen


def test_it_passes_with_the_right_answers():
    seen = run()
    assert (seen.passed, seen.failed) == (True, False)
    assert seen.text.rstrip(b"\0") == b"good"
    assert seen.text.endswith(b"\0")
    codes = [words[0] & 0xFF for words in seen.requests]
    assert codes[0] == Request.IDENTIFY
    assert codes.count(Request.RUN) == 1


def test_the_time_of_a_run_does_not_count():
    def later(words, right):
        return [right[0], 12345] if words[0] & 0xFF == Request.RUN else right

    assert run(answer=later).passed


@pytest.mark.parametrize("place", [0, 1, -1])
@pytest.mark.parametrize("request_", [Request.IDENTIFY, Request.READ, Request.SYNC])
def test_a_wrong_bit_fails(request_, place):
    def wrong(words, right):
        if words[0] & 0xFF == request_:
            right[place] ^= 1 << 9
        return right

    seen = run(answer=wrong)
    assert (seen.passed, seen.failed) == (False, True)
    assert seen.text.rstrip(b"\0") == b"bad"


def test_a_wrong_signature_fails():
    assert run(TEST.flipped(1 << 31)).failed


@pytest.mark.parametrize("request_", [Request.IDENTIFY, Request.RUN])
def test_an_npu_that_is_silent_fails(request_):
    seen = run(answer=lambda words, right: None if words[0] & 0xFF == request_ else right)
    assert seen.failed
    assert seen.text.rstrip(b"\0") == b"bad"


def test_texts_end_in_a_zero_that_a_frame_would_begin_with():
    for text in ("", "abc", "abcd", "abcde"):
        entries = text_entries(text)
        letters = b"".join(entry.data.to_bytes(4, "little") for entry in entries)
        assert letters.rstrip(b"\0") == text.encode()
        assert letters.endswith(b"\0")
        assert [entry.last for entry in entries] == [False] * (len(entries) - 1) + [True]


