# SPDX-License-Identifier: Apache-2.0
"""Residual and depthwise networks of ONNX, in QDQ and in QOperator form: every value exact."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from cimple.compiler.compile import compile_network
from cimple.hdl.load import load_config
from cimple.hdl.npu.config import NpuConfig
from cimple.host.assemble import assemble
from cimple.host.client import NpuClient
from cimple.host.devices.table import open_device
from cimple.host.oracle import LayerOracle, run_network
from tests.compiler.faulty import attribute, find, message, replace
from tests.compiler.faulty import saved as faulty_saved
from tests.compiler.networks import npu, save_float_network
from tests.compiler.onnx_networks import (
    OnnxBuilder,
    depthwise_network,
    integer_form,
    residual_network,
)
from tests.compiler.test_random_networks import Calibration, check, infer

CONFIG = npu(rows=72, columns=16, banks=2, lanes=4, activation_port=8, weight_bytes=1 << 16,
             activation_bytes=1 << 15, descriptors=1024, channels=512)
FORMS: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "QDQ": lambda model: model, "QOperator": integer_form,
}
MAKERS = {"residual": residual_network, "depthwise": depthwise_network}


def saved(builder: OnnxBuilder, form: str, path: Path) -> Path:
    path.write_bytes(FORMS[form](builder.model()).SerializeToString())
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("seed", range(3))
def test_every_value(name: str, form: str, seed: int, tmp_path: Path) -> None:
    builder = MAKERS[name](seed)
    path = saved(builder, form, tmp_path / "net.onnx")
    assert check(path, CONFIG, builder.images(3)) > 2500


@pytest.mark.parametrize("name", MAKERS)
def test_both_forms_are_one_network(name: str, tmp_path: Path) -> None:
    builder = MAKERS[name](7)
    images = builder.images(2)
    one, other = (
        infer(saved(builder, form, tmp_path / f"{form}.onnx"), CONFIG, images, keep=False).outputs
        for form in FORMS
    )
    np.testing.assert_array_equal(one, other)


def float_network(path: Path, *, depthwise: bool) -> np.ndarray:
    """Conv, block, GlobalAveragePool, Flatten, Gemm in float32; images to calibrate with."""
    group = 6 if depthwise else 1
    shapes = {"w1": (6, 2, 3, 3), "b1": (6,), "w2": (6, 6 // group, 3, 3), "b2": (6,),
              "w3": (6, 6, 1, 1), "b3": (6,), "w4": (6, 5), "b4": (5,)}
    pads: Any = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "c1", strides=[2, 2], **pads),
        helper.make_node("Relu", ["c1"], ["r1"], "r1"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "c2", group=group, **pads),
        helper.make_node("Relu", ["c2"], ["r2"], "r2"),
        helper.make_node("Conv", ["r2", "w3", "b3"], ["c3"], "c3"),
        helper.make_node("Add", ["c3", "r1"], ["a"], "a"),
        helper.make_node("Relu", ["a"], ["r3"], "r3"),
        helper.make_node("MaxPool", ["r3"], ["m"], "m", kernel_shape=[2, 2], strides=[1, 1]),
        helper.make_node("GlobalAveragePool", ["m"], ["g"], "g"),
        helper.make_node("Flatten", ["g"], ["f"], "f"),
        helper.make_node("Gemm", ["f", "w4", "b4"], ["y"], "y"),
    ]
    return save_float_network(path, nodes, shapes, spread=0.4, images=(12, 2, 9, 9))


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
@pytest.mark.parametrize("per_channel", [False, True])
def test_what_onnxruntimes_quantiser_makes(
    form: QuantFormat, depthwise: bool, per_channel: bool, tmp_path: Path
) -> None:
    floats, path = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    images = float_network(floats, depthwise=depthwise)
    quantize_static(
        floats, path, Calibration(images), quant_format=form, per_channel=per_channel,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
    )
    check(path, CONFIG, images)
    result = infer(path, CONFIG, images, keep=False)
    np.testing.assert_array_equal(result.outputs, run_network(path, images))


@pytest.mark.xdist_group("npu_tiny")
def test_on_the_verilog(tmp_path: Path) -> None:
    """Under Verilator: a block of a residual network, dilation and means, all their values."""
    builder = OnnxBuilder([2, 5, 5], 3)
    builder.conv(4, (3, 3), pads=(1, 1, 1, 1), relu=True)
    fork = builder.fork()
    builder.depthwise((3, 3), pads=(2, 1, 2, 1), dilations=(2, 1))
    builder.conv(4, (2, 3), pads=(2, 2, 1, 2), dilations=(3, 2))
    builder.add(fork, relu=True).average_pool((3, 3), (1, 1), same=True)
    builder.global_average_pool().flatten().gemm(3)
    path = saved(builder, "QOperator", tmp_path / "net.onnx")
    config = load_config("npu_tiny")
    assert isinstance(config, NpuConfig)
    program = assemble(compile_network(path, config, keep_all=True))
    images = builder.images(2)
    with open_device("verilator", config) as device:
        client = NpuClient(device)
        client.load(program)
        result = client.infer(images, keep_tensors=True)
    differences = LayerOracle(path).compare(images, result.tensors)
    assert len(differences) == len(result.tensors)
    assert {name for name, (bad, _) in differences.items() if bad} == set()


def test_padding_goes_into_the_window(tmp_path: Path) -> None:
    builder = OnnxBuilder([3, 5, 6], 2).pad(1, 0, 2, 3)
    builder.conv(4, (3, 3), (2, 2))
    for form in FORMS:
        check(saved(builder, form, tmp_path / f"{form}.onnx"), CONFIG, builder.images(2))


@pytest.mark.parametrize(
    ("form", "change", "expected"),
    [
        ("QDQ", lambda node: node.input.append("half"), "0, which stands for zero, not [0.5]"),
        ("QOperator", lambda node: node.input.pop(), "-11, which stands for zero, not [0.0]"),
        ("QDQ", lambda node: node.input.append("x"), "0, which stands for zero, not None"),
    ],
)
def test_padding_with_another_value(
    form: str, change: Callable[[Any], None], expected: str, tmp_path: Path
) -> None:
    builder = OnnxBuilder([3, 5, 6], 2).pad(1, 0, 2, 3)
    builder.conv(4, (3, 3))
    builder.constant(np.float32(0.5), "half")
    model = FORMS[form](builder.model())
    change(find(model, "Pad"))
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    assert message(path) == (
        f"node 'pad0' (Pad): it must pad with the constant {expected}; pad with 0 before the "
        "network is quantised"
    )


def _pads(*amounts: int) -> Callable[[onnx.ModelProto], None]:
    return lambda model: replace(model, find(model, "Pad").input[1], np.array(amounts, np.int64))


PADS: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "mode": (attribute("Pad", mode="edge"), "mode must be constant, not edge"),
    "channels": (_pads(0, 1, 0, 0, 0, 0, 0, 0), (
        "only rows and columns can be padded, by 0 or more, not [0, 1, 0, 0, 0, 0, 0, 0]"
    )),
    "cut": (_pads(0, 0, 0, -1, 0, 0, 0, 0), (
        "only rows and columns can be padded, by 0 or more, not [0, 0, 0, -1, 0, 0, 0, 0]"
    )),
    "axes": (_pads(1, 1, 1, 1), (
        "its padding must be a constant of 8 numbers, before and then behind each axis"
    )),
}


@pytest.mark.parametrize("case", PADS)
def test_padding_refused(case: str, tmp_path: Path) -> None:
    change, expected = PADS[case]
    builder = OnnxBuilder([3, 5, 6], 2).pad(1, 0, 2, 3)
    builder.conv(4, (3, 3))
    path = faulty_saved(builder, change, tmp_path / "net.onnx")
    assert message(path) == f"node 'pad0' (Pad): {expected}"


def test_int8_in_and_out(tmp_path: Path) -> None:
    """The input's scale is that of the operator that reads it."""
    builder = depthwise_network(1)
    model = integer_form(builder.model())
    quantise, last = find(model, "QuantizeLinear"), model.graph.node[-1]
    inside, outside = quantise.output[0], last.input[0]
    model.graph.node.remove(quantise)
    model.graph.node.remove(last)
    del model.graph.input[:], model.graph.output[:]
    shape = [size.dim_value for size in builder.input.type.tensor_type.shape.dim][1:]
    model.graph.input.append(
        helper.make_tensor_value_info(inside, TensorProto.INT8, ["N", *shape])
    )
    model.graph.output.append(
        helper.make_tensor_value_info(outside, TensorProto.INT8, ["N", *builder.shape])
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    images = np.random.default_rng(1).integers(-128, 128, (3, *shape)).astype(np.int8)
    result = infer(path, CONFIG, images, keep=False)
    assert result.outputs.dtype == np.int8
    np.testing.assert_array_equal(result.outputs, run_network(path, images))


def _no_weights(model: onnx.ModelProto) -> None:
    find(model, "QLinearConv").input[3] = find(model, "QLinearConv").input[0]


def _uint8(model: onnx.ModelProto) -> None:
    replace(model, find(model, "QLinearConv").input[7], np.uint8(3))


def _other_scale(model: onnx.ModelProto) -> None:
    node = find(model, "QLinearAdd")
    node.input[1] = find(model, "QLinearConv").input[1]


def _floats(model: onnx.ModelProto) -> None:
    node = find(model, "QGemm")
    del node.input[7:]


def _last(model: onnx.ModelProto) -> None:
    node = find(model, "QLinearGlobalAveragePool")
    node.attribute.append(helper.make_attribute("channels_last", 1))


def _asymmetric(model: onnx.ModelProto) -> None:
    replace(model, find(model, "QLinearConv").input[5], np.full(6, 3, np.int8))


REFUSALS: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "weights": (_no_weights, (
        "node 'conv0' (QLinearConv): its input 'quantizelinear0_y' must be a constant; the NPU "
        "multiplies activations with constant weights"
    )),
    "uint8": (_uint8, (
        "node 'conv0' (QLinearConv): activations must be int8, not uint8; quantise with "
        "activation_type=QuantType.QInt8"
    )),
    "scale": (_other_scale, (
        "node 'add0' (com.microsoft.QLinearAdd): scale and zero point must be those with which "
        "'quantizelinear1_y' was quantised"
    )),
    "floats": (_floats, (
        "node 'gemm0' (com.microsoft.QGemm): its scale must be a float32 constant"
    )),
    "channels last": (_last, (
        "node 'globalaveragepool0' (com.microsoft.QLinearGlobalAveragePool): channels_last must "
        "be 0, not 1; write the network with channels first"
    )),
    "asymmetric weights": (_asymmetric, (
        "node 'conv0' (QLinearConv): constant 'w2' must have zero point 0, not 3; quantise with "
        "the extra option WeightSymmetric=True"
    )),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case: str, tmp_path: Path) -> None:
    change, expected = REFUSALS[case]
    model = integer_form(residual_network(2).model())
    change(model)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    assert message(path) == expected
