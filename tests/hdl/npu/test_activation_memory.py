# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The activation memory against a plain array of bytes."""

import random

import pytest

from cimple.hdl.npu.activation_memory import ActivationMemory
from cimple.hdl.npu.latency import HOST_READ_CYCLES, READ_CYCLES

PORTS = [4, 8, 16, 32]


def in_lanes(content, address, lane, lanes):
    """What a read port answers: the bytes from `address` on, the first one in `lane`."""
    data = [None] * lanes
    for byte in range(address, min(address + lanes, len(content))):
        data[(lane + byte - address) % lanes] = content[byte]
    return data


def assert_bytes(data, expected):
    """Compare the bytes that exist."""
    for lane, byte in enumerate(expected):
        assert byte is None or data[lane] == byte


async def host_write(ctx, memory, content):
    """All bytes through the host's port."""
    ctx.set(memory.host.write, 1)
    for word in range(len(content) // 4):
        ctx.set(memory.host.offset, word)
        ctx.set(memory.host.write_data, int.from_bytes(content[4 * word : 4 * word + 4], "little"))
        await ctx.tick()
    ctx.set(memory.host.write, 0)


@pytest.mark.parametrize("lanes", PORTS)
def test_bytes_of_any_alignment_move_in_a_cycle(simulate, npu_config, lanes):
    """Reads and writes: all alignments, all counts, both of each kind of port."""
    config = npu_config(activation_port=lanes, activation_bytes=320)
    memory = ActivationMemory(config)
    source = random.Random(lanes)
    content = bytearray(source.randbytes(config.activation_bytes))
    reads, alignments, counts = set(), set(), set()

    async def bench(ctx):
        await host_write(ctx, memory, content)
        for _ in range(400):
            writer = source.choice([memory.store_write, memory.pool_write])
            reader = source.choice([memory.pool, memory.window])
            count = source.randint(0, lanes)
            to = source.randint(0, len(content) - count)
            where, lane = source.randrange(len(content)), source.randrange(lanes)
            data = source.randbytes(lanes)
            ctx.set(writer.address, to)
            ctx.set(writer.count, count)
            ctx.set(writer.data, list(data))
            ctx.set(reader.address, where)
            ctx.set(reader.lane, lane)
            ctx.set(reader.valid, 1)
            assert ctx.get(reader.ready)
            overlap = range(max(to, where), min(to + count, where + lanes))
            expected = in_lanes(content, where, lane, lanes)
            await ctx.tick()
            content[to : to + count] = data[:count]
            ctx.set(writer.count, 0)
            ctx.set(reader.valid, 0)
            await ctx.tick().repeat(READ_CYCLES - 1)
            for byte in overlap:  # in the same cycle either value may be seen
                expected[(lane + byte - where) % lanes] = None
            assert_bytes(ctx.get(reader.data), expected)
            alignments.add(to % lanes)
            counts.add(count)
            reads.add((where % lanes, lane))
        ctx.set(memory.window.lane, 0)
        for where in range(0, len(content), lanes):
            ctx.set(memory.window.address, where)
            ctx.set(memory.window.valid, 1)
            await ctx.tick().repeat(READ_CYCLES)
            assert_bytes(ctx.get(memory.window.data), in_lanes(content, where, 0, lanes))

    simulate(memory, bench)
    assert alignments == {alignment for alignment, _ in reads} == set(range(lanes))
    assert len(reads) > lanes
    assert counts == set(range(lanes + 1))


@pytest.mark.parametrize("lanes", PORTS)
def test_host_moves_words(simulate, npu_config, lanes):
    config = npu_config(activation_port=lanes, activation_bytes=256)
    memory = ActivationMemory(config)
    content = bytearray(random.Random(lanes).randbytes(config.activation_bytes))

    async def bench(ctx):
        await host_write(ctx, memory, content)
        # A word alone changes its own four bytes.
        content[100:104] = b"\1\2\3\4"
        ctx.set(memory.host.write, 1)
        ctx.set(memory.host.offset, 25)
        ctx.set(memory.host.write_data, 0x04030201)
        await ctx.tick()
        ctx.set(memory.host.write, 0)
        for word in random.Random(2).sample(range(len(content) // 4), len(content) // 4):
            ctx.set(memory.host.read, 1)
            ctx.set(memory.host.offset, word)
            await ctx.tick()
            ctx.set(memory.host.read, 0)
            await ctx.tick().repeat(HOST_READ_CYCLES - 1)
            expected = int.from_bytes(content[4 * word : 4 * word + 4], "little")
            assert ctx.get(memory.host.read_data) == expected

    simulate(memory, bench)


def test_what_the_host_has_read_stays(simulate, npu_config):
    """A host may take its word as late as it likes, whatever address stands at the other ports."""
    config = npu_config(activation_bytes=256)
    memory = ActivationMemory(config)
    content = random.Random(3).randbytes(config.activation_bytes)

    async def bench(ctx):
        await host_write(ctx, memory, content)
        ctx.set(memory.host.read, 1)
        ctx.set(memory.host.offset, 17)
        await ctx.tick()
        ctx.set(memory.host.read, 0)
        await ctx.tick().repeat(HOST_READ_CYCLES - 2)
        for cycle in range(1, 10):
            ctx.set(memory.window.address, 8 * cycle)
            ctx.set(memory.host.offset, cycle)
            await ctx.tick()
            assert ctx.get(memory.host.read_data) == int.from_bytes(content[68:72], "little")

    simulate(memory, bench)


def test_pool_is_served_before_window(simulate, npu_config):
    config = npu_config(activation_bytes=256)
    memory = ActivationMemory(config)
    content = bytes(range(256))

    async def bench(ctx):
        await host_write(ctx, memory, content)
        ctx.set(memory.pool.address, 10)
        ctx.set(memory.window.address, 200)
        for pool, window in ((1, 1), (0, 1), (1, 0), (1, 1)):
            ctx.set(memory.pool.valid, 0)
            ctx.set(memory.pool_next, pool)
            await ctx.tick()
            ctx.set(memory.pool.valid, pool)
            ctx.set(memory.window.valid, window)
            assert ctx.get(memory.pool.ready) == pool
            assert ctx.get(memory.window.ready) == (window and not pool)
            await ctx.tick().repeat(READ_CYCLES)
            assert_bytes(ctx.get(memory.pool.data), in_lanes(content, 10 if pool else 200, 0, 8))

    simulate(memory, bench)


def test_content_begins_as_zeros(simulate, npu_config):
    config = npu_config(activation_bytes=256)
    memory = ActivationMemory(config)

    async def bench(ctx):
        for address in range(0, 256, 8):
            ctx.set(memory.window.address, address)
            await ctx.tick()
            assert list(ctx.get(memory.window.data)) == [0] * 8

    simulate(memory, bench)
