# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The vector engine: each descriptor goes to its unit, and only to that."""

import random
from collections import deque

from cimple.hdl.npu.isa import Descriptor, Opcode
from cimple.hdl.npu.latency import PARAMETER_CYCLES
from cimple.hdl.npu.vector_engine import VectorEngine


def number_of(opcode, fields):
    words = Descriptor(opcode, fields).encode()
    return sum(word << 32 * index for index, word in enumerate(words))


def test_units_take_turns(simulate, npu_config, readable_bytes):
    """MAX_POOL leaves the macro's outputs alone, REQUANTISE asks for no activations."""
    config = npu_config()
    engine = VectorEngine(config)
    source = random.Random(1)
    content = bytes(source.randrange(100) for _ in range(512))
    memory = readable_bytes(engine.read, content, 8, 0, seed=1)
    writes = {"store": [], "pool": []}
    outputs = [[source.randint(-50, 50) for _ in range(6)] for _ in range(4)]

    async def parameters(ctx):
        """Half of a sum: multiplier 2**30; the bias tells the channel's word."""
        coming = deque([0] * (PARAMETER_CYCLES - 1))
        while True:
            coming.append((await ctx.tick().sample(engine.bias_address))[2])
            ctx.set(engine.bias, [20 * coming.popleft()] * config.lanes)
            ctx.set(engine.multiplier, [1 << 30] * config.lanes)
            ctx.set(engine.shift, [0] * config.lanes)

    async def run(ctx, opcode, fields, vector=None):
        ctx.set(engine.descriptor, number_of(opcode, fields))
        # A queue collects a descriptor cycles before it starts the engine.
        await ctx.tick()
        ctx.set(engine.start, 1)
        ctx.set(engine.i[0].valid, 1)
        ctx.set(engine.i[0].payload, vector or [99] * 6)
        taken = 0
        while True:
            sampled = [engine.i[0].ready, engine.done]
            for port in (engine.store_write, engine.pool_write):
                sampled += [port.count, port.address, port.data]
            _, _, ready, done, *ports = await ctx.tick().sample(*sampled)
            ctx.set(engine.start, 0)
            taken += ready
            for seen, (count, address, data) in zip(
                writes.values(), (ports[:3], ports[3:]), strict=True
            ):
                seen += [(address + lane, data[lane]) for lane in range(count)]
            if done:
                return taken

    async def bench(ctx):
        pool = {"row_stride": 9, "row_bytes": 9, "height": 1, "pixel_bytes": 3, "channels": 3,
                "out_width": 1, "out_height": 1, "kernel_width": 3, "kernel_height": 1,
                "clamp_low": -128, "clamp_high": 127}
        store = {"out_width": 1, "out_height": 1, "channels": 6, "channel": 4,
                 "clamp_low": -128, "clamp_high": 127}
        for number, vector in enumerate(outputs):
            assert await run(ctx, Opcode.REQUANTISE, store | {"out_start": number}, vector) == 1
            assert memory.log == []
            fields = pool | {"start": number, "out_start": 100 + number}
            assert await run(ctx, Opcode.MAX_POOL, fields) == 0
            assert len(memory.log) == 3
            memory.log.clear()

    simulate(engine, bench, background=[memory.serve, parameters])
    # Channels 4 to 9 with 4 lanes: words 1 and 2 of the parameters. Half up.
    assert writes["store"] == [
        (number + channel, (vector[channel] + 20 * (1 + channel // 4) + 1 >> 1) & 0xFF)
        for number, vector in enumerate(outputs) for channel in range(6)
    ]
    assert writes["pool"] == [
        (100 + number + channel, max(content[number + channel + 3 * tap] for tap in range(3)))
        for number in range(4) for channel in range(3)
    ]
