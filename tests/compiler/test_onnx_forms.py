# SPDX-License-Identifier: Apache-2.0
"""Forms in which the same network may come: all of them are read, and give onnxruntime's values."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cimple.compiler.compile import compile_network
from cimple.host.assemble import assemble
from cimple.host.client import Inference, NpuClient
from cimple.host.devices.golden import GoldenDevice
from cimple.host.oracle import LayerOracle, run_network
from tests.compiler.faulty import attribute, find
from tests.compiler.networks import NetworkBuilder, npu

CONFIG = npu(rows=20, columns=6, weight_bytes=65536, descriptors=512)


def save(model: onnx.ModelProto, directory: Path) -> Path:
    path = directory / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def infer(path: Path, images: np.ndarray) -> Inference:
    program = assemble(compile_network(path, CONFIG, keep_all=True))
    client = NpuClient(GoldenDevice(CONFIG))
    client.load(program)
    return client.infer(images, keep_tensors=True)


def same_as_onnxruntime(path: Path, images: np.ndarray) -> Inference:
    result = infer(path, images)
    differences = LayerOracle(path).compare(images, result.tensors)
    assert {name: bad for name, (bad, _) in differences.items() if bad} == {}
    assert len(differences) == len(result.tensors)
    return result


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("kind", ["Conv", "MaxPool"])
@pytest.mark.parametrize("size", [6, 7])
def test_auto_pad(mode: str, kind: str, size: int, tmp_path: Path) -> None:
    """Where the padding is odd, UPPER and LOWER differ."""
    builder = NetworkBuilder([2, size, 5])
    pads = (0, 0, 0, 0) if mode == "VALID" else (1, 1, 1, 1)
    if kind == "Conv":
        builder.conv(3, (4, 3), (2, 1), pads)
    else:
        builder.max_pool((4, 3), (2, 1), pads)
    model = builder.model()
    node = find(model, kind)
    kept = [item for item in node.attribute if item.name != "pads"]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute("auto_pad", mode)])
    rows, columns = (-(-size // 2), 5) if mode != "VALID" else ((size - 4) // 2 + 1, 3)
    for axis, extent in ((2, rows), (3, columns)):
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_value = extent
    result = same_as_onnxruntime(save(model, tmp_path), builder.images(2))
    assert result.outputs.shape[2:] == (rows, columns)


def test_int8_in_and_out(tmp_path: Path) -> None:
    """Without the first QuantizeLinear and the last DequantizeLinear."""
    builder = NetworkBuilder([2, 4, 4]).conv(3, (3, 3), relu=True)
    whole = builder.model()
    images = builder.images(3)
    expected = infer(save(whole, tmp_path), images)
    model = onnx.ModelProto()
    model.CopyFrom(whole)
    quantise, last = find(model, "QuantizeLinear"), model.graph.node[-1]
    inside, outside = quantise.output[0], last.input[0]
    model.graph.node.remove(quantise)
    model.graph.node.remove(last)
    del model.graph.input[:], model.graph.output[:]
    model.graph.input.append(
        helper.make_tensor_value_info(inside, TensorProto.INT8, ["N", 2, 4, 4])
    )
    model.graph.output.append(
        helper.make_tensor_value_info(outside, TensorProto.INT8, ["N", *builder.shape])
    )
    path = save(model, tmp_path)
    program = assemble(compile_network(path, CONFIG))
    assert (program.manifest.input.dtype, program.manifest.output.dtype) == ("int8", "int8")
    result = infer(path, expected.tensors[inside])
    assert result.outputs.dtype == np.int8
    np.testing.assert_array_equal(result.outputs, expected.tensors[outside])


def test_a_fixed_batch_size(tmp_path: Path) -> None:
    """Images are independent: any number of them can be run."""
    builder = NetworkBuilder([2, 4, 4], batch=1).conv(3, (3, 3)).reshape(12).gemm(4)
    model = builder.model()
    shape = next(t for t in model.graph.initializer if t.name == find(model, "Reshape").input[1])
    shape.CopyFrom(numpy_helper.from_array(np.array([1, 12], np.int64), shape.name))
    path = save(model, tmp_path)
    images = builder.images(3)
    result = infer(path, images)
    for index in range(3):
        one = run_network(path, images[index : index + 1])
        np.testing.assert_array_equal(result.outputs[index : index + 1], one)


@pytest.mark.parametrize(
    "target", [[0, -1], [-1, 36], [0, 36], [0, 4, 3, 3], [0, 0, 0, -1], [-1, 4, 3, 3]]
)
def test_reshape(target: list[int], tmp_path: Path) -> None:
    builder = NetworkBuilder([4, 3, 3]).conv(4, (1, 1)).reshape(36)
    model = builder.model()
    shape = next(t for t in model.graph.initializer if t.name == find(model, "Reshape").input[1])
    shape.CopyFrom(numpy_helper.from_array(np.array(target, np.int64), shape.name))
    dims = model.graph.output[0].type.tensor_type.shape
    del dims.dim[1:]
    for size in [36] if len(target) == 2 else [4, 3, 3]:
        dims.dim.add().dim_value = size
    path = save(model, tmp_path)
    images = builder.images(2)
    result = same_as_onnxruntime(path, images)
    np.testing.assert_array_equal(result.outputs, run_network(path, images))


def test_flatten_of_the_output_is_the_hosts_work(tmp_path: Path) -> None:
    builder = NetworkBuilder([3, 4, 4]).conv(5, (2, 2)).flatten()
    path = builder.save(tmp_path / "net.onnx")
    images = builder.images(2)
    np.testing.assert_array_equal(infer(path, images).outputs, run_network(path, images))


def test_constants_may_be_nodes(tmp_path: Path) -> None:
    builder = NetworkBuilder([2, 4, 4]).conv(3, (3, 3)).flatten().gemm(4)
    images = builder.images(2)
    expected = infer(builder.save(tmp_path / "plain.onnx"), images).outputs
    model = builder.model()
    made: list[Any] = [
        helper.make_node("Constant", [], [tensor.name], value=tensor)
        for tensor in model.graph.initializer
    ]
    nodes = [*made, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)
    np.testing.assert_array_equal(infer(save(model, tmp_path), images).outputs, expected)


def test_what_the_output_does_not_need_is_left_out(tmp_path: Path) -> None:
    builder = NetworkBuilder([2, 4, 4]).conv(3, (3, 3))
    model = builder.model()
    model.graph.node.append(helper.make_node("Softmax", [builder.value], ["more"], "more"))
    compiled = compile_network(save(model, tmp_path), CONFIG)
    assert [layer.kind for layer in compiled.layers] == ["Conv"]


def test_attributes_at_their_defaults(tmp_path: Path) -> None:
    builder = NetworkBuilder([2, 4, 4]).conv(3, (3, 3)).flatten().gemm(4)
    model = builder.model()
    attribute("Conv", group=1, dilations=[1, 1], auto_pad="NOTSET")(model)
    attribute("Flatten", axis=1)(model)
    attribute("Gemm", alpha=1.0, beta=1.0, transA=0)(model)
    images = builder.images(2)
    same_as_onnxruntime(save(model, tmp_path), images)


def test_axes_may_be_counted_from_the_end(tmp_path: Path) -> None:
    builder = NetworkBuilder([2, 4, 4]).conv(3, (3, 3)).flatten().gemm(4)
    model = builder.model()
    weights = [node for node in model.graph.node if node.input[0].startswith("w")]
    for node, axis in zip(weights, (-4, -1), strict=True):
        node.attribute[0].i = axis
    same_as_onnxruntime(save(model, tmp_path), builder.images(2))
