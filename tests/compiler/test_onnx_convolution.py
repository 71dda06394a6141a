# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a convolution: one sentence that names node, operator, limit and cure."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.compiler.faulty import attribute, find, message, replace, saved
from tests.compiler.networks import NetworkBuilder

SUPPORTED = (
    "QuantizeLinear, DequantizeLinear, Conv, Gemm, MatMul, Add, Relu, MaxPool, AveragePool, "
    "GlobalAveragePool, ReduceMean, Pad, Flatten, Reshape, Softmax, QLinearConv, QLinearMatMul, "
    "com.microsoft.QGemm, com.microsoft.QLinearAdd, com.microsoft.QLinearAveragePool, "
    "com.microsoft.QLinearGlobalAveragePool, "
    "com.microsoft.QLinearSoftmax, Constant"
)


def convolution() -> NetworkBuilder:
    return NetworkBuilder([2, 6, 6]).conv(3, (3, 3))


def renamed(kind: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        find(model, "Conv").op_type = kind

    return change


def weight_zero_point(model: onnx.ModelProto) -> None:
    weights = next(node for node in model.graph.node if node.input[0].startswith("w"))
    replace(model, weights.input[2], np.array([0, 5, 0], np.int8))


def uint8_weights(model: onnx.ModelProto) -> None:
    weights = next(node for node in model.graph.node if node.input[0].startswith("w"))
    replace(model, weights.input[0], np.zeros((3, 2, 3, 3), np.uint8))
    replace(model, weights.input[2], np.zeros(3, np.uint8))


def uint8_activations(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            replace(model, node.input[2], np.uint8(3))


def axis_of_weights(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.input[0].startswith("w"))
    replace(model, node.input[1], np.full(2, 0.1, np.float32))
    replace(model, node.input[2], np.zeros(2, np.int8))
    node.attribute[0].i = 1


def bias_scale(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.input[0].startswith("b"))
    replace(model, node.input[1], np.full(3, 1.0, np.float32))


def float_bias(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float32), "floats"))
    find(model, "Conv").input[2] = "floats"


def large_bias(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.input[0].startswith("b"))
    replace(model, node.input[0], np.array([0, 2**31 - 1, 0], np.int32))
    replace(model, "w2", np.ones((3, 2, 3, 3), np.int8))


def small_scale(model: onnx.ModelProto) -> None:
    last = [node for node in model.graph.node if node.op_type == "QuantizeLinear"][-1]
    replace(model, last.input[1], np.float32(1e-6))


def zero_scale(model: onnx.ModelProto) -> None:
    replace(model, find(model, "QuantizeLinear").input[1], np.float32(0))


def other_scale(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.3, np.float32), "other"))
    find(model, "DequantizeLinear").input[1] = "other"


def two_inputs(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 1]))


def two_outputs(model: onnx.ModelProto) -> None:
    model.graph.output.append(model.graph.input[0])


def float_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = find(model, "Conv").output[0]


def dynamic_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "rows"


def unquantised(model: onnx.ModelProto) -> None:
    find(model, "Conv").input[0] = "x"


CASES: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "operator": (
        renamed("Softsign"),
        "node 'conv0' (Softsign): operator Softsign is not supported; supported are " + SUPPORTED,
    ),
    "group": (
        attribute("Conv", group=2),
        (
            "node 'conv0' (Conv): group must be 1, or the number of input and of output channels, "
            "which are 2 and 3, not 2; split a grouped convolution"
        ),
    ),
    "dilations": (
        attribute("Conv", dilations=[1, 0]),
        "node 'conv0' (Conv): dilations must be at least 1, not [1, 0]",
    ),
    "auto_pad": (
        attribute("Conv", auto_pad="SAME"),
        "node 'conv0' (Conv): auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, not SAME",
    ),
    "negative pads": (
        attribute("Conv", pads=[0, -1, 0, 0]),
        (
            "node 'conv0' (Conv): pads must be 4 numbers of at least 0 (top, left, bottom, right), "
            "not [0, -1, 0, 0]"
        ),
    ),
    "strides": (
        attribute("Conv", strides=[0, 1]),
        "node 'conv0' (Conv): kernel_shape and strides must be at least 1",
    ),
    "one stride": (
        attribute("Conv", strides=[1]),
        (
            "node 'conv0' (Conv): strides must have 2 values, not 1; the NPU has two-dimensional "
            "windows only"
        ),
    ),
    "kernel_shape": (
        attribute("Conv", kernel_shape=[2, 3]),
        "node 'conv0' (Conv): kernel_shape [2, 3] differs from the weights' [3, 3]",
    ),
    "weights' zero point": (
        weight_zero_point,
        (
            "node 'dequantizelinear1' (DequantizeLinear): constant 'w2' must have zero point 0, "
            "not 5; quantise with the extra option WeightSymmetric=True"
        ),
    ),
    "weights' type": (
        uint8_weights,
        (
            "node 'dequantizelinear1' (DequantizeLinear): constant 'w2' must be int8 (weights) or "
            "int32 (bias), not uint8; quantise with weight_type=QuantType.QInt8"
        ),
    ),
    "weights' axis": (
        axis_of_weights,
        (
            "node 'conv0' (Conv): 'w2' must have its scales along axis 0, the output channels, not "
            "axis 1"
        ),
    ),
    "activations' type": (
        uint8_activations,
        (
            "node 'quantizelinear0' (QuantizeLinear): activations must be int8, not uint8; "
            "quantise with activation_type=QuantType.QInt8"
        ),
    ),
    "bias' scale": (
        bias_scale,
        (
            "node 'conv0' (Conv): scale of bias 'b5' must be source scale x weight scale "
            "(0.000307709 for channel 0), not 1"
        ),
    ),
    "bias not quantised": (
        float_bias,
        (
            "node 'conv0' (Conv): its bias must be an int32 constant behind DequantizeLinear; "
            "quantise with the extra option QuantizeBias=True"
        ),
    ),
    "accumulator": (
        large_bias,
        (
            "node 'conv0' (Conv): sums of output channel 1 reach from 2147481541 to 2147486131, "
            "beyond the 32 bits of the accumulator; split the layer or use a smaller bias"
        ),
    ),
    "factor": (
        small_scale,
        (
            "node 'conv0' (Conv): source scale x weight scale / result scale is 307.709, but the "
            "NPU's requantiser takes factors above 0 and below 1; quantise the result with a "
            "larger scale or the weights with a smaller one"
        ),
    ),
    "scale of zero": (
        zero_scale,
        "node 'quantizelinear0' (QuantizeLinear): its scale must be above 0 and finite",
    ),
    "two scales": (
        other_scale,
        (
            "node 'dequantizelinear0' (DequantizeLinear): scale and zero point must be those with "
            "which 'quantizelinear0_y' was quantised"
        ),
    ),
    "two inputs": (
        two_inputs,
        "a network must have exactly one input, not 2 ('x', 'z')",
    ),
    "two outputs": (
        two_outputs,
        "a network must have exactly one output, not 2 ('dequantizelinear3_y', 'x')",
    ),
    "output not quantised": (
        float_output,
        (
            "output 'conv0_y' must come from QuantizeLinear, or from DequantizeLinear "
            "or Softmax behind it; "
            "quantise the last operator's result too"
        ),
    ),
    "dynamic size": (
        dynamic_size,
        (
            "input 'x' must have a batch axis and fixed sizes after it, not [N, 2, rows, 6]; "
            "export the model with fixed sizes"
        ),
    ),
    "input not quantised": (
        unquantised,
        (
            "node 'conv0' (Conv): its input 'x' must come from DequantizeLinear; quantise the "
            "network in QDQ form, every operator's input and result"
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_convolution(case: str, tmp_path: Path) -> None:
    change, expected = CASES[case]
    assert message(saved(convolution(), change, tmp_path / "net.onnx")) == expected
