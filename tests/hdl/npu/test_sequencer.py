# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The sequencer: each descriptor to its queue, then END or a fault."""

import random
from collections import deque

import pytest

from cimple.hdl.npu.isa import VERSION, WORDS, Descriptor, Opcode
from cimple.hdl.npu.latency import PROGRAM_CYCLES
from cimple.hdl.npu.sequencer import Sequencer

END = Descriptor(Opcode.END, {})


class Surroundings:
    """The program memory and the queues; `queues` has the words that each has taken."""

    def __init__(self, sequencer, program, seed, chance):
        self.sequencer = sequencer
        self.words = [word for descriptor in program for word in descriptor.encode()]
        self.queues = [[] for _ in sequencer.config.queues]
        self.source, self.chance = random.Random(seed), chance

    async def serve(self, ctx):
        sequencer = self.sequencer
        queues = sequencer.config.queues
        ports = [sequencer.queues[queue] for queue in queues]
        sampled = [port.valid for port in ports] + [port.payload for port in ports]
        offered = [None] * len(queues)
        coming = deque([0] * (PROGRAM_CYCLES - 1))
        while True:
            ready = [self.source.random() >= self.chance for _ in queues]
            for port, value in zip(ports, ready, strict=True):
                ctx.set(port.ready, value)
            _, _, address, *values = await ctx.tick().sample(sequencer.address, *sampled)
            for queue in queues:
                valid, payload = values[queue], values[len(queues) + queue]
                assert offered[queue] is None or (valid and payload == offered[queue])
                offered[queue] = payload if valid and not ready[queue] else None
                if valid and ready[queue]:
                    self.queues[queue].append(payload)
            coming.append(self.words[address] if address < len(self.words) else 0)
            ctx.set(sequencer.data, coming.popleft())


async def run(ctx, sequencer, first, limit=3000):
    """Start; which of `done` and `fault` comes, after how many cycles, and `current` then."""
    ctx.set(sequencer.first, first)
    ctx.set(sequencer.start, 1)
    for cycle in range(limit):
        _, _, done, fault, current = await ctx.tick().sample(
            sequencer.done, sequencer.fault, sequencer.current
        )
        ctx.set(sequencer.start, 0)
        ctx.set(sequencer.first, 3)
        if done or fault:
            assert done + fault == 1
            return "done" if done else "fault", cycle, current
    raise AssertionError("the sequencer does not end")


def nothing_at_work(ctx, sequencer):
    ctx.set(sequencer.empty, (1 << len(sequencer.config.queues)) - 1)
    ctx.set(sequencer.settled, 1)


def random_program(source, count, config):
    opcodes = [opcode for opcode in config.opcodes if opcode.queue is not None]
    return [
        Descriptor(source.choice(opcodes), {"wait": source.getrandbits(3)}) for _ in range(count)
    ]


def expected(program, config):
    words = [[] for _ in config.queues]
    for descriptor in program:
        queue = descriptor.opcode.queue
        if queue is not None:
            words[queue] += descriptor.encode()
    return words


@pytest.mark.parametrize("chance", [0, 0.5, 0.9])
@pytest.mark.parametrize(("first", "external"), [(0, 0), (7, 0), (7, 4)])
def test_programs(simulate, npu_config, chance, first, external):
    config = npu_config(external_port=external)
    sequencer = Sequencer(config)
    program = [*random_program(random.Random(first), 15, config), END]
    around = Surroundings(sequencer, program, 1, chance)

    async def bench(ctx):
        nothing_at_work(ctx, sequencer)
        for _ in range(2):
            for words in around.queues:
                words.clear()
            assert (await run(ctx, sequencer, first))[0] == "done"
            assert around.queues == expected(program[first:], config)

    simulate(sequencer, bench, background=[around.serve])


def test_a_word_a_cycle(simulate, npu_config):
    sequencer = Sequencer(npu_config())
    program = random_program(random.Random(1), 15, sequencer.config)
    around = Surroundings(sequencer, [*program, END], 1, 0)

    async def bench(ctx):
        nothing_at_work(ctx, sequencer)
        comes = PROGRAM_CYCLES + 3
        # Cycles until the first word has come, one each to see END and empty queues, and to
        # tell it.
        assert await run(ctx, sequencer, 0) == ("done", comes + 15 * WORDS + 2, 15)
        assert await run(ctx, sequencer, 14) == ("done", comes + WORDS + 2, 15)
        assert await run(ctx, sequencer, 15) == ("done", comes + 2, 15)

    simulate(sequencer, bench, background=[around.serve])


def test_end_waits_until_everything_is_empty(simulate, npu_config):
    sequencer = Sequencer(npu_config())
    around = Surroundings(sequencer, [END], 1, 0)

    async def bench(ctx):
        ctx.set(sequencer.start, 1)
        await ctx.tick()
        ctx.set(sequencer.start, 0)
        for empty, settled in [*((n, 1) for n in [0, 1, 2, 3, 4, 5, 6, 6, 5, 3]), (7, 0)]:
            ctx.set(sequencer.empty, empty)
            ctx.set(sequencer.settled, settled)
            for _ in range(4):
                assert not ctx.get(sequencer.done)
                await ctx.tick()
        nothing_at_work(ctx, sequencer)
        await ctx.tick()
        assert ctx.get(sequencer.done)
        await ctx.tick()
        assert not ctx.get(sequencer.done)
        assert not ctx.get(sequencer.fault)

    simulate(sequencer, bench, background=[around.serve])


class Raw:
    """A descriptor that no encoder makes."""

    def __init__(self, header):
        self.header = header

    def encode(self):
        return [self.header, *range(1, WORDS)]


@pytest.mark.parametrize("header", [
    VERSION << 8 | Opcode.FETCH, 2 << 8 | 5, 2 << 8 | 0x81, 2 << 8 | 0xFF, 0, 1, 0 << 8 | 4,
    1 << 8 | 2, 0xF << 8 | 1, 9 << 8,
])
def test_unknown_opcode_or_version(simulate, npu_config, header):
    """The descriptor's number; nothing of it has gone anywhere, what was before it has."""
    sequencer = Sequencer(npu_config())
    program = random_program(random.Random(header), 4, sequencer.config)
    around = Surroundings(sequencer, [*program, Raw(header), END], 1, 0.2)

    async def bench(ctx):
        nothing_at_work(ctx, sequencer)
        for _ in range(2):
            for words in around.queues:
                words.clear()
            ended, _, current = await run(ctx, sequencer, 0)
            assert (ended, current) == ("fault", 4)
            assert around.queues == expected(program, sequencer.config)

    simulate(sequencer, bench, background=[around.serve])


@pytest.mark.parametrize("descriptors", [16, 21])
def test_the_end_of_the_memory(simulate, npu_config, descriptors):
    """A program without END ends there; what else stands in the memory is not run again."""
    sequencer = Sequencer(npu_config(descriptors=descriptors))
    program = random_program(random.Random(descriptors), descriptors, sequencer.config)
    # Behind its end the memory answers as it likes.
    around = Surroundings(sequencer, [*program, END], 1, 0)

    async def bench(ctx):
        nothing_at_work(ctx, sequencer)
        ended, _, current = await run(ctx, sequencer, 5)
        assert (ended, current) == ("fault", descriptors)
        assert around.queues == expected(program[5:], sequencer.config)

    simulate(sequencer, bench, background=[around.serve])


def test_words_behind_the_header_are_not_looked_at(simulate, npu_config):
    """Fields may hold what would be END or a fault in a header."""
    sequencer = Sequencer(npu_config())
    values = {"start": VERSION << 8, "row_stride": 0x0500, "depth": 3, "zero_point": -1}
    program = [Descriptor(Opcode.COMPUTE, values), END]
    around = Surroundings(sequencer, program, 1, 0)

    async def bench(ctx):
        nothing_at_work(ctx, sequencer)
        assert (await run(ctx, sequencer, 0))[0] == "done"
        assert around.queues == expected(program, sequencer.config)

    simulate(sequencer, bench, background=[around.serve])
