# SPDX-License-Identifier: Apache-2.0
"""ONNX's integer operators (QOperator form): each as the operator whose int8 form it is.

All have value, scale and zero point of an input one after another, and at their end scale and zero
point of the result.
"""

from dataclasses import dataclass

__all__ = ["INTEGER_OPERATORS", "ON_INT8", "IntegerOperator"]


@dataclass(frozen=True)
class IntegerOperator:
    """Places of its inputs: values, whose scale and zero point come next; None where it has none.
    """

    #: The operator that it computes.
    kind: str
    #: Scale of the result.
    result: int
    weights: int | None = None
    #: Values alone: its scale is the product of the source's and the weights'.
    bias: int | None = None
    other: int | None = None


INTEGER_OPERATORS = {
    "QLinearConv": IntegerOperator("Conv", result=6, weights=3, bias=8),
    "QLinearMatMul": IntegerOperator("MatMul", result=6, weights=3),
    "com.microsoft.QGemm": IntegerOperator("Gemm", result=7, weights=3, bias=6),
    "com.microsoft.QLinearAdd": IntegerOperator("Add", result=6, other=3),
    "com.microsoft.QLinearAveragePool": IntegerOperator("AveragePool", result=3),
    "com.microsoft.QLinearGlobalAveragePool": IntegerOperator("GlobalAveragePool", result=3),
    "com.microsoft.QLinearSoftmax": IntegerOperator("Softmax", result=3),
}

#: Operators that take int8 tensors as they are; the result's scale is the source's.
ON_INT8 = ("MaxPool", "Relu", "Pad", "Flatten", "Reshape")
