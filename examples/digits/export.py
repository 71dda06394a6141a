# SPDX-License-Identifier: Apache-2.0
"""From the trained network to ONNX: the float graph, and onnxruntime's static int8 quantisation.

Nothing volatile goes into a file: no path, date or library version.
"""

import importlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from data import Images, Labels
from google.protobuf.message import DecodeError
from network import Array, Conv, Flatten, Gemm, Layer, MaxPool, Network, Relu
from onnx import TensorProto, helper, numpy_helper, shape_inference
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

OPSET = 17
IR_VERSION = 8
PRODUCER = "cimple examples/digits"
INPUT, OUTPUT = "image", "logits"

# Imported by name, as type checkers cannot look into the compiled module.
state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")

# What `accuracy` and `onnx.load` raise for a file that is no model or not one of this kind.
# onnxruntime's errors have no common base but Exception.
BAD_MODEL = (
    DecodeError,
    ValueError,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NotImplemented,
    state.RuntimeException,
)


def float_model(network: Network, *, metadata: dict[str, str]) -> onnx.ModelProto:
    """The network as a float32 graph: `image` [N, 1, 8, 8] -> `logits` [N, 10]; names conv1, ..."""
    nodes: list[onnx.NodeProto] = []
    initializers: list[onnx.TensorProto] = []
    counts: dict[str, int] = {}
    previous = INPUT
    for index, layer in enumerate(network.layers):
        kind = type(layer).__name__
        counts[kind] = counts.get(kind, 0) + 1
        name = f"{kind.lower()}{counts[kind]}"
        output = OUTPUT if index == len(network.layers) - 1 else f"{name}_out"
        arrays, attributes = _contents(layer)
        tensors = [numpy_helper.from_array(a, f"{name}_{key}") for key, a in arrays.items()]
        inputs = [previous, *(tensor.name for tensor in tensors)]
        nodes.append(helper.make_node(kind, inputs, [output], name, **attributes))
        initializers.extend(tensors)
        previous = output
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", 10])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    return _finish(model, metadata)


def _contents(layer: Layer) -> tuple[dict[str, Array], dict[str, Any]]:
    """A layer's constants in ONNX order (OIHW, output features first) and its node's attributes."""
    match layer:
        case Conv():
            weight = np.ascontiguousarray(layer.weight.value.transpose(3, 2, 0, 1))
            return {"weight": weight, "bias": layer.bias.value}, {
                "kernel_shape": [layer.kernel] * 2,
                "pads": [layer.pad] * 4,
                "strides": [layer.stride] * 2,
            }
        case Gemm():
            weight = np.ascontiguousarray(layer.weight.value.T)
            return {"weight": weight, "bias": layer.bias.value}, {"transB": 1}
        case MaxPool():
            return {}, {"kernel_shape": [2, 2], "strides": [2, 2]}
        case Flatten():
            return {}, {"axis": 1}
        case Relu():
            return {}, {}
    raise TypeError(f"layer must be Conv, Relu, MaxPool, Flatten or Gemm, not {layer!r}")


class _Calibration(CalibrationDataReader):
    """Feeds the calibration images to onnxruntime in one batch; an empty dictionary ends them."""

    def __init__(self, images: Images) -> None:
        self._batches: Iterator[dict[str, Images]] = iter([{INPUT: images}])

    def get_next(self) -> dict[str, Images]:
        return next(self._batches, {})


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop onnxruntime's advice to preprocess: shapes are known and nothing is left to fuse."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def quantise(model: onnx.ModelProto, images: Images) -> onnx.ModelProto:
    """The int8 QDQ form of a float model, activation ranges taken from `images` [N, 1, 8, 8].

    Weights: per output channel, zero point 0, within 7 bits (README.md says why). Activations:
    int8, per tensor, with the zero point that uses the whole range.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        target = Path(folder) / "int8.onnx"
        quantize_static(
            onnx.ModelProto.FromString(model.SerializeToString()),  # it changes what it is given
            target,
            _Calibration(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
        quantised = onnx.load(target)
    return _finish(quantised, {entry.key: entry.value for entry in model.metadata_props})


def _finish(model: onnx.ModelProto, metadata: dict[str, str]) -> onnx.ModelProto:
    """The model with this script's own header and all shapes, checked as a whole."""
    model.ir_version = IR_VERSION
    model.producer_name = PRODUCER
    model.ClearField("producer_version")
    model.ClearField("metadata_props")
    helper.set_model_props(model, metadata)
    # Infer afresh: the quantiser leaves shapes of tensors it took away and none of those it added.
    model.graph.ClearField("value_info")
    model = shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    return model


def accuracy(model: onnx.ModelProto, images: Images, labels: Labels) -> float:
    """Share of `images` whose largest logit is the label's, in onnxruntime's default session."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    logits = np.asarray(session.run([OUTPUT], {INPUT: images})[0])
    return float((logits.argmax(axis=1) == labels).mean())
