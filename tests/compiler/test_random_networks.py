# SPDX-License-Identifier: Apache-2.0
"""Networks of random shapes on NPUs of several sizes: every value as onnxruntime's kernels say."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from cimple.compiler.compile import compile_network
from cimple.hdl.npu.config import NpuConfig
from cimple.host.assemble import assemble
from cimple.host.client import Inference, NpuClient
from cimple.host.devices.golden import GoldenDevice
from cimple.host.oracle import LayerOracle, run_network
from tests.compiler.networks import (
    NetworkBuilder,
    npu,
    random_network,
    save_float_network,
)

NPUS = {
    "tiny": npu(lanes=2, activation_port=4, weight_bytes=32768, descriptors=1024),
    "one column": npu(rows=5, columns=1, lanes=1, weight_bytes=65536, descriptors=4096,
                      channels=256, stamps=64),
    "two banks": npu(rows=20, columns=8, banks=2, partial_sum_words=32, descriptors=1024),
    "many banks": npu(rows=9, columns=5, banks=8, cell="bitcell", lanes=8, requantisers=2,
                      channels=256, partial_sum_words=16, descriptors=2048, weight_port=32,
                      activation_port=32),
    "large": npu(rows=144, columns=32, banks=2, lanes=8, activation_port=16),
    "two macros": npu(rows=16, columns=4, banks=2, lanes=2, macros=2, queue_depth=1,
                      partial_sum_words=32, descriptors=2048, activation_port=32),
    "four macros": npu(rows=24, columns=2, banks=1, lanes=2, macros=4, channels=256,
                       descriptors=2048, weight_bytes=65536, activation_port=16),
}


def infer(path: Path, config: NpuConfig, images: np.ndarray, *, keep: bool) -> Inference:
    program = assemble(compile_network(path, config, keep_all=keep))
    with GoldenDevice(config) as device:
        client = NpuClient(device)
        client.load(program)
        return client.infer(images, keep_tensors=keep)


def check(path: Path, config: NpuConfig, images: np.ndarray) -> int:
    """Compare all tensors; how many values were compared."""
    result = infer(path, config, images, keep=True)
    differences = LayerOracle(path).compare(images, result.tensors)
    assert {name: bad for name, (bad, _) in differences.items() if bad} == {}
    assert len(differences) == len(result.tensors)
    # Memory is used again where it can be; results must not depend on it.
    reused = infer(path, config, images, keep=False)
    np.testing.assert_array_equal(result.outputs, reused.outputs)
    return sum(count for _, count in differences.values())


@pytest.mark.parametrize("npu_name", NPUS)
@pytest.mark.parametrize("seed", range(12))
def test_every_value_is_onnxruntimes(npu_name: str, seed: int, tmp_path: Path) -> None:
    builder = random_network(100 * list(NPUS).index(npu_name) + seed)
    path = builder.save(tmp_path / "net.onnx")
    compared = check(path, NPUS[npu_name], builder.images(2))
    assert compared > 0


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_rows_longer_than_the_partial_sums(strides: tuple[int, int], tmp_path: Path) -> None:
    """Areas that are pieces of rows: 8 results of two beats each."""
    config = npu(rows=10, columns=8, lanes=4, partial_sum_words=16, descriptors=512)
    builder = NetworkBuilder([5, 4, 35], 6).conv(11, (3, 2), strides, (1, 1, 0, 1))
    path = builder.save(tmp_path / "net.onnx")
    assert compile_network(path, config).report.layers[0].areas > builder.shape[1]
    check(path, config, builder.images(2))


def test_results_are_spread(tmp_path: Path) -> None:
    """A network whose values were all clipped would prove nothing."""
    builder = NetworkBuilder([3, 8, 8], 5).conv(8, (3, 3), pads=(1, 1, 1, 1)).flatten().gemm(9)
    path = builder.save(tmp_path / "net.onnx")
    result = infer(path, NPUS["large"], builder.images(4), keep=True)
    for tensor in result.tensors.values():
        assert len(np.unique(tensor)) > min(100, tensor.size // 3)


class Calibration(CalibrationDataReader):
    def __init__(self, images: np.ndarray) -> None:
        self.left = iter([{"x": image[None]} for image in images])

    def get_next(self) -> Any:
        return next(self.left, None)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
def test_what_onnxruntimes_quantiser_makes(
    per_channel: bool, symmetric: bool, tmp_path: Path
) -> None:
    floats, path = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    images = _float_network(floats)
    quantize_static(
        floats, path, Calibration(images), quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, per_channel=per_channel,
        extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True},
    )
    check(path, NPUS["two banks"], images)
    result = infer(path, NPUS["two banks"], images, keep=False)
    np.testing.assert_array_equal(result.outputs, run_network(path, images))


def _float_network(path: Path) -> np.ndarray:
    """Conv, MaxPool, Conv, Flatten, Gemm in float32, with a Relu only where it can be folded."""
    shapes = {"w1": (6, 2, 3, 3), "b1": (6,), "w2": (7, 6, 3, 3), "b2": (7,), "w3": (63, 5),
              "b3": (5,)}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "c1", pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["c1"], ["p1"], "p1", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2", "b2"], ["c2"], "c2", pads=[0, 1, 1, 0]),
        helper.make_node("Flatten", ["c2"], ["f"], "f"),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], "y"),
    ]
    return save_float_network(path, nodes, shapes, spread=0.3, images=(16, 2, 8, 8))


def test_onnxruntime_itself_reads_these_networks(tmp_path: Path) -> None:
    """The builder's models are valid: the judge would not run them otherwise."""
    builder = random_network(3)
    path = builder.save(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"x": builder.images(2)})
    assert np.asarray(made).shape == (2, *builder.shape)
