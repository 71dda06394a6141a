# SPDX-License-Identifier: Apache-2.0
"""The makers of programs and packets that the NPU's bench trusts."""

import numpy as np
import pytest

from cimple.hdl.npu.isa import Descriptor, Opcode, Rounding, decode
from cimple.hdl.npu.packets import Memory, Request, Status
from cimple.verif.bench.npu_malformed import MalformedPackets
from cimple.verif.bench.npu_stimulus import NpuStimulus
from cimple.verif.bench.program_builder import ProgramBuilder
from cimple.verif.golden.npu import NpuModel, ProgramError
from cimple.verif.golden.ops.load_weights import LoadWeights
from cimple.verif.golden.ops.max_pool import MaxPool
from cimple.verif.golden.schedule import Schedule
from tests.oracles.npu import scale_onnx, scale_tflite
from tests.verif.golden.machine import CONFIGS

CONFIG = CONFIGS["lookup"]
ONES = ("out_width", "out_height", "kernel_width", "kernel_height", "channels")
FIELDS = {
    Opcode.LOAD_WEIGHTS: {"groups": 1},
    Opcode.MAX_POOL: {"clamp_high": 127} | dict.fromkeys(ONES, 1),
}


@pytest.mark.parametrize("seed", range(10))
def test_links_become_tokens_that_hold(seed: int) -> None:
    """Whatever was linked is in order, with as few tokens as two queues need."""
    random = np.random.default_rng(seed)
    builder, links, opcodes = ProgramBuilder(), [], []
    for number in range(40):
        opcodes.append([Opcode.LOAD_WEIGHTS, Opcode.MAX_POOL][int(random.integers(2))])
        builder.add(opcodes[-1], FIELDS[opcodes[-1]])
        for _ in range(int(random.integers(3)) if number else 0):
            before = int(random.integers(number))
            builder.link(before, number)
            links.append((before, number))
    kinds = {Opcode.LOAD_WEIGHTS: LoadWeights, Opcode.MAX_POOL: MaxPool}
    operations = [kinds[d.opcode](n, d, CONFIG) for n, d in enumerate(builder.finish()[:-1])]
    schedule = Schedule(operations, CONFIG, seed)
    for before, after in links:
        giver, taker = operations[before], operations[after]
        assert schedule.start[taker][giver.queue] > schedule.place[giver]
    assert sum(opcodes[a] != opcodes[b] for a, b in links) > 10


def test_a_stuck_program_stops_before_its_end() -> None:
    builder = ProgramBuilder()
    builder.add(Opcode.LOAD_WEIGHTS, FIELDS[Opcode.LOAD_WEIGHTS])
    model = NpuModel(CONFIG)
    words = [word for d in builder.finish(stuck=True) for word in d.encode()]
    model.memories.write(Memory.PROGRAM, 0, words)
    with pytest.raises(ProgramError, match=r"\(MAX_POOL\) waits for a token from LOAD$"):
        model.transact([Request.RUN, 0])


@pytest.mark.parametrize("name", CONFIGS)
def test_malformed_packets_are_refused(name: str) -> None:
    malformed = MalformedPackets(CONFIGS[name], np.random.default_rng(1))
    model, found = NpuModel(CONFIGS[name]), set()
    for kind, make in malformed.kinds.items():
        statuses = {Status(model.transact(make())[0] >> 16 & 0xFF) for _ in range(60)}
        assert statuses - {Status.OK}, kind
        assert Status.OK not in statuses or kind == "garbage", kind
        found |= statuses
    assert found >= set(Status) - {
        Status.OK, Status.BAD_DESCRIPTOR, Status.ABORTED, Status.DEADLOCK, Status.BUS_ERROR,
    }


def test_bad_descriptors_are_bad() -> None:
    stimulus = NpuStimulus(CONFIG, 1)
    made = [stimulus.bad_descriptor() for _ in range(100)]
    for words in made:
        with pytest.raises(ValueError, match=r"^(version|opcode) must be"):
            decode(words)
    # Some have a good opcode and a bad version, some the reverse.
    assert {words[0] >> 8 & 0xF == 1 for words in made} == {True, False}
    assert {words[0] & 0xFF in set(Opcode) for words in made} == {True, False}


@pytest.mark.parametrize("name", CONFIGS)
def test_results_come_next_to_ties(name: str) -> None:
    """Close enough that a rule which rounds once where it should twice gives other results."""
    stimulus = NpuStimulus(CONFIGS[name], 3)
    model = NpuModel(CONFIGS[name])
    ties = near = 0
    for _ in range(10):
        for packet in stimulus.tie_data():
            model.transact(packet)
        for bias, multiplier, shift, _ in model.memories.parameters[stimulus.channels].tolist():
            for total in range(bias, bias + 256, 23):
                exact = total * multiplier
                distance = abs(exact % (1 << 31 + shift) - (1 << 30 + shift))
                ties += distance == 0
                near += scale_onnx(total, multiplier, shift) != (
                    scale_tflite(total, multiplier, shift)
                )
    assert ties > 30
    assert near > 30


def test_programs_for_ties_are_legal() -> None:
    for name, config in CONFIGS.items():
        stimulus, model = NpuStimulus(config, 5), NpuModel(config)
        roundings = set()
        for _ in range(12):
            data = stimulus.tie_data()
            descriptors: list[Descriptor] = stimulus.tie_program()
            packets, run = stimulus.run(descriptors)
            for packet in (*data, *packets, run):
                assert model.transact(packet)[0] >> 16 == Status.OK, name
            roundings |= {d["rounding"] for d in descriptors if d.opcode is Opcode.REQUANTISE}
        assert roundings == set(Rounding)
