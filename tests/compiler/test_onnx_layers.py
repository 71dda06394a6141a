# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a pool, a fully connected layer, a Relu, a Reshape: one clear sentence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.compiler.faulty import attribute, find, message, replace, saved
from tests.compiler.networks import NetworkBuilder


def pool() -> NetworkBuilder:
    return NetworkBuilder([2, 6, 6]).max_pool((2, 2))


def pool_scale(model: onnx.ModelProto) -> None:
    for node in list(model.graph.node)[-2:]:
        node.input[1] = "twice"
    model.graph.initializer.append(numpy_helper.from_array(np.array(1 / 32, np.float32), "twice"))


POOL_CASES: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "ceil_mode": (
        attribute("MaxPool", ceil_mode=1),
        "node 'maxpool0' (MaxPool): ceil_mode must be 0, not 1; use explicit pads instead",
    ),
    "kernel": (
        attribute("MaxPool", kernel_shape=[7, 1]),
        (
            "node 'maxpool0' (MaxPool): a 7x1 window with strides [1, 1] and pads [0, 0, 0, 0] "
            "does not fit into an image of 6x6"
        ),
    ),
    "one dimension": (
        attribute("MaxPool", kernel_shape=[2]),
        "node 'maxpool0' (MaxPool): kernel_shape must have 2 values, not 1",
    ),
    "indices": (
        lambda model: find(model, "MaxPool").output.append("indices"),
        "node 'maxpool0' (MaxPool): its second output, the indices, is not supported",
    ),
    "scale": (
        pool_scale,
        (
            "node 'maxpool0' (MaxPool): its input and result must have the same scale and zero "
            "point, not 0.015625, -11 and 0.03125, -11; quantise again with onnxruntime's "
            "quantize_static, which keeps them equal"
        ),
    ),
}


@pytest.mark.parametrize("case", POOL_CASES)
def test_max_pool(case: str, tmp_path: Path) -> None:
    change, expected = POOL_CASES[case]
    assert message(saved(pool(), change, tmp_path / "net.onnx")) == expected


def test_relu_of_another_scale(tmp_path: Path) -> None:
    path = saved(NetworkBuilder([4]).relu(), pool_scale, tmp_path / "net.onnx")
    assert message(path) == (
        "node 'relu0' (Relu): its input and result must have the same scale and zero point, not "
        "0.015625, -11 and 0.03125, -11; quantise activations with the extra option "
        "ActivationSymmetric=False, so that Relu joins the operator before it"
    )


def test_gemm_on_an_image(tmp_path: Path) -> None:
    builder = NetworkBuilder([2, 3, 3])
    path = saved(builder.gemm(2), lambda model: None, tmp_path / "net.onnx")
    assert message(path) == (
        "node 'gemm0' (Gemm): its input must have one axis after the batch, not shape [2, 3, 3]; "
        "put a Flatten before it"
    )


@pytest.mark.parametrize(
    ("name", "value", "shown"), [("alpha", 2.0, "2"), ("beta", 0.5, "0.5"), ("transA", 1, "1")]
)
def test_gemm_factors(name: str, value: float, shown: str, tmp_path: Path) -> None:
    change = attribute("Gemm", **{name: value})
    path = saved(NetworkBuilder([5]).gemm(2), change, tmp_path / "net.onnx")
    wanted = "0" if name == "transA" else "1"
    assert message(path) == f"node 'gemm0' (Gemm): {name} must be {wanted}, not {shown}"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([1, 8, 3], "shape must keep the batch axis: start with 0 or -1, not [1, 8, 3]"),
        ([0, 5, 5], "an image of 24 elements cannot take the shape [0, 5, 5]"),
        ([-1, -1], "an image of 24 elements cannot take the shape [-1, -1]"),
        ([0, 2, 4, 3], (
            "the shape [2, 4, 3] needs the bytes in another order in memory; reshape the network's "
            "input, or to one axis before a Gemm or MatMul"
        )),
    ],
)
def test_reshape(shape: list[int], expected: str, tmp_path: Path) -> None:
    builder = NetworkBuilder([3, 4, 3]).conv(6, (2, 2), pads=(0, 0, 1, 0), strides=(2, 1))
    assert builder.shape == (6, 2, 2)
    builder.reshape(4, 2, 3)

    def change(model: onnx.ModelProto) -> None:
        replace(model, find(model, "Reshape").input[1], np.array(shape, np.int64))

    path = saved(builder, change, tmp_path / "net.onnx")
    assert message(path) == f"node 'reshape0' (Reshape): {expected}"
