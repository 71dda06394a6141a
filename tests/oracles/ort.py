# SPDX-License-Identifier: Apache-2.0
"""onnxruntime's own integer kernels, one node at a time: what ONNX rounding means in practice.

Each function builds a model of one node and runs it with every optimisation off, so that no other
kernel takes the node's place. Tensors are int8, weights have zero point 0, biases are int32 in
units of ``x_scale * w_scale``.

On x86 processors without VNNI instructions onnxruntime multiplies unsigned by signed bytes with
16-bit saturation. Signed by signed bytes, as here, do not saturate: the tests were run with 8-bit
weights at their extremes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

__all__ = [
    "encode_scale", "max_pool", "qgemm", "qlinear", "qlinear_conv", "qlinear_matmul", "run_node",
]

Int8 = NDArray[np.int8]

_TYPES = {
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.float32): TensorProto.FLOAT,
}


def run_node(
    operator: str,
    inputs: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, Any] | None = None,
    *,
    dtype: Any = np.int8,
    domain: str = "",
) -> NDArray[Any]:
    """The one output, of type `dtype`, of an operator; `inputs` in the operator's order."""
    node = helper.make_node(operator, list(inputs), ["y"], domain=domain, **(attributes or {}))
    graph = helper.make_graph(
        [node],
        operator,
        [helper.make_tensor_value_info(n, _TYPES[v.dtype], v.shape) for n, v in inputs.items()],
        [helper.make_tensor_value_info("y", _TYPES[np.dtype(dtype)], None)],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    return _run(model, inputs)


def _run(model: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, dict(inputs))[0])


def qlinear_conv(
    x: Int8,
    w: Int8,
    bias: NDArray[np.int32] | None,
    scales: tuple[float, Sequence[float] | float, float],
    zero_points: tuple[int, int],
    *,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
) -> Int8:
    """QLinearConv of `x` (N, C, H, W) and `w` (M, C, KH, KW).

    `scales` are those of x, w (one, or one a channel) and y; `zero_points` those of x and y.
    """
    inputs = _quantised(("x", x), ("w", w), scales, zero_points)
    if bias is not None:
        inputs["b"] = bias
    return run_node("QLinearConv", inputs, {"strides": strides, "pads": pads})


def qlinear_matmul(
    x: Int8,
    w: Int8,
    scales: tuple[float, Sequence[float] | float, float],
    zero_points: tuple[int, int],
) -> Int8:
    """QLinearMatMul of `x` (N, K) and `w` (K, M); scales and zero points as in `qlinear_conv`."""
    return run_node("QLinearMatMul", _quantised(("x", x), ("w", w), scales, zero_points))


def qgemm(
    x: Int8,
    w: Int8,
    bias: NDArray[np.int32],
    scales: tuple[float, Sequence[float] | float, float],
    zero_points: tuple[int, int],
) -> Int8:
    """QGemm of `x` (N, K) and `w` (K, M); scales and zero points as in `qlinear_conv`."""
    named = _quantised(("x", x), ("w", w), scales, zero_points)
    order = ("x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "b", "y_scale", "y_zero")
    inputs = {name: bias if name == "b" else named[name] for name in order}
    return run_node("QGemm", inputs, domain="com.microsoft")


def max_pool(
    x: Int8,
    kernel: Sequence[int],
    *,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
) -> Int8:
    """MaxPool of `x` (N, C, H, W)."""
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads}
    return run_node("MaxPool", {"x": x}, attributes)


def qlinear(
    operator: str,
    sources: Sequence[tuple[Int8, Any]],
    result: Any,
    attributes: Mapping[str, Any] | None = None,
) -> Int8:
    """An operator of onnxruntime's own on int8 tensors, as QLinearAdd; each with `scale` and
    `zero_point` of an object that has them."""
    inputs: dict[str, NDArray[Any]] = {}
    for place, (values, quantisation) in enumerate((*sources, (None, result))):
        if values is not None:
            inputs[f"x{place}"] = values
        inputs[f"scale{place}"] = np.asarray(quantisation.scale, np.float32)
        inputs[f"zero{place}"] = np.asarray(quantisation.zero_point, np.int8)
    return run_node(operator, inputs, attributes, domain="com.microsoft")


def encode_scale(x_scale: Any, w_scale: Any, y_scale: Any) -> tuple[Any, Any]:
    """Multiplier and shift of the scale that the kernels derive, element by element.

    Each operation is rounded to float32, as theirs are. The scale must be in 2**-32 to 1 (1 not
    included) or the pair would not fit its fields.
    """
    product = np.float32(x_scale) * np.asarray(w_scale, np.float32)
    scale = product / np.float32(y_scale)
    mantissa, exponent = np.frexp(scale)
    assert np.all((exponent <= 0) & (exponent >= -31)), "scale out of range"
    return (mantissa * 2.0**31).astype(np.int64), -exponent.astype(np.int64)


def _quantised(
    x: tuple[str, Int8],
    w: tuple[str, Int8],
    scales: tuple[float, Sequence[float] | float, float],
    zero_points: tuple[int, int],
) -> dict[str, NDArray[Any]]:
    """Inputs in the order that QLinearConv and QLinearMatMul share."""
    w_scale = np.asarray(scales[1], np.float32)
    return {
        "x": x[1],
        "x_scale": np.asarray(scales[0], np.float32),
        "x_zero": np.asarray(zero_points[0], np.int8),
        "w": w[1],
        "w_scale": w_scale,
        "w_zero": np.zeros(w_scale.shape, np.int8),
        "y_scale": np.asarray(scales[2], np.float32),
        "y_zero": np.asarray(zero_points[1], np.int8),
    }
