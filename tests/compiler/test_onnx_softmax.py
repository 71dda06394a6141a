# SPDX-License-Identifier: Apache-2.0
"""Networks that end with ONNX's softmax, as onnxruntime runs them, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from cimple.compiler.compile import compile_network
from cimple.host.assemble import assemble
from cimple.host.client import NpuClient
from cimple.host.devices.golden import GoldenDevice
from cimple.host.manifest import Dequantise, FloatSoftmax, QLinearSoftmax
from cimple.host.oracle import LayerOracle, run_network
from cimple.host.program import ProgramFile
from tests.compiler.faulty import attribute, find, message, replace
from tests.compiler.networks import NetworkBuilder, npu, save_float_network
from tests.compiler.onnx_networks import OnnxBuilder, integer_form

CONFIG = npu(rows=20, columns=6, weight_bytes=65536, descriptors=512)


def network(seed: int = 0) -> OnnxBuilder:
    builder = OnnxBuilder([2, 6, 6], seed)
    builder.conv(4, (3, 3), relu=True).flatten().gemm(10)
    return builder


def save(model: onnx.ModelProto, directory: Path) -> Path:
    path = directory / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def infer(path: Path, images: np.ndarray) -> tuple[ProgramFile, np.ndarray]:
    """The program, written and read again, and its outputs on the golden model."""
    program = ProgramFile.from_bytes(assemble(compile_network(path, CONFIG)).to_bytes())
    client = NpuClient(GoldenDevice(CONFIG))
    client.load(program)
    return program, client.infer(images).outputs


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("seed", range(3))
def test_a_quantised_softmax_is_exact(form: str, seed: int, tmp_path: Path) -> None:
    builder = network(seed).softmax()
    images = builder.images(20)
    model = builder.model()
    path = save(integer_form(model) if form == "QOperator" else model, tmp_path)
    program, outputs = infer(path, images)
    step = program.manifest.output.steps[-2]
    assert isinstance(step, QLinearSoftmax)
    assert (step.result_scale, step.result_zero_point) == (1 / 256, -128)
    np.testing.assert_array_equal(outputs, run_network(path, images))
    assert len(np.unique(outputs)) > 2
    (host,) = program.manifest.report.host
    assert (host.name, host.shape) == ("softmax0", (10,))


def test_a_softmax_on_floats_is_within_the_bound(tmp_path: Path) -> None:
    builder = network().softmax(floating=True)
    images = builder.images(20)
    path = save(builder.model(), tmp_path)
    program, outputs = infer(path, images)
    port = program.manifest.output
    assert (port.dtype, port.name, port.shape) == ("float32", "softmax0_y", (10,))
    assert isinstance(port.steps[-2], Dequantise)
    assert port.steps[-1] == FloatSoftmax()
    assert sum(isinstance(step, Dequantise) for step in port.steps) == 1
    np.testing.assert_allclose(outputs, run_network(path, images), rtol=2.0**-17, atol=2.0**-120)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-6)
    (host,) = program.manifest.report.host
    assert (host.name, host.kind, host.shape) == ("softmax0", "Softmax", (10,))


def test_int8_out(tmp_path: Path) -> None:
    """Without the last DequantizeLinear."""
    builder = network().softmax()
    model = builder.model()
    last = model.graph.node[-1]
    del model.graph.output[:]
    model.graph.output.append(
        helper.make_tensor_value_info(last.input[0], onnx.TensorProto.INT8, ["N", 10])
    )
    model.graph.node.remove(last)
    path = save(model, tmp_path)
    images = builder.images(5)
    program, outputs = infer(path, images)
    assert program.manifest.output.dtype == "int8"
    np.testing.assert_array_equal(outputs, run_network(path, images))


def test_images_go_along_their_last_axis(tmp_path: Path) -> None:
    builder = OnnxBuilder([2, 5, 6], 4)
    builder.conv(3, (2, 2))
    builder.softmax(axis=3)
    path = save(builder.model(), tmp_path)
    images = builder.images(3)
    np.testing.assert_array_equal(infer(path, images)[1], run_network(path, images))


def test_the_judge_of_layers_has_it(tmp_path: Path) -> None:
    """As the kernel alone: the step on bytes and onnxruntime's node agree, for the whole network
    and by itself."""
    builder = network().softmax()
    path = save(builder.model(), tmp_path)
    images = builder.images(4)
    logits = next(node for node in builder.nodes if node.op_type == "Softmax").input[0]
    source = next(node for node in builder.nodes if node.output[0] == logits).input[0]
    program, _ = infer(path, images)
    client = NpuClient(GoldenDevice(CONFIG))
    client.load(assemble(compile_network(path, CONFIG, keep_all=True)))
    tensors = dict(client.infer(images, keep_tensors=True).tensors)
    from cimple.host.operators import apply_steps

    made = apply_steps([program.manifest.output.steps[-2]], tensors[source])
    result = builder.tensor
    assert LayerOracle(path).compare(images, tensors | {result: made})[result] == (0, made.size)
    wrong = made.copy()
    wrong[0, 0] ^= 1
    assert LayerOracle(path).compare(images, tensors | {result: wrong})[result][0] == 1


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
@pytest.mark.parametrize("opset", [13, 17])
def test_as_onnxruntime_s_quantiser_writes_it(
    form: QuantFormat, opset: int, tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["a"], "conv"),
        helper.make_node("Flatten", ["a"], ["b"], "flat"),
        helper.make_node("Gemm", ["b", "w1", "b1"], ["c"], "fc"),
        helper.make_node("Softmax", ["c"], ["y"], "softmax"),
    ]
    shapes = {"w0": (4, 2, 3, 3), "b0": (4,), "w1": (64, 5), "b1": (5,)}
    images = save_float_network(
        tmp_path / "float.onnx", nodes, shapes, spread=0.4, images=(30, 2, 6, 6)
    )
    model = onnx.load(str(tmp_path / "float.onnx"))
    model.opset_import[0].version = opset
    onnx.save(model, str(tmp_path / "float.onnx"))

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter([{"x": image[None]} for image in images])

        def get_next(self) -> Any:
            return next(self.rest, None)

    path = tmp_path / "net.onnx"
    quantize_static(
        str(tmp_path / "float.onnx"), str(path), Images(), quant_format=form, per_channel=True,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, reduce_range=True,
        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
    )
    kinds = [node.op_type for node in onnx.load(str(path)).graph.node]
    assert ("QLinearSoftmax" in kinds) == (form == QuantFormat.QOperator)
    _, outputs = infer(path, images)
    np.testing.assert_array_equal(outputs, run_network(path, images))
    assert len(np.unique(outputs)) > 2


def test_the_default_axis_before_opset_13(tmp_path: Path) -> None:
    """All axes from the first on: the last one where there is no other."""
    builder = OnnxBuilder([9], 2)
    builder.softmax()
    model = builder.model()
    model.opset_import[0].version = 12
    path = save(model, tmp_path)
    images = builder.images(5)
    np.testing.assert_array_equal(infer(path, images)[1], run_network(path, images))


def refused(builder: NetworkBuilder, directory: Path, *changes: Callable[[Any], None]) -> str:
    model = builder.model()
    for change in changes:
        change(model)
    return message(save(model, directory), rows=20, columns=6, weight_bytes=65536)


def test_another_axis(tmp_path: Path) -> None:
    builder = OnnxBuilder([2, 5, 6], 4)
    builder.conv(3, (2, 2))
    builder.softmax(axis=1)
    assert refused(builder, tmp_path) == (
        "node 'softmax0' (Softmax): axis must be the last one, 3 or -1, not 1 (the default is -1 "
        "from opset 13 on and 1 before; this is opset 17); put a Flatten before it, or a Transpose "
        "into the layer before"
    )


def test_the_default_axis_of_an_image_before_opset_13(tmp_path: Path) -> None:
    builder = OnnxBuilder([2, 5, 6], 4)
    builder.max_pool((2, 2))
    builder.softmax()

    def old(model: Any) -> None:
        model.opset_import[0].version = 12

    text = refused(builder, tmp_path, old)
    assert "axis must be the last one, 3 or -1, not 1" in text
    assert "this is opset 12" in text


def test_an_operator_behind_it(tmp_path: Path) -> None:
    text = refused(network().softmax().gemm(3), tmp_path)
    assert text == (
        "node 'softmax0' (Softmax): must be the network's last operator, as it runs on the host; "
        "leave out what comes behind it"
    )


def test_a_relu_behind_it(tmp_path: Path) -> None:
    builder = network().softmax(floating=True)
    builder.value = builder.node("Relu", [builder.value])
    assert refused(builder, tmp_path).startswith(
        "node 'relu1' (Relu): its input 'softmax0_y' must be quantised first"
    )


@pytest.mark.parametrize(
    ("outputs", "scale", "said"),
    [
        (1, 1 / 256, "over 1 values its result's scale must be at least 1/148, not 0.00390625"),
        (2, 1 / 400, "over 2 values its result's scale must be at least 1/296, not 0.0025"),
    ],
)
def test_scales_with_which_the_kernel_overflows(
    outputs: int, scale: float, said: str, tmp_path: Path
) -> None:
    builder = network()
    builder.gemm(outputs)
    builder.softmax()
    name = find(builder.model(), "Softmax").output[0]
    quantise = next(node for node in builder.nodes if node.input[0] == name)
    text = refused(
        builder, tmp_path, lambda model: replace(model, quantise.input[1], np.float32(scale))
    )
    assert f"node 'softmax0' (Softmax): {said}, with which onnxruntime's kernel overflows" in text


def test_a_scale_that_leaves_no_finite_values(tmp_path: Path) -> None:
    builder = network().softmax()
    node = find(builder.model(), "Softmax")
    pair = next(each for each in builder.nodes if each.output[0] == node.input[0]).input[1]
    text = refused(builder, tmp_path, lambda model: replace(model, pair, np.float32(3e38)))
    assert text.startswith("node 'softmax0' (Softmax): its input's scale must leave values finite")


def test_a_kernel_without_its_opset(tmp_path: Path) -> None:
    model = integer_form(network().softmax().model())
    node = find(model, "QLinearSoftmax")
    del node.attribute[:]
    assert message(save(model, tmp_path), rows=20, columns=6, weight_bytes=65536) == (
        "node 'softmax0' (com.microsoft.QLinearSoftmax): must have the attribute opset, which says "
        "what axis means; quantise the network again with onnxruntime"
    )


def test_a_kernel_s_axis(tmp_path: Path) -> None:
    model = integer_form(network().softmax().model())
    attribute("QLinearSoftmax", axis=0)(model)
    assert "axis must be the last one, 1 or -1, not 0" in message(
        save(model, tmp_path), rows=20, columns=6, weight_bytes=65536
    )
