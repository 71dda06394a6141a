# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The answerer: header and words of every kind of answer, at its pace, under backpressure."""

from collections import deque

import pytest

from cimple.hdl.npu.answerer import Answerer
from cimple.hdl.npu.latency import ANSWER_CYCLES, HOST_READ_CYCLES
from cimple.hdl.npu.packets import (
    COUNTERS,
    Memory,
    Request,
    Status,
    address,
    identity,
    response_header,
)

TAG = 0x5A
OPERAND = address(Memory.PARAMETERS, 0x1234)
DETAIL = 0xFEDCBA98


def memory_word(memory, index):
    return 0x01010101 * (memory + 1) ^ index * 0x10203


def counter_value(index):
    return 0xC0000000 + index


class Surroundings:
    """Memories that answer some cycles after `read`, counters one after `index`."""

    def __init__(self, answerer):
        self.answerer = answerer
        self.reads = 0

    async def serve(self, ctx):
        answerer = self.answerer
        coming = deque([None] * HOST_READ_CYCLES)
        while True:
            _, _, index, read = await ctx.tick().sample(answerer.index, answerer.read)
            ctx.set(answerer.counter_value, counter_value(index))
            coming.append(index if read else None)
            asked = coming.popleft()
            if asked is not None:
                ctx.set(answerer.read_data, [memory_word(memory, asked) for memory in Memory])
            self.reads += read


def expected(config, request, status, count):
    """The answer's words after its header."""
    if status != Status.OK:
        return [DETAIL]
    return {
        Request.IDENTIFY: identity(config),
        Request.WRITE: [],
        Request.READ: [memory_word(Memory.PARAMETERS, index) for index in range(count)],
        Request.RUN: [DETAIL],
        Request.SYNC: [OPERAND],
        Request.RESET: [],
        Request.COUNTERS: [counter_value(index) for index in range(COUNTERS + config.stamps)],
    }[request]


async def ask(ctx, answerer, request, status, count=0):
    ctx.set(answerer.header, {"opcode": request, "tag": TAG, "count": count})
    ctx.set(answerer.status, status)
    ctx.set(answerer.start, 1)
    await ctx.tick()
    ctx.set(answerer.start, 0)


@pytest.mark.parametrize("chance", [0, 0.6])
def test_every_answer(simulate, npu_config, streams, chance):
    config = npu_config(stamps=16, external_port=4)
    answerer = Answerer(config)
    around = Surroundings(answerer)
    cases = [(request, Status.OK, 5) for request in Request]
    cases += [(Request.READ, status, 3) for status in Status if status != Status.OK]
    cases += [(Request.IDENTIFY, Status.OVERLONG, 0), (Request.READ, Status.OK, 1)]
    cases += [(200, Status.UNKNOWN_OPCODE, 0xFFFF), (Request.READ, Status.OK, 300)]

    async def bench(ctx):
        ctx.set(answerer.operand, OPERAND)
        ctx.set(answerer.detail, DETAIL)
        for request, status, count in cases:
            await ask(ctx, answerer, request, status, count)
            words = expected(config, request, status, count)
            reads = around.reads
            got = await streams.receive(ctx, answerer.response, 1 + len(words), chance)
            assert [word.data for word in got] == [response_header(request, TAG, status), *words]
            assert [word.last for word in got] == [0] * len(words) + [1]
            is_read = (request, status) == (Request.READ, Status.OK)
            assert around.reads - reads == (count if is_read else 0)
            for _ in range(8):
                assert not ctx.get(answerer.response.valid)
                await ctx.tick()

    simulate(answerer, bench, background=[around.serve])


def test_latency_and_throughput(simulate, npu_config):
    answerer = Answerer(npu_config())
    around = Surroundings(answerer)
    sent, done = [], []

    async def bench(ctx):
        ctx.set(answerer.response.ready, 1)
        ctx.set(answerer.header, {"opcode": Request.READ, "tag": TAG, "count": 4})
        ctx.set(answerer.start, 1)
        for cycle in range(2 + 4 * ANSWER_CYCLES):
            for seen, port in ((sent, answerer.response.valid), (done, answerer.done)):
                if ctx.get(port):
                    seen.append(cycle)
            await ctx.tick()
            ctx.set(answerer.start, 0)

    simulate(answerer, bench, background=[around.serve])
    assert sent == [1, *(1 + ANSWER_CYCLES * word for word in range(1, 5))]
    assert done == sent[-1:]


@pytest.mark.parametrize("memory", list(Memory))
def test_reads_from_the_memory_that_the_address_names(simulate, npu_config, streams, memory):
    answerer = Answerer(npu_config())
    around = Surroundings(answerer)

    async def bench(ctx):
        ctx.set(answerer.operand, address(memory, 0))
        await ask(ctx, answerer, Request.READ, Status.OK, 3)
        got = await streams.receive(ctx, answerer.response, 4)
        assert [word.data for word in got][1:] == [memory_word(memory, index) for index in range(3)]

    simulate(answerer, bench, background=[around.serve])
