# SPDX-License-Identifier: Apache-2.0
"""What the units of the vector engine need around them: parameters, and eyes on what they write."""

from cimple.hdl.npu.isa import Descriptor, Opcode


def number_of(opcode: Opcode, fields: dict) -> int:
    """All words of a descriptor as one number, as the engine sees it."""
    words = Descriptor(opcode, {name: int(value) for name, value in fields.items()}).encode()
    return sum(word << 32 * index for index, word in enumerate(words))


class ParameterMemories:
    """Bias, multiplier and shift of every channel, each answered a cycle after it is asked for.

    The multipliers are powers of two and the biases small, so that rounding is easily told.
    """

    def __init__(self, engine, config, source):
        self.engine, self.config = engine, config
        self.bias = [source.randint(-40, 40) for _ in range(config.channels)]
        self.shift = [source.randint(0, 2) for _ in range(config.channels)]
        self.multiplier = [1 << source.randint(29, 30) for _ in range(config.channels)]

    async def serve(self, ctx):
        """Background bench."""
        engine, lanes = self.engine, self.config.lanes
        ports = [
            (engine.bias, engine.bias_address, self.bias),
            (engine.multiplier, engine.multiplier_address, self.multiplier),
            (engine.shift, engine.shift_address, self.shift),
        ]
        while True:
            addresses = (await ctx.tick().sample(*(port[1] for port in ports)))[2:]
            for (port, _, values), address in zip(ports, addresses, strict=True):
                ctx.set(port, [
                    value & 0xFFFFFFFF for value in values[address * lanes : (address + 1) * lanes]
                ])

    def scaled(self, total, channel):
        """TFLite's rounding of small numbers: half up at bit 31, half away after it."""
        high = ((total + self.bias[channel]) * self.multiplier[channel] + (1 << 30)) >> 31
        shift = self.shift[channel]
        magnitude = abs(high) + (1 << shift >> 1) >> shift
        return magnitude if high >= 0 else -magnitude

    def result(self, total, channel, fields):
        """As a descriptor's `fields` say."""
        value = self.scaled(total, channel) + fields["zero_point"]
        return min(max(value, fields["clamp_low"]), fields["clamp_high"])


async def run(ctx, engine, opcode, fields, port):
    """Run a descriptor: (address, byte) in the order of writing to `port`, cycles from its start.
    """
    ctx.set(engine.descriptor, number_of(opcode, fields))
    ctx.set(engine.start, 1)
    writes, cycles = [], 0
    while True:
        _, _, count, address, data, done = await ctx.tick().sample(
            port.count, port.address, port.data, engine.done
        )
        ctx.set(engine.start, 0)
        writes += [(address + lane, data[lane]) for lane in range(count)]
        if done:
            return writes, cycles
        cycles += 1
