# SPDX-License-Identifier: Apache-2.0
"""The client: every answer is checked, and a program goes only where it belongs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from cimple.hdl.npu.packets import (
    COUNTERS,
    IDENTITY_WORDS,
    Memory,
    Request,
    Status,
    response_header,
)
from cimple.host.client import NpuClient
from cimple.host.devices.device import DeviceError
from cimple.host.devices.golden import GoldenDevice
from tests.compiler.networks import npu
from tests.host.programs import ScriptedDevice, small_network, small_program


def answering(make: Callable[[int, int], list[int]]) -> NpuClient:
    """A client whose device answers by request and tag."""
    return NpuClient(ScriptedDevice(lambda words: make(words[0] & 0xFF, words[0] >> 8 & 0xFF)))


def ok(request: int, tag: int, *words: int) -> list[int]:
    return [response_header(request, tag, Status.OK), *words]


def error(call: Callable[[], object]) -> str:
    with pytest.raises(DeviceError) as caught:
        call()
    return str(caught.value)


def test_memories_are_written_and_read_in_chunks() -> None:
    requests: list[int] = []
    golden = GoldenDevice(npu(activation_bytes=1 << 16))

    def listen(words: Sequence[int]) -> list[int]:
        requests.append(words[0] & 0xFF)
        return golden.transact(words)

    client = NpuClient(ScriptedDevice(listen))
    data = np.random.default_rng(0).bytes(40004)
    client.write(Memory.ACTIVATIONS, 8, data)
    assert client.read(Memory.ACTIVATIONS, 8, len(data)) == data
    assert client.read(Memory.ACTIVATIONS, 4, 7) == bytes(4) + data[:3]
    assert requests == [Request.WRITE] * 3 + [Request.READ] * 4


def test_small_requests() -> None:
    client = NpuClient(GoldenDevice(npu()))
    for word in range(300):
        client.sync(word)
    client.reset()
    assert client.counters().stamps == (0,) * 32
    assert len(client.identify()) == IDENTITY_WORDS


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda r, t: ok(r, t + 1, 5), (
            "scripted: the answer is for request 5 with tag 2, not for SYNC with tag 1; reset the "
            "device"
        )),
        (lambda r, t: ok(1, t, 5), (
            "scripted: the answer is for request 1 with tag 1, not for SYNC with tag 1; reset the "
            "device"
        )),
        (lambda r, t: [response_header(r, t, Status.BAD_COUNT), 7],
         "scripted: SYNC was refused: BAD_COUNT (0x7)"),
        (lambda r, t: ok(r, t), "scripted: SYNC must give 1 words, not 0"),
        (lambda r, t: ok(r, t, 5, 5), "scripted: SYNC must give 1 words, not 2"),
        (lambda r, t: ok(r, t, 6), "scripted: SYNC of 0x5 came back as 0x6"),
        (lambda r, t: [], "scripted: SYNC: not an answer: []"),
        (lambda r, t: [0xFFFFFFFF], "scripted: SYNC: not an answer: ['0xffffffff']"),
    ],
)
def test_answers_that_are_wrong(answer: Callable[[int, int], list[int]], expected: str) -> None:
    assert error(lambda: answering(answer).sync(5)) == expected


def test_something_else_than_an_npu() -> None:
    client = answering(lambda r, t: ok(r, t, *range(IDENTITY_WORDS)))
    assert error(client.identify) == (
        "scripted: not a Cimple NPU: IDENTIFY gives 0x00000000, not 0x504d4943"
    )


def test_counters_that_are_too_few() -> None:
    client = answering(lambda r, t: ok(r, t, *range(COUNTERS - 1)))
    assert error(client.counters) == "scripted: COUNTERS gives only 4 words"


def test_a_program_for_another_npu_is_refused_and_nothing_written(tmp_path: Path) -> None:
    program = small_program(tmp_path)
    device = GoldenDevice(npu(rows=16, lanes=8, requantisers=2, weight_bytes=65536))
    assert error(lambda: NpuClient(device).load(program)) == (
        "golden: the program is for another NPU; it has macro.rows 16, not 12, weight_bytes 65536, "
        "not 32768, lanes 8, not 4, requantisers 2, not 4; compile the network for this one, or "
        "generate the NPU again"
    )
    assert not device.model.memories.weights.any()


def test_a_program_for_an_npu_of_the_same_size_but_another_kind(tmp_path: Path) -> None:
    program = small_program(tmp_path, banks=2)
    device = GoldenDevice(npu(banks=4))
    assert error(lambda: NpuClient(device).load(program)) == (
        "golden: the program is for another NPU; it differs in a field that it does not tell; "
        "compile the network for this one, or generate the NPU again"
    )


def test_inference(tmp_path: Path) -> None:
    program = small_program(tmp_path, keep_all=True)
    client = NpuClient(GoldenDevice(program.config))
    client.load(program)
    seen = []
    batch = small_network().images(3)
    result = client.infer(batch, keep_tensors=True, progress=lambda: seen.append(1))
    assert len(seen) == 3
    assert result.outputs.shape == (3, 2)
    assert result.outputs.dtype == np.float32
    assert result.layers == ("conv0", "maxpool0", "gemm0")
    assert result.layer_cycles.shape == (3, 3)
    assert [tensor.shape for tensor in result.tensors.values()] == [
        (3, 2, 4, 4), (3, 3, 2, 2), (3, 3, 1, 1), (3, 2)
    ]
    one = client.infer(batch[2:])
    np.testing.assert_array_equal(one.outputs, result.outputs[2:])


def test_inference_without_a_program() -> None:
    client = NpuClient(GoldenDevice(npu()))
    assert error(lambda: client.infer(np.zeros((1, 2)))) == "golden: no program is loaded"


def test_tensors_that_were_not_kept(tmp_path: Path) -> None:
    program = small_program(tmp_path)
    client = NpuClient(GoldenDevice(program.config))
    client.load(program)
    assert error(lambda: client.infer(small_network().images(1), keep_tensors=True)) == (
        "results of layers were overwritten; compile the network with --keep-all"
    )


def test_time_stamps_become_cycles_of_layers(tmp_path: Path) -> None:
    """A layer takes from the stamp before to its own."""
    program = small_program(tmp_path)
    golden = GoldenDevice(program.config)

    def stamped(words: Sequence[int]) -> list[int]:
        answer = golden.transact(words)
        if words[0] & 0xFF == Request.COUNTERS:
            answer[1 + COUNTERS : 4 + COUNTERS] = [100, 130, 200]
        return answer

    client = NpuClient(ScriptedDevice(stamped))
    client.load(program)
    result = client.infer(small_network().images(2))
    assert result.layer_cycles.tolist() == [[100, 30, 70]] * 2
