# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The memories of words: what the host writes is what the host and the engines read."""

import random

import pytest

from cimple.hdl.npu.latency import (
    HOST_READ_CYCLES,
    PARAMETER_CYCLES,
    PROGRAM_CYCLES,
    WEIGHT_CYCLES,
)
from cimple.hdl.npu.word_memories import (
    PARAMETER_BITS,
    ParameterMemory,
    ProgramMemory,
    WeightMemory,
)


async def host_write(ctx, memory, words, offsets=None):
    """Words through the host's port."""
    ctx.set(memory.host.write, 1)
    for offset in range(len(words)) if offsets is None else offsets:
        ctx.set(memory.host.offset, offset)
        ctx.set(memory.host.write_data, words[offset])
        await ctx.tick()
    ctx.set(memory.host.write, 0)


async def host_read(ctx, memory, offset, address_ports, source):
    """A word through the host's port: there some cycles after the request, then unchanged."""
    ctx.set(memory.host.read, 1)
    ctx.set(memory.host.offset, offset)
    await ctx.tick()
    ctx.set(memory.host.read, 0)
    seen = []
    for _ in range(HOST_READ_CYCLES + 1):
        for port in address_ports:
            ctx.set(port, source.getrandbits(3))
        ctx.set(memory.host.offset, source.getrandbits(3))
        await ctx.tick()
        seen.append(ctx.get(memory.host.read_data))
    there = seen[HOST_READ_CYCLES - 2 :]
    assert there == there[:1] * 3
    return there[0]


@pytest.mark.parametrize("port", [4, 8, 16, 32])
def test_weights(simulate, npu_config, port):
    config = npu_config(weight_port=port, weight_bytes=32 * 9)
    memory = WeightMemory(config)
    source = random.Random(port)
    words = [source.getrandbits(32) for _ in range(config.weight_bytes // 4)]

    async def bench(ctx):
        order = source.sample(range(len(words)), len(words))
        await host_write(ctx, memory, words, order)
        for offset in order:
            read = await host_read(ctx, memory, offset, [memory.address], source)
            assert read == words[offset]
        for address in range(config.weight_words):
            ctx.set(memory.address, address)
            await ctx.tick().repeat(WEIGHT_CYCLES)
            lanes = words[address * port // 4 : (address + 1) * port // 4]
            expected = sum(word << 32 * lane for lane, word in enumerate(lanes))
            assert ctx.get(memory.data) == expected

    simulate(memory, bench)


@pytest.mark.parametrize(("port", "external"), [(4, 4), (16, 4), (32, 16), (32, 32)])
def test_weights_that_are_fetched(simulate, npu_config, port, external):
    """Beats go where the host reads the words that they hold, and leave the others alone."""
    config = npu_config(weight_port=port, external_port=external, weight_bytes=32 * 9)
    memory = WeightMemory(config)
    source, lanes = random.Random(port), external // 4
    words = [source.getrandbits(32) for _ in range(config.weight_bytes // 4)]

    async def bench(ctx):
        await host_write(ctx, memory, words)
        for beat in source.sample(range(len(words) // lanes), len(words) // lanes // 2):
            data = source.getrandbits(8 * external)
            ctx.set(memory.fetch.beat, beat)
            ctx.set(memory.fetch.data, data)
            ctx.set(memory.fetch.enable, 1)
            await ctx.tick()
            ctx.set(memory.fetch.enable, 0)
            for lane in range(lanes):
                words[beat * lanes + lane] = data >> 32 * lane & 0xFFFFFFFF
        for offset, word in enumerate(words):
            assert await host_read(ctx, memory, offset, [memory.address], source) == word

    simulate(memory, bench)


def test_program(simulate, npu_config):
    config = npu_config(descriptors=17)
    memory = ProgramMemory(config)
    source = random.Random(1)
    words = [source.getrandbits(32) for _ in range(16 * 17)]

    async def bench(ctx):
        order = source.sample(range(len(words)), len(words))
        await host_write(ctx, memory, words, order)
        for offset in order:
            ctx.set(memory.address, offset)
            await ctx.tick().repeat(PROGRAM_CYCLES)
            assert ctx.get(memory.data) == words[offset]
            read = await host_read(ctx, memory, offset, [memory.address], source)
            assert read == words[offset]

    simulate(memory, bench)


@pytest.mark.parametrize(("lanes", "channels"), [(1, 24), (2, 24), (8, 24), (4, 12)])
def test_parameters(simulate, npu_config, lanes, channels):
    config = npu_config(lanes=lanes, channels=channels)
    memory = ParameterMemory(config)
    source = random.Random(lanes)
    words = [source.getrandbits(32) for _ in range(4 * config.channels)]
    addresses = [getattr(memory, f"{name}_address") for name in PARAMETER_BITS]
    widths = [*PARAMETER_BITS.values(), 0]

    async def bench(ctx):
        order = source.sample(range(len(words)), len(words))
        await host_write(ctx, memory, words, order)
        for offset in order:
            # Bits that a parameter does not have, and the fourth word, read as zero.
            kept = words[offset] & (1 << widths[offset % 4]) - 1
            assert await host_read(ctx, memory, offset, addresses, source) == kept
        # The three have addresses of their own.
        for _ in range(3 * config.channel_words):
            asked = [source.randrange(config.channel_words) for _ in addresses]
            for port, address in zip(addresses, asked, strict=True):
                ctx.set(port, address)
            await ctx.tick().repeat(PARAMETER_CYCLES)
            for index, (name, bits) in enumerate(PARAMETER_BITS.items()):
                assert list(ctx.get(getattr(memory, name))) == [
                    words[4 * (asked[index] * lanes + lane) + index] & (1 << bits) - 1
                    for lane in range(lanes)
                ]

    simulate(memory, bench)
