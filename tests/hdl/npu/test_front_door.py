# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The front door: every request, and everything that can be wrong with one."""

import random
from collections import Counter, deque

import pytest

from cimple.hdl.npu.front_door import FrontDoor
from cimple.hdl.npu.latency import ANSWER_CYCLES, HOST_READ_CYCLES
from cimple.hdl.npu.packets import (
    COUNTERS,
    Memory,
    Request,
    Status,
    address,
    header,
    identity,
    memory_bytes,
    response_header,
)
from cimple.verif.golden.npu import NpuModel
from cimple.verif.golden.packets import find_fault

TAG = 0xA7


class Surroundings:
    """Memories, counters, and an engine whose programs end as `ending` says after 9 cycles."""

    def __init__(self, door, config):
        self.door = door
        source = random.Random(9)
        self.content = {
            memory: [source.getrandbits(32) for _ in range(memory_bytes(config, memory) // 4)]
            for memory in Memory
        }
        self.ending = "done"
        self.starts, self.resets = [], 0

    async def serve_memories(self, ctx):
        """Written words are there at once, read words some cycles later and until the next."""
        ports = self.door.memories
        coming = {memory: deque([None] * (HOST_READ_CYCLES - 1)) for memory in Memory}
        while True:
            sampled = [
                value for memory in Memory for value in (
                    ports[memory].offset, ports[memory].write, ports[memory].write_data,
                    ports[memory].read,
                )
            ]
            values = list((await ctx.tick().sample(*sampled))[2:])
            for memory in Memory:
                offset, write, data, read = values[4 * memory : 4 * memory + 4]
                coming[memory].append(self.content[memory][offset] if read else None)
                word = coming[memory].popleft()
                if word is not None:
                    ctx.set(ports[memory].read_data, word)
                if write:
                    self.content[memory][offset] = data

    async def serve_engine(self, ctx):
        door, since = self.door, None
        cycles = 0
        while True:
            ends = since == 8
            ctx.set(door.done, ends and self.ending == "done")
            ctx.set(door.fault, ends and self.ending == "fault")
            ctx.set(door.fault_at, 11)
            ctx.set(door.stuck, ends and self.ending == "stuck")
            ctx.set(door.cycles, cycles)
            _, _, run, first, running, reset, index = await ctx.tick().sample(
                door.run, door.first, door.running, door.engine_reset, door.counter_index
            )
            self.resets += reset
            cycles = 0 if run else cycles + running
            since = None if since is None or ends or reset else since + 1
            if run:
                self.starts.append(first)
                since = 0
            ctx.set(door.counter_value, 1000 + index)


class Door:
    """Runs ``bench(send, receive, around)`` on a front door.

    `send` puts a packet behind those that wait to go, `receive` waits for an answer.
    """

    def __init__(self, config, streams, simulate):
        self.config, self.streams, self.simulate = config, streams, simulate

    def __call__(self, bench, chance=0, **limits):
        component = FrontDoor(self.config)
        around = Surroundings(component, self.config)
        waiting = []

        async def sender(ctx):
            while True:
                if waiting:
                    words = waiting.pop(0)
                    last = [False] * (len(words) - 1) + [True]
                    transfers = [
                        {"data": word, "last": end} for word, end in zip(words, last, strict=True)
                    ]
                    await self.streams.send(ctx, component.command, transfers, chance)
                else:
                    await ctx.tick()

        async def testbench(ctx):
            async def receive():
                words = []
                while not words or not words[-1].last:
                    words += await self.streams.receive(ctx, component.response, 1, chance)
                return [word.data for word in words]

            await bench(waiting.append, receive, around)

        background = [around.serve_memories, around.serve_engine, sender]
        self.simulate(component, testbench, background=background, **limits)


@pytest.fixture
def door(npu_config, streams, simulate):
    """A front door, and what stands around it."""
    return Door(npu_config(stamps=16), streams, simulate)


def answer(request, status, *words):
    return [response_header(request, TAG, status), *words]


def request(opcode, *words, count=0):
    return [header(opcode, TAG, count), *words]


ACTIVATIONS = address(Memory.ACTIVATIONS, 0)
#: (packet, status, detail) of everything malformed.
FAULTY = {
    "unknown opcode": (request(8), Status.UNKNOWN_OPCODE, header(8, TAG)),
    "opcode zero": (request(0), Status.UNKNOWN_OPCODE, header(0, TAG)),
    "unknown, long": (
        request(255, 1, 2, 3, count=7), Status.UNKNOWN_OPCODE, header(255, TAG, 7),
    ),
    "identify, too long": (request(Request.IDENTIFY, 5), Status.OVERLONG, 2),
    "reset, too long": (request(Request.RESET, 5, 6), Status.OVERLONG, 3),
    "counters, too long": (request(Request.COUNTERS, 1, 2, 3, 4), Status.OVERLONG, 5),
    "sync, too short": (request(Request.SYNC), Status.TRUNCATED, 1),
    "sync, too long": (request(Request.SYNC, 1, 2), Status.OVERLONG, 3),
    "run, too short": (request(Request.RUN), Status.TRUNCATED, 1),
    "run, too long": (request(Request.RUN, 0, 0), Status.OVERLONG, 3),
    "run beyond the program": (request(Request.RUN, 16), Status.BAD_ADDRESS, 16),
    "run far beyond": (request(Request.RUN, 1 << 31), Status.BAD_ADDRESS, 1 << 31),
    "run beyond, too long": (request(Request.RUN, 16, 0), Status.OVERLONG, 3),
    "read, too short": (request(Request.READ, count=1), Status.TRUNCATED, 1),
    "read nothing, too short": (request(Request.READ), Status.TRUNCATED, 1),
    "read, too long": (request(Request.READ, ACTIVATIONS, 1, count=1), Status.OVERLONG, 3),
    "read nothing, too long": (request(Request.READ, 1, 1), Status.OVERLONG, 3),
    "read nothing": (request(Request.READ, ACTIVATIONS), Status.BAD_COUNT, header(3, TAG)),
    "read nothing, nowhere": (request(Request.READ, 3), Status.BAD_COUNT, header(3, TAG)),
    "write, header alone": (request(Request.WRITE, count=2), Status.TRUNCATED, 1),
    "write nothing, header alone": (request(Request.WRITE), Status.TRUNCATED, 1),
    "write, address alone": (request(Request.WRITE, ACTIVATIONS, count=2), Status.TRUNCATED, 2),
    "write nothing": (request(Request.WRITE, ACTIVATIONS), Status.BAD_COUNT, header(2, TAG)),
    "write nothing, words follow": (
        request(Request.WRITE, ACTIVATIONS, 1, 2), Status.BAD_COUNT, header(2, TAG),
    ),
    "write nothing, nowhere": (request(Request.WRITE, 2, 1), Status.BAD_COUNT, header(2, TAG)),
    "write nowhere, address alone": (request(Request.WRITE, 2, count=1), Status.BAD_ADDRESS, 2),
    "write nowhere, too short": (request(Request.WRITE, 2, 5, count=2), Status.BAD_ADDRESS, 2),
    "write nowhere, too long": (request(Request.WRITE, 2, 5, 6, count=1), Status.BAD_ADDRESS, 2),
}


@pytest.mark.parametrize("name", FAULTY)
@pytest.mark.parametrize("chance", [0, 0.5])
def test_malformed_packets(door, name, chance):
    """The fault is named, nothing happens, and the next request is served."""
    packet, status, detail = FAULTY[name]

    async def bench(send, receive, around):
        before = {memory: list(words) for memory, words in around.content.items()}
        send(packet)
        assert await receive() == answer(packet[0] & 0xFF, status, detail)
        send(request(Request.SYNC, 77))
        assert await receive() == answer(Request.SYNC, Status.OK, 77)
        assert around.content == before
        assert around.starts == []
        assert around.resets == 0

    door(bench, chance)


@pytest.mark.parametrize("opcode", [Request.READ, Request.WRITE])
@pytest.mark.parametrize("memory", list(Memory))
def test_ends_of_the_memories(door, opcode, memory):
    """The last words are reached, the first ones beyond are not."""
    size = memory_bytes(door.config, memory)
    good = [(0, 1), (size - 4, 1), (size - 20, 5)]
    bad = [(size, 1), (size - 4, 2), (size - 20, 6), (0, 0xFFFF), (0xFFFFFFC, 1), (0xFFFFFFC, 2),
           (1, 1), (2, 1), (3, 1), (size - 3, 1), (size - 1, 1)]

    async def bench(send, receive, around):
        for offset, count in good:
            data = [7 * offset + index for index in range(count)]
            where = address(memory, offset)
            first = offset // 4
            if opcode == Request.WRITE:
                send(request(opcode, where, *data, count=count))
                assert await receive() == answer(opcode, Status.OK)
                assert around.content[memory][first : first + count] == data
            else:
                send(request(opcode, where, count=count))
                expected = around.content[memory][first : first + count]
                assert await receive() == answer(opcode, Status.OK, *expected)
        before = {key: list(words) for key, words in around.content.items()}
        for offset, count in bad:
            where = address(memory, offset)
            data = [1, 2] if opcode == Request.WRITE else []
            send(request(opcode, where, *data, count=count))
            assert await receive() == answer(opcode, Status.BAD_ADDRESS, where), (offset, count)
        assert around.content == before

    door(bench)


@pytest.mark.parametrize("opcode", [Request.READ, Request.WRITE])
@pytest.mark.parametrize("number", [4, 7, 15])
def test_memories_that_do_not_exist(door, opcode, number):
    async def bench(send, receive, around):
        where = number << 28
        send(request(opcode, where, *([1] if opcode == Request.WRITE else []), count=1))
        assert await receive() == answer(opcode, Status.BAD_ADDRESS, where)

    door(bench)


@pytest.mark.parametrize(("words", "count"), [(1, 2), (5, 9), (3, 2), (9, 1), (1, 0xFF)])
def test_writes_of_the_wrong_length(door, words, count):
    """What came within the count is written, what came beyond is not."""
    async def bench(send, receive, around):
        before = {memory: list(content) for memory, content in around.content.items()}
        data = list(range(100, 100 + words))
        where = address(Memory.ACTIVATIONS, 32)
        send(request(Request.WRITE, where, *data, count=count))
        status = Status.TRUNCATED if words < count else Status.OVERLONG
        if count > 120:
            status, words_ = Status.BAD_ADDRESS, 0
            assert await receive() == answer(Request.WRITE, status, where)
        else:
            words_ = min(words, count)
            assert await receive() == answer(Request.WRITE, status, 2 + words)
        before[Memory.ACTIVATIONS][8 : 8 + words_] = data[:words_]
        assert around.content == before

    door(bench)


@pytest.mark.parametrize("chance", [0, 0.5])
def test_requests_that_need_no_memory(door, chance):
    """Their answers; a count in their header means nothing."""
    async def bench(send, receive, around):
        for count in (0, 500):
            send(request(Request.IDENTIFY, count=count))
            assert await receive() == answer(Request.IDENTIFY, Status.OK, *identity(door.config))
            send(request(Request.SYNC, 0xDEADBEEF, count=count))
            assert await receive() == answer(Request.SYNC, Status.OK, 0xDEADBEEF)
            send(request(Request.COUNTERS, count=count))
            values = [1000 + index for index in range(COUNTERS + 16)]
            assert await receive() == answer(Request.COUNTERS, Status.OK, *values)
            send(request(Request.RUN, 3, count=count))
            assert await receive() == answer(Request.RUN, Status.OK, 9)
            resets = around.resets
            send(request(Request.RESET, count=count))
            assert await receive() == answer(Request.RESET, Status.OK)
            assert around.resets == resets + 1
        assert around.starts == [3, 3]

    door(bench, chance)


def test_run(door):
    """Engines are reset before a program and after a fault; the last descriptor may be first."""
    async def bench(send, receive, around):
        send(request(Request.RUN, 15))
        assert await receive() == answer(Request.RUN, Status.OK, 9)
        assert (around.starts, around.resets) == ([15], 1)
        around.ending = "fault"
        send(request(Request.RUN, 0))
        assert await receive() == answer(Request.RUN, Status.BAD_DESCRIPTOR, 11)
        assert (around.starts, around.resets) == ([15, 0], 3)
        around.ending = "stuck"
        send(request(Request.RUN, 2))
        send(request(Request.SYNC, 5))
        send(request(Request.RESET))
        assert await receive() == answer(Request.RUN, Status.DEADLOCK, 9)
        assert (around.starts, around.resets) == ([15, 0, 2], 5)
        assert await receive() == answer(Request.SYNC, Status.OK, 5)
        assert await receive() == answer(Request.RESET, Status.OK)
        around.ending = "done"
        send(request(Request.RUN, 1))
        assert await receive() == answer(Request.RUN, Status.OK, 9)

    door(bench)


def test_reset_ends_a_program(door):
    """Only a complete RESET does: other packets wait, and so does one that goes on."""
    async def bench(send, receive, around):
        around.ending = "never"
        send(request(Request.RUN, 2))
        send(request(Request.RESET))
        aborted = await receive()
        assert aborted[0] == response_header(Request.RUN, TAG, Status.ABORTED)
        assert len(aborted) == 2
        assert await receive() == answer(Request.RESET, Status.OK)
        assert around.resets == 3  # before the program, to end it, and by the packet itself

        around.ending = "done"
        send(request(Request.RUN, 2))
        send(request(Request.SYNC, 5))
        assert await receive() == answer(Request.RUN, Status.OK, 9)
        assert await receive() == answer(Request.SYNC, Status.OK, 5)
        send(request(Request.RUN, 2))
        send(request(Request.RESET, 1))
        assert await receive() == answer(Request.RUN, Status.OK, 9)
        assert await receive() == answer(Request.RESET, Status.OVERLONG, 2)

    door(bench)


def test_throughput(door, simulate):
    """A word a cycle to write, `ANSWER_CYCLES` a word to read."""
    async def bench(send, receive, around):
        send(request(Request.WRITE, ACTIVATIONS, *range(100), count=100))
        await receive()
        send(request(Request.READ, ACTIVATIONS, count=100))
        assert (await receive())[1:] == list(range(100))

    # 102 words in, 2 in, 1 and 100 out, and some cycles between them.
    door(bench, cycles=102 + 2 + 1 + ANSWER_CYCLES * 100 + 20)


def random_packet(source):
    """Mostly nearly right."""
    opcode = source.choice([*Request, Request.WRITE, Request.READ, 0, 9, 255])
    count = source.choice([0, 1, 2, 2, 3, 400])
    place = source.choice([
        address(source.choice([Memory.ACTIVATIONS, Memory.WEIGHTS]), 4 * source.randrange(130)),
        address(Memory.PROGRAM, 4 * source.randrange(200)), source.getrandbits(32),
        source.randrange(20),
    ])
    words = [source.getrandbits(32) for _ in range(count % 5 + source.choice([0, 0, 0, 1, -1]))]
    length = 2 + len(words) if opcode == Request.WRITE else source.choice([1, 2, 2, 2, 3])
    packet = [header(opcode, source.getrandbits(8), count), place, *words, 5, 6]
    return packet[: max(1, length)]


def test_random_packets(door):
    """All requests are under way at once; answers are the golden model's, in order."""
    source = random.Random(4)
    packets = [random_packet(source) for _ in range(300)]
    model = NpuModel(door.config)
    seen = Counter()

    async def bench(send, receive, around):
        for words in around.content.values():
            words[:] = [0] * len(words)
        for packet in packets:
            send(packet)
        for packet in packets:
            if packet[0] & 0xFF == Request.RUN and find_fault(packet, model.memories) is None:
                expected = answer(Request.RUN, Status.OK, 9)
                expected[0] ^= packet[0] & 0xFF00 ^ TAG << 8
            elif packet[0] & 0xFF == Request.COUNTERS and len(packet) == 1:
                expected = [packet[0] & 0xFFFF, *range(1000, 1000 + COUNTERS + 16)]
            else:
                expected = model.transact(packet)
            assert await receive() == expected, packet
            seen[packet[0] & 0xFF, Status(expected[0] >> 16)] += 1

    door(bench, 0.2)
    for opcode in (Request.WRITE, Request.READ):
        for status in (Status.OK, Status.BAD_ADDRESS, Status.BAD_COUNT, Status.TRUNCATED):
            assert seen[opcode, status], (opcode, status)
