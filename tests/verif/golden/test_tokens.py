# SPDX-License-Identifier: Apache-2.0
"""Tokens of real programs: the golden model sees where one is missing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cimple.compiler.compile import compile_network
from cimple.hdl.load import load_config
from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import Descriptor, Queue
from cimple.verif.golden.hazards import check_hazards
from cimple.verif.golden.operation import Operation, ProgramError
from cimple.verif.golden.program import OPERATIONS
from cimple.verif.golden.schedule import Schedule

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared/data/mlperf_tiny"
NETWORKS = [
    (ROOT / "examples/digits/digits.onnx", "npu_digits"),
    (ROOT / "examples/digits/digits.onnx", "npu_edge"),
    (DATA / "kws.tflite", "ulx3s_85f"),
    (DATA / "resnet8.tflite", "ulx3s_85f"),
]


def tokens(descriptors: list[Descriptor]) -> Iterator[tuple[int, int, Queue, Queue]]:
    """Numbers of the descriptors that give and take each token, and their queues."""
    for giver in Queue:
        for taker in Queue:
            gives = [n for n, d in enumerate(descriptors)
                     if d.opcode.queue is giver and taker in d.signals()]
            takes = [n for n, d in enumerate(descriptors)
                     if d.opcode.queue is taker and giver in d.waits_for()]
            for before, after in zip(gives, takes, strict=True):
                yield before, after, giver, taker


def without(descriptors: list[Descriptor], number: int, field: str, queue: Queue) -> None:
    """Take a bit out of the tokens of a descriptor."""
    changed = descriptors[number]
    mask = changed[field] & ~(1 << queue)
    descriptors[number] = Descriptor(changed.opcode, {**changed.values, field: mask})


@pytest.mark.parametrize(("network", "npu"), NETWORKS)
def test_every_token_is_missed(network: Path, npu: str) -> None:
    if not network.exists():
        pytest.skip(f"{network.name} is not there: it does not come with the project")
    config = load_config(npu)
    assert isinstance(config, NpuConfig)
    miss_every_token(list(compile_network(network, config).descriptors)[:-1], config)


def test_every_token_of_fetches_is_missed() -> None:
    """Weights in a ring of less than a third of them."""
    config = load_config("npu_digits")
    assert isinstance(config, NpuConfig)
    small = config.replace(weight_bytes=2048, external_port=4)
    descriptors = list(compile_network(NETWORKS[0][0], small).descriptors)[:-1]
    found = list(tokens(descriptors))
    for pair in ((Queue.FETCH, Queue.LOAD), (Queue.LOAD, Queue.FETCH)):
        assert sum(each[2:] == pair for each in found) > 3
    miss_every_token(descriptors, small)


def miss_every_token(descriptors: list[Descriptor], config: NpuConfig) -> None:
    """Take each token out, in each way, and see that the golden model notices."""

    def check(changed: list[Descriptor]) -> tuple[list[Operation], Schedule]:
        operations: list[Operation] = [
            OPERATIONS[d.opcode](number, d, config) for number, d in enumerate(changed)
        ]
        schedule = Schedule(operations, config)
        check_hazards(operations, schedule)
        return operations, schedule

    check(descriptors)
    found = list(tokens(descriptors))
    implied = 0
    for before, after, giver, taker in found:
        # Not given: someone waits in vain. Given and not taken: it is left over.
        for number, field, queue in ((before, "signal", taker), (after, "wait", giver)):
            changed = list(descriptors)
            without(changed, number, field, queue)
            with pytest.raises(ProgramError):
                check(changed)
        # Neither: accesses that nothing orders, unless other tokens say the same together.
        changed = list(descriptors)
        without(changed, before, "signal", taker)
        without(changed, after, "wait", giver)
        with contextlib.suppress(ProgramError):
            operations, schedule = check(changed)
            first, second = operations[before], operations[after]
            assert schedule.start[second][giver] > schedule.place[first], (before, after)
            implied += 1
    assert len(found) - implied > 3
    assert implied <= len(found) // 5
