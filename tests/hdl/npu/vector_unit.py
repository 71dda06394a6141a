# SPDX-License-Identifier: Apache-2.0
"""What the units of the vector engine need around them: parameters, and eyes on what they write."""

from collections import deque

from cimple.hdl.npu.isa import Descriptor, Opcode
from cimple.hdl.npu.latency import PARAMETER_CYCLES


def number_of(opcode: Opcode, fields: dict) -> int:
    """All words of a descriptor as one number, as the engine sees it."""
    words = Descriptor(opcode, {name: int(value) for name, value in fields.items()}).encode()
    return sum(word << 32 * index for index, word in enumerate(words))


def int8(byte):
    return byte - 256 if byte > 127 else byte


def window_taps(fields, content, oy, ox, channel):
    """Values of a window's taps in order; None beyond the image."""
    for row in range(fields["kernel_height"]):
        for column in range(fields["kernel_width"]):
            y = fields["origin_y"] + oy * fields["step_y"] + row
            offset = ox * fields["step_x"] + column * fields["pixel_bytes"]
            x = fields["origin_x"] + offset
            if 0 <= y < fields["height"] and 0 <= x < fields["row_bytes"]:
                address = fields["start"] + oy * fields["row_step"] + row * fields["row_stride"]
                yield int8(content[(address + offset + channel) % (1 << 32)])
            else:
                yield None


def window_results(fields, value_of):
    """Address and byte of every result ``value_of(oy, ox, channel)``, in the order of writing."""
    results = []
    for oy in range(fields["out_height"]):
        for ox in range(fields["out_width"]):
            out = fields["out_start"] + oy * fields["out_row_stride"]
            out += ox * fields["out_pixel_stride"]
            for channel in range(fields["channels"]):
                results.append((out + channel, value_of(oy, ox, channel) & 0xFF))
    return results


def random_windows(source, config):
    """Fields of legal windows of pixels, padded on all sides, some windows entirely outside."""
    channels = source.choice([1, 2, source.randint(1, 40)])
    pixel = channels + source.choice([0, 0, source.randint(0, 5)])
    width, height = source.randint(1, 4), source.randint(1, 4)
    row_bytes = pixel * width
    row_stride = row_bytes + source.choice([0, source.randint(0, 9)])
    base = source.randrange(config.activation_bytes - row_stride * height)
    pad_y, pad_x = source.randint(0, 3), source.randint(0, 3)
    step_x, step_y = source.randint(1, 3), source.randint(1, 3)
    low, high = sorted(source.choice([(-128, 127), (source.randint(-128, 127), 127), (-3, 90)]))
    out_width, out_height = source.randint(1, 3), source.randint(1, 3)
    pixel_stride = channels + source.choice([0, 3])
    return {
        "start": (base - pad_y * row_stride - pad_x * pixel) % (1 << 32),
        "row_stride": row_stride, "row_bytes": row_bytes, "pixel_bytes": pixel,
        "origin_x": -pad_x * pixel, "origin_y": -pad_y, "height": height,
        "step_x": step_x * pixel, "step_y": step_y, "row_step": step_y * row_stride,
        "out_width": out_width, "out_height": out_height, "channels": channels,
        "kernel_width": source.randint(1, 3), "kernel_height": source.randint(1, 3),
        "out_start": source.randrange(100), "out_pixel_stride": pixel_stride,
        "out_row_stride": pixel_stride * out_width, "clamp_low": low, "clamp_high": high,
    }


class ParameterMemories:
    """Bias, multiplier and shift of every channel, each `PARAMETER_CYCLES` after asking for it.

    The multipliers are powers of two and the biases small, so that rounding is easily told.
    """

    def __init__(self, engine, config, source):
        self.engine, self.config = engine, config
        self.bias = [source.randint(-40, 40) for _ in range(config.channels)]
        self.shift = [source.randint(0, 2) for _ in range(config.channels)]
        self.multiplier = [1 << source.randint(29, 30) for _ in range(config.channels)]

    async def serve(self, ctx):
        """Background bench."""
        engine, lanes = self.engine, self.config.requantisers
        ports = [
            (engine.bias, engine.bias_address, self.bias),
            (engine.multiplier, engine.multiplier_address, self.multiplier),
            (engine.shift, engine.shift_address, self.shift),
        ]
        coming = deque([[0] * len(ports)] * (PARAMETER_CYCLES - 1))
        while True:
            coming.append((await ctx.tick().sample(*(port[1] for port in ports)))[2:])
            for (port, _, values), address in zip(ports, coming.popleft(), strict=True):
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
    # A queue collects a descriptor cycles before it starts the engine.
    await ctx.tick()
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
