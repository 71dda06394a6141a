# SPDX-License-Identifier: Apache-2.0
"""What the compiler takes, from its own tables."""

from md_pieces import code, table

from cimple.compiler.onnx_file import SUPPORTED

__all__ = ["operators"]


def operators() -> str:
    """Every ONNX operator that a network may have, with its conditions."""
    missing = set(SUPPORTED) ^ set(_CONDITIONS)
    assert not missing, f"operators without conditions, or the other way round: {missing}"
    rows = ((code(name), _CONDITIONS[name]) for name in SUPPORTED)
    return table(["Operator", "Conditions"], rows)


_WINDOW = (
    "two spatial axes; any kernel, strides and padding (`pads`, or `auto_pad` of `VALID`, "
    "`SAME_UPPER`, `SAME_LOWER`); dilations of 1"
)
_WEIGHTS = "int8 weights with zero point 0, scales per tensor or per output channel; int32 bias"

_CONDITIONS = {
    "QuantizeLinear": "int8; one scale and one zero point for the tensor",
    "DequantizeLinear": "int8 activations; constants: int8 weights and int32 biases, zero point 0",
    "Conv": f"{_WINDOW}; `group` 1; {_WEIGHTS}",
    "Gemm": f"`alpha` and `beta` 1, `transA` 0; {_WEIGHTS}",
    "MatMul": "a matrix of constant weights, as in `Gemm`",
    "Add": "only as the bias of a `MatMul`, before its result is quantised",
    "Relu": "behind another operator (folded into its clamp) or alone; one scale before and after",
    "MaxPool": f"{_WINDOW}; `ceil_mode` 0; no second output; one scale before and after",
    "Flatten": "`axis` 1: keeps the batch axis",
    "Reshape": "a constant shape that keeps the batch axis",
    "Constant": "gives constants to the operators above",
}
