# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""A network whose weights are more than the weight memory holds: fetched, exact, as predicted."""

from pathlib import Path

import numpy as np
import pytest

from cimple.compiler.compile import Compiled, compile_network
from cimple.compiler.errors import ModelError
from cimple.compiler.legalise import legalise
from cimple.compiler.single import layer_programs
from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import Opcode
from cimple.host.assemble import assemble
from cimple.host.client import Inference, NpuClient
from cimple.host.devices.device import DeviceError
from cimple.host.devices.table import open_device
from cimple.host.oracle import LayerOracle, run_network
from cimple.host.program import ProgramFile
from tests.compiler.networks import NetworkBuilder

#: 384 bytes of weights at once, of the two thousand that the network has.
CONFIG = NpuConfig.from_mapping(
    {
        "name": "npu_external", "macro": {"rows": 12, "columns": 4, "banks": 2},
        "activation_bytes": 1024, "weight_bytes": 384, "weight_port": 8, "external_port": 4,
        "channels": 64, "lanes": 2, "partial_sum_words": 128, "descriptors": 512,
    },
    source="test",
)


def network() -> NetworkBuilder:
    """Passes, tiles, areas; weights that are used again while they are still there."""
    return (
        NetworkBuilder([2, 7, 6], 11)
        .conv(6, (3, 3), (1, 1), (1, 1, 1, 1), relu=True)
        .max_pool((3, 2), (2, 2), (1, 0, 0, 0))
        .conv(10, (2, 3), (2, 1), (0, 1, 1, 1), per_channel=False)
        .flatten()
        .gemm(16, turned=True, relu=True)
        .gemm(3, kind="MatMul")
    )


def compiled(tmp_path: Path, config: NpuConfig = CONFIG) -> tuple[Path, Compiled]:
    path = network().save(tmp_path / "net.onnx")
    return path, compile_network(path, config, keep_all=True)


def infer(device_name: str, program: ProgramFile, images: np.ndarray) -> Inference:
    with open_device(device_name, program.config) as device:
        client = NpuClient(device)
        client.load(program)
        return client.infer(images, keep_tensors=True)


@pytest.mark.parametrize("port", [4, 8])
def test_a_network_with_its_weights_outside(tmp_path: Path, port: int) -> None:
    """Exact on the golden model and, with 4 bytes a beat, under both simulators, in cycles too."""
    path, made = compiled(tmp_path, CONFIG.replace(external_port=port))
    assert len(made.external) > 3 * CONFIG.weight_bytes
    program, images = assemble(made), network().images(2)
    golden = infer("golden", program, images)
    differences = LayerOracle(path).compare(images, golden.tensors)
    assert [bad for bad, _ in differences.values()] == [0] * len(golden.tensors)
    np.testing.assert_array_equal(golden.outputs, run_network(path, images))
    for name in ("verilator", "icarus")[: 2 if port == 4 else 0]:
        run = infer(name, program, images)
        for tensor, values in golden.tensors.items():
            np.testing.assert_array_equal(run.tensors[tensor], values, err_msg=tensor)
        np.testing.assert_array_equal(run.cycles, golden.cycles)
        np.testing.assert_array_equal(run.layer_cycles, golden.layer_cycles)
    assert golden.cycles.tolist() == [made.report.cycles] * 2


def test_a_layer_by_itself_fetches_nothing(tmp_path: Path) -> None:
    _, made = compiled(tmp_path)
    with pytest.raises(ModelError, match=(
        r"its weights need \d+ bytes, the weight memory has 256, and a layer by itself fetches none"
    )):
        list(layer_programs(legalise(made.graph), CONFIG.replace(weight_bytes=256)))


def test_fetches_hide_behind_work_where_they_can(tmp_path: Path) -> None:
    """The ring takes longer than a memory that holds all, and much less than all fetches alone."""
    _, made = compiled(tmp_path)
    inside = compile_network(tmp_path / "net.onnx", CONFIG.replace(weight_bytes=8192))
    assert not inside.external
    assert all(d.opcode is not Opcode.FETCH for d in inside.descriptors)
    fetches = [d for d in made.descriptors if d.opcode is Opcode.FETCH]
    alone = sum(d["bytes"] // 4 + 34 for d in fetches)
    assert made.report.cycles is not None
    assert inside.report.cycles is not None
    assert made.report.cycles < inside.report.cycles + alone
    # Some are waited for, some are ahead of what waits for nothing.
    assert 0 < sum(bool(d["wait"]) for d in fetches) < len(fetches)


def test_the_report_says_what_is_fetched(tmp_path: Path) -> None:
    _, made = compiled(tmp_path)
    fetched = sum(layer.fetched_bytes for layer in made.report.layers)
    fetches = [d for d in made.descriptors if d.opcode is Opcode.FETCH]
    assert fetched == sum(d["bytes"] for d in fetches) >= len(made.external)
    assert sum(layer.descriptors for layer in made.report.layers) == len(made.descriptors) - 1
    assert not any(layer.fetched_bytes for layer in made.report.layers if layer.kind == "MaxPool")
    assert made.report.memories["weights"].used == CONFIG.weight_bytes


def test_a_program_file_has_the_image(tmp_path: Path) -> None:
    _, made = compiled(tmp_path)
    program = assemble(made)
    again = ProgramFile.from_bytes(program.to_bytes())
    assert again.parts["external.bin"] == made.external
    assert again.parts["weights.bin"] == b""
    assert again.to_bytes() == program.to_bytes()


@pytest.mark.parametrize(
    ("port", "size", "message"),
    [
        (0, 8, "external memory has 0 bytes, 8 are needed"),
        (4, (1 << 24) + 4, "external memory has 16,777,216 bytes, 16,777,220 are needed"),
    ],
)
def test_a_device_without_enough_external_memory_says_so(port, size, message) -> None:
    device = open_device("icarus", CONFIG.replace(external_port=port))
    with device, pytest.raises(DeviceError, match=message):
        device.load_external(bytes(size))
