# SPDX-License-Identifier: Apache-2.0
"""The graph as a front end leaves it: integer operators between quantised tensors.

Shapes are those of one image, without the batch axis, in the order of the network's format: in ONNX
channels, rows, columns, in TFLite rows, columns, channels. Layouts, tiles and addresses come later
(`layers`).
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..hdl.npu.isa import Rounding

__all__ = [
    "ALL", "Add", "AveragePool", "Clamp", "Convolution", "Depthwise", "FloatSoftmax",
    "FullyConnected", "Graph", "HostOperator", "MOST_CLASSES", "MaxPool", "Mean", "Node",
    "Operator", "Pad", "Pads", "QLinearSoftmax", "Quantisation", "Relu", "Reshape", "Softmax",
    "Tensor", "relu_clamp",
]

#: Values over which TFLite's softmax may go: of more its reference kernel does not define the sum.
MOST_CLASSES = 511

#: The lowest and the highest int8 value that a result may have.
Clamp: TypeAlias = tuple[int, int]

#: Lets every value through.
ALL: Clamp = (-128, 127)


@dataclass(frozen=True)
class Quantisation:
    """What an int8 value stands for: ``scale * (value - zero_point)``.

    The scale is a float32 held exactly; per tensor.
    """

    scale: float
    zero_point: int


def relu_clamp(quantisation: Quantisation) -> Clamp:
    """What a ReLU lets through: from the value that stands for zero on."""
    return max(quantisation.zero_point, ALL[0]), ALL[1]


@dataclass(frozen=True)
class Tensor:
    """An int8 tensor of one image."""

    name: str
    shape: tuple[int, ...]
    quantisation: Quantisation
    #: Of three axes the last one is the channels, and not the first.
    channels_last: bool = False

    @property
    def size(self) -> int:
        """Elements, which are bytes."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Pads:
    """Padding of an image, in pixels; the right and bottom ones follow from the result's shape."""

    top: int = 0
    left: int = 0


@dataclass(frozen=True)
class Operator:
    """An operator with one result and, but for a few, one source."""

    name: str
    #: The operator's name in the network's format, for messages and reports.
    kind: str
    source: Tensor
    result: Tensor

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"node '{self.name}' ({self.kind})"

    @property
    def sources(self) -> tuple[Tensor, ...]:
        """All tensors that it reads."""
        return (self.source,)


@dataclass(frozen=True)
class Convolution(Operator):
    """Correlation with `weights` [out channels, in channels, rows, columns], clamped.

    One weight scale and one int32 bias an output channel; the weights' zero point is 0, the bias'
    scale is the product of the source's and the weights'.
    """

    weights: NDArray[np.int8]
    weight_scales: NDArray[np.float32]
    bias: NDArray[np.int32]
    strides: tuple[int, int]
    pads: Pads
    clamp: Clamp = ALL
    rounding: Rounding = Rounding.ONNX
    #: From a tap to the next, rows and columns.
    dilations: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Depthwise(Operator):
    """Correlation of each channel with its own kernel, `weights` [rows, columns, channels].

    Scales, bias and clamp as in `Convolution`.
    """

    weights: NDArray[np.int8]
    weight_scales: NDArray[np.float32]
    bias: NDArray[np.int32]
    strides: tuple[int, int]
    pads: Pads
    clamp: Clamp = ALL
    rounding: Rounding = Rounding.ONNX
    #: From a tap to the next, rows and columns.
    dilations: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class FullyConnected(Operator):
    """Product with `weights` [inputs, outputs]; scales, bias and clamp as in `Convolution`."""

    weights: NDArray[np.int8]
    weight_scales: NDArray[np.float32]
    bias: NDArray[np.int32]
    clamp: Clamp = ALL
    rounding: Rounding = Rounding.ONNX


@dataclass(frozen=True)
class _Pool(Operator):
    """Over windows of each channel, clamped; taps in the padding do not count."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: Pads
    clamp: Clamp = ALL


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Maximum over windows of each channel, clamped; taps in the padding do not count."""


@dataclass(frozen=True)
class AveragePool(_Pool):
    """Mean over windows of each channel, clamped.

    TFLite's has one scale and rounds halves away from zero. ONNX's has two, and takes float32 sums.
    Taps in the padding do not count: the mean is that of the pixels in the image.
    """

    rounding: Rounding = Rounding.TFLITE_SINGLE
    #: ONNX: divide by all pixels of the window; those in the padding stand for zero.
    counts_padding: bool = False


@dataclass(frozen=True)
class Mean(Operator):
    """Mean of each channel over all rows and columns, clamped.

    Rounded as TFLite's MEAN, or as onnxruntime's integer kernel of GlobalAveragePool does it. With
    `floating` the values are summed as float32, in an order that is not known (ReduceMean).
    """

    clamp: Clamp = ALL
    rounding: Rounding = Rounding.TFLITE
    floating: bool = False


@dataclass(frozen=True)
class Add(Operator):
    """Sum of two tensors of the same shape, each with its own scale.

    Rounded as TFLite's ADD, or as onnxruntime's kernel QLinearAdd.
    """

    other: Tensor
    clamp: Clamp = ALL
    rounding: Rounding = Rounding.TFLITE

    @property
    def sources(self) -> tuple[Tensor, ...]:
        return self.source, self.other


@dataclass(frozen=True)
class Pad(Operator):
    """An image with rows and columns of its zero point around it."""

    pads: Pads


@dataclass(frozen=True)
class Relu(Operator):
    """Maximum with the value that stands for zero."""


@dataclass(frozen=True)
class Reshape(Operator):
    """The same elements in the same order under another shape."""


@dataclass(frozen=True)
class Softmax(Operator):
    """TFLite's softmax along the last axis: exp(beta * x) over the sum of them all.

    The NPU has none: it is the network's last operator, and the host's work.
    """

    beta: float


@dataclass(frozen=True)
class QLinearSoftmax(Operator):
    """onnxruntime's softmax of int8 along the last axis; as `Softmax` the last, and the host's."""


@dataclass(frozen=True)
class FloatSoftmax(Operator):
    """Softmax of what the source stands for along the last axis, as `Softmax` the host's.

    The result is float32, so that its quantisation, the source's, stands for nothing.
    """


#: What the host computes, as the NPU has none.
HostOperator: TypeAlias = Softmax | QLinearSoftmax | FloatSoftmax

Node: TypeAlias = (
    Convolution | Depthwise | FullyConnected | MaxPool | AveragePool | Mean | Add | Pad | Relu
    | Reshape | HostOperator
)


@dataclass(frozen=True)
class Graph:
    """A network with one input and one output; nodes in the order of execution."""

    source: Tensor
    result: Tensor
    #: Names of the input and output that the user sees.
    input_name: str
    output_name: str
    #: Whether they are float32; otherwise they are the int8 tensors themselves.
    float_input: bool
    float_output: bool
    nodes: tuple[Node, ...]
