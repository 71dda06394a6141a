# SPDX-License-Identifier: Apache-2.0
"""Networks of the shapes of MLPerf Tiny, with random weights under which activations stay alive.

Deep networks would drift: here each layer's scale follows from what LiteRT makes of an image.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from cimple.host.litert import tensors_of
from tests.compiler.tflite_networks import RELU, RELU6, SAME, TfliteBuilder

__all__ = ["autoencoder", "mobilenet"]

#: Strides and channels of MobileNetV1's 13 pairs of depthwise and pointwise layers, at width 1/4.
_PAIRS = (
    (1, 16), (2, 32), (1, 32), (2, 64), (1, 64), (2, 128), *((1, 128),) * 5, (2, 256), (1, 256),
)


class _Measured(TfliteBuilder):
    """The spread of each result is measured, and what a ReLU has cut begins at -128."""

    def __init__(self, shape: list[int], seed: int, path: Path) -> None:
        super().__init__(shape, seed)
        self.path = path
        self.image = self.images(1)[0]

    def _matrix(
        self, shape: tuple[int, ...], per_channel: bool, *, bias: bool, axis: int = 0
    ) -> list[int]:
        """Weights under which sums have a deviation of 2.5: RELU6 cuts few of them."""
        inputs = super()._matrix(shape, per_channel, bias=bias, axis=axis)
        source, weights = (self.tensors[index]["scales"] for index in inputs[:2])
        deviation = np.sqrt(np.prod(shape) / shape[axis]) * 73 * self._deviations[self.current]
        factor = 2.5 / (deviation * source[0] * np.mean(weights))
        for index in inputs[1:]:
            self.tensors[index]["scales"] = (self.tensors[index]["scales"] * factor).astype("f4")
        return inputs

    def _append(self, kind: str, inputs: list[int], result: int, options: Any) -> TfliteBuilder:
        activation = options[1].get("FusedActivationFunction", 0)
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            zero = -128 if activation else int(self.random.integers(-10, 11))
            self.tensors[result]["zeros"] = np.array([zero])
        super()._append(kind, inputs, result, options)
        values = tensors_of(self.save(self.path), self.image)[self.tensors[result]["name"]]
        zero = float(self.tensors[result]["zeros"][0])
        self._deviations[result] = float(np.sqrt(np.mean((values - zero) ** 2)))
        return self


def mobilenet(path: Path) -> TfliteBuilder:
    """MobileNetV1 of width 1/4 on 96 x 96 pixels, two classes, as for visual wake words."""
    builder = _Measured([96, 96, 3], 96, path)
    builder.conv(8, (3, 3), (2, 2), SAME, RELU6)
    for stride, channels in _PAIRS:
        builder.depthwise((3, 3), (stride, stride), SAME, RELU6)
        builder.conv(channels, (1, 1), (1, 1), SAME, RELU6)
    return builder.average_pool((3, 3), (3, 3)).reshape([256]).fully_connected(2).softmax()


def autoencoder(path: Path) -> TfliteBuilder:
    """Ten fully connected layers with a bottleneck of 8, as for anomaly detection."""
    builder = _Measured([640], 640, path)
    for outputs in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        builder.fully_connected(outputs, RELU)
    return builder.fully_connected(640)


def main() -> None:
    """Write both into the directory that is named."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for network in (mobilenet, autoencoder):
        network(directory / "network.tflite").save(directory / f"{network.__name__}.tflite")
    (directory / "network.tflite").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
