# SPDX-License-Identifier: Apache-2.0
"""What the compiler takes, from its own tables."""

from collections.abc import Iterable, Mapping

from md_pieces import code, table

from cimple.compiler.ir import MOST_CLASSES
from cimple.compiler.onnx_file import SUPPORTED
from cimple.compiler.onnx_forms import INTEGER_OPERATORS
from cimple.compiler.tflite_operators import BUILDERS

__all__ = ["operators", "tflite_operators"]


def operators() -> str:
    """Every ONNX operator that a network may have, with its conditions."""
    return _table(SUPPORTED, _CONDITIONS)


def tflite_operators() -> str:
    """Every TFLite operator that a network may have, with its conditions."""
    return _table(BUILDERS, _TFLITE_CONDITIONS)


def _table(names: Iterable[str], conditions: Mapping[str, str]) -> str:
    names = list(names)
    missing = set(names) ^ set(conditions)
    assert not missing, f"operators without conditions, or the other way round: {missing}"
    return table(["Operator", "Conditions"], ((code(name), conditions[name]) for name in names))


_WINDOW = (
    "two spatial axes; any kernel, strides and padding (`pads`, or `auto_pad` of `VALID`, "
    "`SAME_UPPER`, `SAME_LOWER`)"
)
_POOLED = f"{_WINDOW}; `ceil_mode` 0; dilations 1"
_WEIGHTS = "int8 weights with zero point 0, scales per tensor or per output channel; int32 bias"

_CONDITIONS = {
    "QuantizeLinear": "int8; one scale and one zero point for the tensor",
    "DequantizeLinear": "int8 activations; constants: int8 weights and int32 biases, zero point 0",
    "Conv": (
        f"{_WINDOW}; any dilations; `group` 1, or the number of input and of output channels; "
        f"{_WEIGHTS}"
    ),
    "Gemm": f"`alpha` and `beta` 1, `transA` 0; {_WEIGHTS}",
    "MatMul": "a matrix of constant weights, as in `Gemm`",
    "Add": (
        "two int8 results of other nodes, of one shape, with scales for which the NPU's sum is "
        "exact; or the bias of a `MatMul`, before its result is quantised"
    ),
    "Relu": "behind another operator (folded into its clamp) or alone; one scale before and after",
    "MaxPool": f"{_POOLED}; no second output; one scale before and after",
    "AveragePool": (
        f"{_POOLED}; of a whole image as `GlobalAveragePool`; smaller windows where no sum "
        "is too close to a half, as for odd numbers of pixels and one scale before and after"
    ),
    "GlobalAveragePool": "an image of at most 255 rows and columns",
    "ReduceMean": (
        "over rows and columns of an image, kept as axes or not, where no sum is too close to a "
        "half; rather `GlobalAveragePool`"
    ),
    "Pad": (
        "rows and columns of an image with what stands for zero, where only convolutions read the "
        "result: they take the padding into their windows"
    ),
    "Flatten": "`axis` 1: keeps the batch axis",
    "Reshape": "a constant shape that keeps the batch axis",
    "Softmax": "last operator, quantised or not; along the last axis; runs on the host",
    **{
        name: f"as `{form.kind}`; zero points given"
        + ("; no `channels_last`" if "Average" in form.kind else "")
        + ("; `opset` given" if form.kind == "Softmax" else "")
        for name, form in INTEGER_OPERATORS.items()
    },
    "Constant": "gives constants to the operators above",
}

_SLIDING = "padding SAME or VALID, any stride"

_TFLITE_CONDITIONS = {
    "ADD": "two results of other nodes, of one shape; each may have its own scale; `x + x` too",
    "AVERAGE_POOL_2D": f"{_SLIDING}; at most 255 rows and columns; one scale before and after",
    "CONV_2D": f"{_SLIDING} and dilation",
    "DEPTHWISE_CONV_2D": (
        f"{_SLIDING} and dilation; depth multiplier 1, or any for an image of one channel; with "
        "more than `taps` of the NPU in a kernel on the array only"
    ),
    "FULLY_CONNECTED": "default format of the weights",
    "MAX_POOL_2D": f"{_SLIDING}; at most 255 rows and columns; one scale before and after",
    "MEAN": "over rows and columns of an image, at most 255 of each, kept as axes or not",
    "PAD": (
        "rows and columns of an image, where only convolutions read the result: they take the "
        "padding into their windows"
    ),
    "PADV2": "as `PAD`; the value is the zero point",
    "RELU": "one scale before and after",
    "RESHAPE": "",
    "SOFTMAX": (
        f"last operator; at most {MOST_CLASSES} elements in the last axis; input scale x `beta` "
        "above 2**-26; result of scale 1/256 and zero point -128; runs on the host"
    ),
}
