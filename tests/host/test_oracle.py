# SPDX-License-Identifier: Apache-2.0
"""The judge: it finds a difference, and in the layer that makes it."""

from pathlib import Path

import numpy as np

from cimple.host.client import NpuClient
from cimple.host.devices.golden import GoldenDevice
from cimple.host.oracle import LayerOracle
from tests.host.programs import small_network, small_program


def test_a_difference_counts_in_its_layer(tmp_path: Path) -> None:
    program = small_program(tmp_path, keep_all=True)
    client = NpuClient(GoldenDevice(program.config))
    client.load(program)
    images = small_network().images(4)
    tensors = client.infer(images, keep_tensors=True).tensors
    judge = LayerOracle(tmp_path / "net.onnx")
    names = list(tensors)
    assert judge.compare(images, tensors) == {
        name: (0, tensor.size) for name, tensor in tensors.items()
    }
    for name in names:
        changed = {**tensors, name: tensors[name].copy()}
        # A step of one in two values.
        changed[name].flat[:2] = np.where(changed[name].flat[:2] < 0, 1, -1)
        found = judge.compare(images, changed)
        assert found[name][0] == 2
        # What comes before is not blamed.
        assert all(found[earlier][0] == 0 for earlier in names[: names.index(name)])


def test_integer_kernels_are_what_judges(tmp_path: Path) -> None:
    small_network().save(tmp_path / "net.onnx")
    kinds = [stage.kind for stage in LayerOracle(tmp_path / "net.onnx").stages]
    assert kinds == ["QuantizeLinear", "Conv", "MaxPool", "Flatten", "Gemm"]
