# SPDX-License-Identifier: Apache-2.0
"""From a quantised network to the generated hardware: both simulators, the golden model and
onnxruntime agree on every value, and both simulators on every cycle."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cimple.compiler.compile import compile_network
from cimple.hdl.load import load_config
from cimple.hdl.npu.config import NpuConfig
from cimple.host.assemble import assemble
from cimple.host.client import Inference, NpuClient
from cimple.host.devices.table import open_device
from cimple.host.oracle import LayerOracle, run_network
from cimple.host.program import ProgramFile
from tests.compiler.networks import NetworkBuilder

SIMULATORS = ("verilator", "icarus")


def network() -> NetworkBuilder:
    """On 12 x 4 weights: passes, tiles, areas, padding, strides, every kind of layer."""
    return (
        NetworkBuilder([2, 7, 6], 11)
        .conv(6, (3, 3), (1, 1), (1, 1, 1, 1), relu=True)
        .max_pool((3, 2), (2, 2), (1, 0, 0, 0))
        .conv(5, (2, 3), (2, 1), (0, 1, 1, 1), per_channel=False)
        .relu()
        .flatten()
        .gemm(7, turned=True, relu=True)
        .gemm(3, kind="MatMul")
    )


def infer(device_name: str, program: ProgramFile, images: np.ndarray) -> Inference:
    with open_device(device_name, program.config) as device:
        client = NpuClient(device)
        client.load(program)
        return client.infer(images, keep_tensors=program.manifest.keep_all)


@pytest.mark.xdist_group("npu_tiny")
def test_a_small_network_on_both_simulators(tmp_path: Path) -> None:
    builder = network()
    path, images = builder.save(tmp_path / "net.onnx"), builder.images(2)
    config = load_config("npu_tiny")
    assert isinstance(config, NpuConfig)
    program = assemble(compile_network(path, config, keep_all=True))
    golden = infer("golden", program, images)
    runs = {name: infer(name, program, images) for name in SIMULATORS}
    for run in runs.values():
        assert run.tensors.keys() == golden.tensors.keys()
        for name, values in golden.tensors.items():
            np.testing.assert_array_equal(run.tensors[name], values, err_msg=name)
        np.testing.assert_array_equal(run.outputs, golden.outputs)
        differences = LayerOracle(path).compare(images, run.tensors)
        assert [bad for bad, _ in differences.values()] == [0] * len(golden.tensors)
        np.testing.assert_array_equal(run.outputs, run_network(path, images))
        # Layers end one after another, the last one with the program but for its END.
        assert np.all(run.layer_cycles > 0)
        assert np.all(run.layer_cycles.sum(axis=1) <= run.cycles)
    one, other = runs.values()
    np.testing.assert_array_equal(one.cycles, other.cycles)
    np.testing.assert_array_equal(one.layer_cycles, other.layer_cycles)
    # Without skipped planes the time does not depend on the data.
    assert len(set(one.cycles.tolist())) == 1
    bound = program.manifest.report.ideal_cycles
    assert bound < one.cycles[0] < 20 * bound


@pytest.mark.xdist_group("npu_digits")
def test_the_demonstration_on_verilator(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "cimple.host.digits", "-o", str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["right"] is True
    assert report["images"] == 100
    assert report["accuracy"] >= 0.97
    assert [entry["different"] for entry in report["differences"].values()] == [0, 0, 0, 0]
    assert all(cycles > 0 for cycles in report["cycles_a_layer"].values())
    assert sum(report["cycles_a_layer"].values()) <= report["cycles_an_image"] < 10_000
    right, cycles = round(100 * report["accuracy"]), report["cycles_an_image"]
    shown = f"{right} of 100 held-back images right; {cycles:,.0f} cycles an image"
    assert shown in (root / "README.md").read_text()
