# SPDX-License-Identifier: Apache-2.0
"""Small int8 networks as TFLite files: random weights, with scales under which results spread."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.compiler.tflite_writer import tflite_bytes

__all__ = ["TfliteBuilder"]

NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
SAME, VALID = range(2)


class TfliteBuilder:
    """Operators from an int8 input of `shape`, rows x columns x channels or one size.

    Each takes the result of the one before; `add` another one too, and `go_back` begins a branch.
    """

    def __init__(self, shape: list[int], seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.shape: Any = tuple(shape)
        self.input_shape = self.shape
        self.tensors: list[dict[str, Any]] = []
        self.operators: list[dict[str, Any]] = []
        #: The spread of each activation's values around their zero point.
        self._deviations: dict[int, float] = {}
        self.current = self._activation("x", self.shape)
        self._deviations[self.current] = 74.0

    def go_back(self, tensor: int) -> "TfliteBuilder":
        """Continue from an earlier `current`."""
        self.current = tensor
        self.shape = self.tensors[tensor]["shape"][1:]
        return self

    def conv(
        self, channels: int, kernel: tuple[int, int], strides: tuple[int, int] = (1, 1),
        padding: int = VALID, activation: int = NONE, *, per_channel: bool = True,
        dilations: tuple[int, int] = (1, 1),
    ) -> "TfliteBuilder":
        height, width, depth = self.shape
        inputs = self._matrix((channels, *kernel, depth), per_channel, bias=True)
        self.shape = (*_sizes((height, width), kernel, strides, padding, dilations), channels)
        options = ("Conv2DOptions", {
            "Padding": padding, "StrideH": strides[0], "StrideW": strides[1],
            "FusedActivationFunction": activation, "DilationHFactor": dilations[0],
            "DilationWFactor": dilations[1]})
        return self._product("CONV_2D", inputs, options, kernel[0] * kernel[1] * depth)

    def depthwise(
        self, kernel: tuple[int, int], strides: tuple[int, int] = (1, 1), padding: int = VALID,
        activation: int = NONE, *, per_channel: bool = True, multiplier: int = 1,
        dilations: tuple[int, int] = (1, 1),
    ) -> "TfliteBuilder":
        height, width, depth = self.shape
        channels = depth * multiplier
        inputs = self._matrix((1, *kernel, channels), per_channel, bias=True, axis=3)
        self.shape = (*_sizes((height, width), kernel, strides, padding, dilations), channels)
        options = ("DepthwiseConv2DOptions", {
            "Padding": padding, "StrideH": strides[0], "StrideW": strides[1],
            "FusedActivationFunction": activation, "DepthMultiplier": multiplier,
            "DilationHFactor": dilations[0], "DilationWFactor": dilations[1]})
        return self._product("DEPTHWISE_CONV_2D", inputs, options, kernel[0] * kernel[1])

    def add(self, other: int, activation: int = NONE) -> "TfliteBuilder":
        """The sum with an earlier `current`, which stands first or second."""
        inputs = [self.current, other][:: self.random.choice([1, -1])]
        result = self._activation(f"y{len(self.operators)}", self.shape)
        spreads = [self._deviations[i] * float(self.tensors[i]["scales"][0]) for i in inputs]
        self._spread(result, math.hypot(*spreads))
        return self._append(
            "ADD", [int(index) for index in inputs], result,
            ("AddOptions", {"FusedActivationFunction": activation}),
        )

    def mean(self, *, keep: bool = False, axes: tuple[int, ...] = (1, 2)) -> "TfliteBuilder":
        height, width, depth = self.shape
        source, index = self.current, self._constant("axes", np.array(axes, np.int32), None)
        self.shape = (1, 1, depth) if keep else (depth,)
        result = self._activation(f"y{len(self.operators)}", self.shape)
        scale, pixels = float(self.tensors[source]["scales"][0]), height * width
        # Not so small that sums would have to be scaled up.
        least = 1.1 * 50 * scale / pixels
        self._spread(result, max(self._deviations[source] * scale / math.sqrt(pixels), least))
        return self._append(
            "MEAN", [source, index], result, ("ReducerOptions", {"KeepDims": keep})
        )

    def pad(self, amounts: Any, *, value: int | None = None) -> "TfliteBuilder":
        """Rows and columns around: ((top, bottom), (left, right)); PADV2 if a value is given."""
        (top, bottom), (left, right) = amounts
        height, width, depth = self.shape
        self.shape = (height + top + bottom, width + left + right, depth)
        table = np.array([(0, 0), *amounts, (0, 0)], np.int32)
        inputs = [self.current, self._constant("pads", table, None)]
        if value is None:
            return self._same_scale("PAD", inputs, ("PadOptions", {}))
        inputs.append(self._constant("value", np.array([value], np.int8), None))
        for field in ("scales", "zeros"):
            self.tensors[inputs[-1]][field] = self.tensors[self.current][field]
        return self._same_scale("PADV2", inputs, ("PadV2Options", {}))

    def softmax(self, beta: float = 1.0) -> "TfliteBuilder":
        result = self._activation(f"y{len(self.operators)}", self.shape)
        self.tensors[result].update(
            scales=np.array([1 / 256], np.float32), zeros=np.array([-128])
        )
        self._deviations[result] = 50.0
        return self._append("SOFTMAX", [self.current], result, ("SoftmaxOptions", {"Beta": beta}))

    def fully_connected(
        self, outputs: int, activation: int = NONE, *, per_channel: bool = False, bias: bool = True
    ) -> "TfliteBuilder":
        size = int(np.prod(self.shape))
        inputs = self._matrix((outputs, size), per_channel, bias=bias)
        self.shape = (outputs,)
        options = ("FullyConnectedOptions", {"FusedActivationFunction": activation})
        return self._product("FULLY_CONNECTED", inputs, options, size)

    def average_pool(
        self, kernel: tuple[int, int], strides: tuple[int, int], padding: int = VALID,
        activation: int = NONE,
    ) -> "TfliteBuilder":
        self.max_pool(kernel, strides, padding, activation)
        self.operators[-1]["kind"] = "AVERAGE_POOL_2D"
        smaller = self._deviations[self.current] / float(np.sqrt(np.prod(kernel)))
        self._deviations[self.current] = max(smaller, 5.0)
        return self

    def max_pool(
        self, kernel: tuple[int, int], strides: tuple[int, int], padding: int = VALID,
        activation: int = NONE,
    ) -> "TfliteBuilder":
        height, width, depth = self.shape
        self.shape = (*_sizes((height, width), kernel, strides, padding), depth)
        options = ("Pool2DOptions", {"Padding": padding, "StrideH": strides[0],
                                     "StrideW": strides[1], "FilterHeight": kernel[0],
                                     "FilterWidth": kernel[1],
                                     "FusedActivationFunction": activation})
        return self._same_scale("MAX_POOL_2D", [self.current], options)

    def reshape(self, shape: list[int]) -> "TfliteBuilder":
        self.shape = tuple(shape)
        wanted = np.array([1, *shape], np.int32)
        index = self._constant("shape", wanted, None)
        return self._same_scale(
            "RESHAPE", [self.current, index], ("ReshapeOptions", {"NewShape": wanted})
        )

    def images(self, count: int) -> NDArray[np.int8]:
        return self.random.integers(-128, 128, (count, *self.input_shape), dtype=np.int8)

    def save(self, path: Path) -> Path:
        path.write_bytes(tflite_bytes(self.tensors, self.operators, self.current))
        return path

    def results(self) -> list[dict[str, Any]]:
        """The tensors that the NPU makes: no views of others, no padded images, no softmax."""
        return [self.tensors[operator["output"]] for operator in self.operators
                if operator["kind"] not in ("RESHAPE", "PAD", "PADV2", "SOFTMAX")]

    # Tensors and operators ----------------------------------------------------------------------

    def _activation(self, name: str, shape: tuple[int, ...]) -> int:
        scale = np.float32(self.random.uniform(0.01, 0.1))
        zero = (-128, 127, 0, int(self.random.integers(-128, 128)))[self.random.integers(4)]
        self.tensors.append({"name": name, "shape": (1, *shape), "kind": "INT8", "values": None,
                             "scales": np.array([scale]), "zeros": np.array([zero])})
        return len(self.tensors) - 1

    def _constant(
        self, name: str, values: NDArray[Any], scales: NDArray[np.float32] | None
    ) -> int:
        self.tensors.append({
            "name": f"{name}{len(self.tensors)}", "shape": values.shape, "values": values,
            "kind": values.dtype.name.upper(), "scales": scales,
            "zeros": None if scales is None else np.zeros(len(scales), np.int64),
        })
        return len(self.tensors) - 1

    def _matrix(
        self, shape: tuple[int, ...], per_channel: bool, *, bias: bool, axis: int = 0
    ) -> list[int]:
        weights = self.random.integers(-127, 128, shape, dtype=np.int8)
        channels = shape[axis]
        scales = self.random.uniform(0.5, 1.5, channels if per_channel else 1)
        scales = (0.01 * scales).astype(np.float32)
        inputs = [self.current, self._constant("w", weights, scales)]
        self.tensors[inputs[1]]["axis"] = axis
        if bias:
            terms = np.prod(shape) / channels
            spread = int(np.sqrt(terms) * 73 * self._deviations[self.current]) + 1
            values = self.random.integers(-spread, spread, channels).astype(np.int32)
            source = self.tensors[self.current]["scales"][0]
            inputs.append(self._constant("b", values, source * scales))
        return inputs

    def _product(self, kind: str, inputs: list[int], options: Any, terms: float) -> "TfliteBuilder":
        source = float(self.tensors[self.current]["scales"][0])
        weights = float(np.mean(self.tensors[inputs[1]]["scales"]))
        result = self._activation(f"y{len(self.operators)}", self.shape)
        deviation = float(np.sqrt(terms)) * 73 * self._deviations[self.current]
        self._spread(result, deviation * source * weights)
        return self._append(kind, inputs, result, options)

    def _spread(self, result: int, deviation: float) -> None:
        """A scale under which so large a deviation is about 50 steps."""
        self.tensors[result]["scales"] = np.array([deviation / 50], np.float32)
        self._deviations[result] = 50.0

    def _same_scale(self, kind: str, inputs: list[int], options: Any) -> "TfliteBuilder":
        result = self._activation(f"y{len(self.operators)}", self.shape)
        for field in ("scales", "zeros"):
            self.tensors[result][field] = self.tensors[self.current][field]
        self._deviations[result] = self._deviations[self.current]
        return self._append(kind, inputs, result, options)

    def _append(
        self, kind: str, inputs: list[int], result: int, options: Any
    ) -> "TfliteBuilder":
        self.operators.append(
            {"kind": kind, "inputs": inputs, "output": result, "options": options}
        )
        self.current = result
        return self


def _sizes(
    image: tuple[int, int], kernel: tuple[int, int], strides: tuple[int, int], padding: int,
    dilations: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    first, second = (
        -(-size // stride) if padding == SAME else (size - (taps - 1) * apart - 1) // stride + 1
        for size, taps, stride, apart in zip(image, kernel, strides, dilations, strict=True)
    )
    return first, second
