# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The whole NPU, packets in and answers out, against the golden model.

Random programs and traffic are the bench's; here are one network's steps, and how programs end.
"""

import random

import numpy as np
import pytest

from cimple.hdl.npu.isa import VERSION, Descriptor, Opcode, Queue, Rounding
from cimple.hdl.npu.npu import Npu
from cimple.hdl.npu.packets import (
    COUNTERS,
    Counter,
    Memory,
    Request,
    Response,
    Status,
    address,
    header,
    parameter_words,
)
from cimple.verif.golden.npu import NpuModel

CONFIGS = {
    "bitcell": (
        {"cell": "bitcell", "rows": 12, "columns": 6},
        {"activation_port": 4, "weight_port": 8, "lanes": 2},
    ),
    "lookup": (
        {"cell": "lookup", "rows": 10, "columns": 5, "banks": 2},
        {"activation_port": 16, "weight_port": 4, "lanes": 1, "queue_depth": 1},
    ),
}
LOAD, COMPUTE, VECTOR = (1 << queue for queue in (Queue.LOAD, Queue.COMPUTE, Queue.VECTOR))
RUN = [header(Request.RUN, 1), 0]
RESET = [header(Request.RESET, 2)]
READ_ALL = [header(Request.READ, 3, 128), address(Memory.ACTIVATIONS, 0)]
COUNTERS_PACKET = [header(Request.COUNTERS, 4)]


def words_of(data):
    data = bytes(data) + bytes(-len(data) % 4)
    return [int.from_bytes(data[n : n + 4], "little") for n in range(0, len(data), 4)]


def write(memory, offset, words):
    return [header(Request.WRITE, 9, len(words)), address(memory, offset), *words]


def program_packet(descriptors):
    return write(Memory.PROGRAM, 0, [word for each in descriptors for word in each.encode()])


class Network:
    """A 3x3 convolution with padding in two passes, then 2x2 pooling."""

    HEIGHT, WIDTH, CHANNELS, OUTPUTS, BASE = 4, 5, 2, 5, 37
    RUN_BYTES = 3 * CHANNELS
    DEPTH = 3 * RUN_BYTES

    def __init__(self, config, rounding, seed):
        self.config, self.rounding = config, rounding
        self.source = random.Random(seed)

    def packets(self):
        """What has to be written before RUN."""
        source, config = self.source, self.config
        image = source.randbytes(self.HEIGHT * self.WIDTH * self.CHANNELS)
        blob, passes = self._weights()
        step = 1 << 7 if self.rounding == Rounding.ONNX else 1
        channels = [
            parameter_words(
                source.randint(-90000, 90000), source.randrange(1 << 30, 1 << 31, step),
                source.randint(8, 11),
            )
            for _ in range(self.OUTPUTS)
        ]
        first = 4 * 16
        return [
            write(Memory.ACTIVATIONS, 36, words_of(bytes(1) + image)),
            write(Memory.WEIGHTS, 0, words_of(blob)),
            write(Memory.PARAMETERS, first, [word for words in channels for word in words]),
            program_packet(self._descriptors(passes, config.macro.banks)),
        ]

    def _weights(self):
        """Row groups of all passes, and (first tap, taps, address, groups) of each pass."""
        config, macro = self.config, self.config.macro
        row_bytes = config.row_words * config.weight_port
        blob, passes = bytearray(), []
        for first in range(0, self.DEPTH, macro.rows):
            taps = min(macro.rows, self.DEPTH - first)
            groups = -(-taps // macro.rows_per_group)
            passes.append((first, taps, len(blob), groups))
            for _ in range(groups * macro.rows_per_group):
                blob += self.source.randbytes(macro.columns).ljust(row_bytes, b"\0")
        return blob, passes

    def _descriptors(self, passes, banks):
        row = self.WIDTH * self.CHANNELS
        extent = {"out_width": self.WIDTH, "out_height": self.HEIGHT}
        descriptors = []
        for number, (first, taps, place, groups) in enumerate(passes):
            kernel_row, skip = divmod(first, self.RUN_BYTES)
            last = number == len(passes) - 1
            bank = number % banks
            # A bank is written anew when the pass that uses it has ended.
            descriptors += [
                Descriptor(Opcode.LOAD_WEIGHTS, {
                    "address": place, "groups": groups, "bank": bank, "signal": COMPUTE,
                    "wait": COMPUTE if number >= banks else 0,
                }),
                Descriptor(Opcode.COMPUTE, {
                    "start": (self.BASE + (kernel_row - 1) * row - self.CHANNELS) % (1 << 32),
                    "row_stride": row, "row_bytes": row, "origin_x": -self.CHANNELS,
                    "origin_y": kernel_row - 1, "height": self.HEIGHT, "step_x": self.CHANNELS,
                    "step_y": 1, "row_step": row, "run_bytes": self.RUN_BYTES, "skip": skip,
                    "depth": taps, "zero_point": -11, "bank": bank, "wait": LOAD,
                    "signal": LOAD if number + banks < len(passes) else 0, **extent,
                }),
                Descriptor(Opcode.REQUANTISE, {
                    "out_start": 101, "out_pixel_stride": self.OUTPUTS,
                    "out_row_stride": self.OUTPUTS * self.WIDTH, "clamp_low": -120,
                    "clamp_high": 125, "zero_point": 3, "rounding": self.rounding,
                    "add_partial": number > 0, "keep_partial": not last, "channels": self.OUTPUTS,
                    "channel": 4, "partial": 3, "stamp": 1, "stamp_index": number, **extent,
                }),
            ]
        pixel = self.OUTPUTS
        descriptors += [
            Descriptor(Opcode.MAX_POOL, {
                "start": 101, "row_stride": pixel * self.WIDTH, "row_bytes": pixel * self.WIDTH,
                "height": self.HEIGHT, "pixel_bytes": pixel, "step_x": 2 * pixel, "step_y": 2,
                "row_step": 2 * pixel * self.WIDTH, "out_width": 3, "out_height": 2,
                "kernel_width": 2, "kernel_height": 2, "channels": pixel, "out_start": 230,
                "out_pixel_stride": pixel, "out_row_stride": 3 * pixel, "clamp_low": -100,
                "clamp_high": 100, "stamp": 1, "stamp_index": 15,
            }),
            Descriptor(Opcode.END, {}),
        ]
        return descriptors


@pytest.fixture
def transact(simulate, streams):
    """Send packets to an NPU, all at once; `chance` is that of a pause."""

    def run(config, packets, chance=0.0, pauses=()):
        npu, answers = Npu(config), []

        async def send(ctx):
            for number, packet in enumerate(packets):
                if number in pauses:
                    await ctx.tick().repeat(pauses[number])
                transfers = [
                    {"data": word, "last": index == len(packet) - 1}
                    for index, word in enumerate(packet)
                ]
                await streams.send(ctx, npu.command, transfers, chance)

        async def receive(ctx):
            for _ in packets:
                words = []
                while not words or not words[-1].last:
                    words += await streams.receive(ctx, npu.response, 1, chance)
                answers.append([word.data for word in words])

        simulate(npu, send, receive)
        return answers

    return run


@pytest.mark.parametrize(
    ("name", "rounding"), [("bitcell", Rounding.ONNX), ("lookup", Rounding.TFLITE)]
)
def test_a_network(npu_config, transact, name, rounding):
    macro, fields = CONFIGS[name]
    config = npu_config(macro, **fields)
    network = Network(config, rounding, seed=1)
    packets = [*network.packets(), RUN, COUNTERS_PACKET, READ_ALL]
    answers = transact(config, packets, chance=0.1 * rounding)
    model = NpuModel(config)
    for packet, words in zip(packets, answers, strict=True):
        assert model.expect(packet).difference(words) is None
    results = np.array(answers[-1][1:], "<u4").view(np.int8)
    assert len(set(results[101:201])) > 30, "results should tell a fault"

    counters = answers[-2][1:]
    cycles = counters[Counter.CYCLES]
    assert answers[-3][1:] == [cycles]
    assert counters[Counter.PLANES] == 8 * 2 * 20
    assert all(0 < busy < cycles for busy in counters[Counter.LOAD_BUSY : Counter.PLANES])
    assert counters[COUNTERS] < counters[COUNTERS + 1] < counters[COUNTERS + 15] < cycles


def test_reset_in_the_middle_of_a_run(npu_config, transact):
    """Whatever is under way is dropped, and the same program then runs to the same end."""
    macro, fields = CONFIGS["lookup"]
    config = npu_config(macro, **fields)
    packets = Network(config, Rounding.TFLITE, seed=2).packets()
    # How many cycles a run has when its RESET is offered; at first it pools, at last it fetches.
    moments = [490, 280, 40, 9]
    sent, pauses = list(packets), {}
    for moment in moments:
        sent += [RUN, RESET]
        pauses[len(sent) - 1] = moment
    sent += [RUN, COUNTERS_PACKET, READ_ALL]
    answers = transact(config, sent, pauses=pauses)
    resets = [Response.parse(words) for words in answers[len(packets) : -3]]
    for moment, aborted, reset in zip(moments, resets[::2], resets[1::2], strict=True):
        assert (aborted.request, aborted.tag, aborted.status) == (Request.RUN, 1, Status.ABORTED)
        assert moment - 6 <= aborted.words[0] <= moment
        assert (reset.request, reset.tag, reset.status) == (Request.RESET, 2, Status.OK)

    model = NpuModel(config)
    for packet in packets:
        model.expect(packet)
    for packet, words in zip(sent[-3:], answers[-3:], strict=True):
        assert model.expect(packet).difference(words) is None
    stamps = answers[-2][1 + COUNTERS :]
    # The pool starts when its 16 words are collected.
    assert stamps[1] + 20 < moments[0] < stamps[15]


def test_nothing_happens_after_a_reset(npu_config, transact):
    """A copy of 100 pixels, cut short, stays as it is."""
    macro, fields = CONFIGS["bitcell"]
    config = npu_config(macro, **fields)
    copy = {
        "row_stride": 100, "row_bytes": 100, "height": 1, "pixel_bytes": 1, "step_x": 1,
        "channels": 1, "out_width": 100, "out_height": 1, "out_pixel_stride": 1, "out_start": 200,
        "clamp_low": 7, "clamp_high": 7, "kernel_width": 1, "kernel_height": 1,
    }
    program = [Descriptor(Opcode.MAX_POOL, copy), Descriptor(Opcode.END, {})]
    read = [header(Request.READ, 3, 25), address(Memory.ACTIVATIONS, 200)]
    answers = transact(config, [program_packet(program), RUN, RESET, read], pauses={2: 70, 3: 200})
    copied = np.array(answers[3][1:], "<u4").view(np.int8).tolist()
    count = copied.count(7)
    assert 20 < count < 60
    assert copied == [7] * count + [0] * (100 - count)


def test_how_a_program_ends(npu_config, transact):
    """A descriptor of unknown opcode or version is named; what stands behind an END is not run."""
    macro, fields = CONFIGS["bitcell"]
    config = npu_config(macro, **fields)
    copy = {
        "row_stride": 4, "row_bytes": 4, "height": 1, "pixel_bytes": 1, "step_x": 1, "channels": 1,
        "out_width": 4, "out_height": 1, "out_pixel_stride": 1, "out_start": 8, "clamp_low": -128,
        "clamp_high": 127, "kernel_width": 1, "kernel_height": 1,
    }
    first = Descriptor(Opcode.MAX_POOL, copy).encode()
    behind = Descriptor(Opcode.MAX_POOL, copy | {"out_start": 16}).encode()
    end = Descriptor(Opcode.END, {}).encode()
    zeros = [0] * 15
    program = [
        *first, *end, *behind, *end, *first, len(Opcode) | VERSION << 8, *zeros,
        *first, 1 | VERSION - 1 << 8, *zeros,
    ]
    read = [header(Request.READ, 3, 5), address(Memory.ACTIVATIONS, 0)]
    runs = [[header(Request.RUN, 5), number] for number in (0, 2, 4, 6)]
    packets = [write(Memory.ACTIVATIONS, 0, [0x04030201]), write(Memory.PROGRAM, 0, program)]
    packets += [runs[0], read, runs[1], read, runs[2], runs[3]]
    answers = [Response.parse(words) for words in transact(config, packets)]
    # What is written before END is in memory when the answer comes.
    assert [answer.status for answer in answers[:6]] == [Status.OK] * 6
    assert answers[3].words == (0x04030201, 0, 0x04030201, 0, 0)
    assert answers[5].words == (0x04030201, 0, 0x04030201, 0, 0x04030201)
    for answer, number in zip(answers[6:], (5, 7), strict=True):
        assert (answer.status, answer.words) == (Status.BAD_DESCRIPTOR, (number,))


@pytest.mark.parametrize("chance", [0, 0.5])
def test_weights_survive_what_follows_their_program(npu_config, transact, chance):
    """END waits for the last table: the next program, and RESET, begin with a reset."""
    macro, fields = CONFIGS["lookup"]
    # The entries of a full group's last row are filled last.
    config = npu_config(macro | {"rows": 12, "banks": 1}, **fields)
    assert config.macro.fill_cycles == 17
    groups, rows = config.macro.groups, config.macro.rows
    source = random.Random(3)
    window = {"row_bytes": rows, "height": 1, "run_bytes": rows, "depth": rows}
    one = {"out_width": 1, "out_height": 1}
    result = one | {"channels": 5, "clamp_low": -128, "clamp_high": 127, "out_start": 64}
    program = [
        *(Descriptor(Opcode.LOAD_WEIGHTS, {"groups": groups}), Descriptor(Opcode.END, {})),
        Descriptor(Opcode.COMPUTE, window | one), Descriptor(Opcode.REQUANTISE, result),
        Descriptor(Opcode.END, {}),
    ]
    compute = [header(Request.RUN, 5), 2]
    packets = [
        write(Memory.ACTIVATIONS, 0, words_of(source.randbytes(rows))),
        write(Memory.WEIGHTS, 0, words_of(source.randbytes(groups * config.group_bytes))),
        write(Memory.PARAMETERS, 0, parameter_words(0, 1 << 30, 8) * 5),
        program_packet(program),
        # A RESET that waits while a program runs would end it, so something else waits first.
        *(RUN, compute, READ_ALL, RUN, [header(Request.SYNC, 6), 0], RESET, compute, READ_ALL),
    ]
    model = NpuModel(config)
    for packet, words in zip(packets, transact(config, packets, chance), strict=True):
        assert model.expect(packet).difference(words) is None


def test_a_program_that_waits_for_ever_can_be_reset(npu_config, transact):
    """A token that nobody gives; afterwards no token and no descriptor is left."""
    macro, fields = CONFIGS["bitcell"]
    config = npu_config(macro, **fields)
    ones = dict.fromkeys(("out_width", "out_height", "kernel_width", "kernel_height"), 1)
    image = ones | {"row_bytes": 1, "height": 1, "channels": 1, "clamp_high": 127, "out_start": 9}
    gives = Descriptor(Opcode.MAX_POOL, image | {"signal": LOAD})
    waits = Descriptor(Opcode.MAX_POOL, image | {"wait": COMPUTE})
    takes = Descriptor(Opcode.LOAD_WEIGHTS, {"groups": 1, "wait": VECTOR})
    end = Descriptor(Opcode.END, {})
    packets = [
        # The second run would pass if the first's token, given and not taken, were still there.
        program_packet([gives, waits, end, takes, end]), RUN, RESET,
        [header(Request.RUN, 1), 3], RESET, RUN, RESET,
    ]
    answers = transact(config, packets, pauses={2: 200, 4: 200, 6: 200})
    assert [Response.parse(words).status for words in answers] == [
        Status.OK, Status.ABORTED, Status.OK, Status.ABORTED, Status.OK, Status.ABORTED, Status.OK,
    ]
