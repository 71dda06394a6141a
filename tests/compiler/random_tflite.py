# SPDX-License-Identifier: Apache-2.0
"""TFLite networks of random operators and shapes, branches included."""

import numpy as np

from tests.compiler.tflite_networks import SAME, TfliteBuilder

__all__ = ["random_network"]


def random_network(seed: int) -> TfliteBuilder:
    """Up to five operators on images, then perhaps a mean, fully connected layers, a softmax."""
    return _Random(seed).network()


class _Random:
    def __init__(self, seed: int) -> None:
        self.source = np.random.default_rng(seed)
        sizes = [self.number(3, 12), self.number(3, 12), self.number(1, 10)]
        self.builder = TfliteBuilder(sizes, seed)

    def number(self, low: int, high: int) -> int:
        """From `low` to below `high`."""
        return int(self.source.integers(low, high))

    def network(self) -> TfliteBuilder:
        parts = [self._convolution, self._depthwise, self._pool, self._residual, self._padded]
        for _ in range(self.number(1, 6)):
            self.source.choice(np.array(parts, object), p=[0.25, 0.2, 0.2, 0.25, 0.1])()
        if self.source.random() < 0.3:
            self.builder.mean(keep=self.source.random() < 0.5)
        if self.source.random() < 0.6:
            self._fully_connected()
        return self.builder

    def _window(self) -> tuple[tuple[int, int], tuple[int, int], int, int]:
        """Kernel, strides, padding, activation."""
        height, width, _ = self.builder.shape
        kernel = self.number(1, min(4, height) + 1), self.number(1, min(4, width) + 1)
        return kernel, (self.number(1, 3), self.number(1, 3)), self.number(0, 2), self.number(0, 4)

    def _convolution(self) -> None:
        channels, per_channel = self.number(1, 20), self.source.random() < 0.8
        self.builder.conv(channels, *self._window(), per_channel=per_channel)

    def _depthwise(self) -> None:
        one = self.builder.shape[2] == 1
        self.builder.depthwise(
            *self._window(), per_channel=self.source.random() < 0.8,
            multiplier=self.number(1, 6) if one else 1,
        )

    def _pool(self) -> None:
        average = self.source.random() < 0.6
        pool = self.builder.average_pool if average else self.builder.max_pool
        pool(*self._window())

    def _residual(self) -> None:
        """A branch of one or two layers, and the image before it, or another branch of it."""
        builder, fork = self.builder, self.builder.current
        channels = builder.shape[2]
        for _ in range(self.number(0, 3)):
            kernel = self.number(1, 4), self.number(1, 4)
            if self.source.random() < 0.5:
                builder.depthwise(kernel, padding=SAME, activation=self.number(0, 4))
            else:
                builder.conv(channels, kernel, padding=SAME, activation=self.number(0, 4))
        other = fork
        if self.source.random() < 0.4:
            branch = builder.current
            other = builder.go_back(fork).conv(channels, (1, 1)).current
            builder.go_back(branch)
        builder.add(other, self.number(0, 4))

    def _padded(self) -> None:
        amounts = [[self.number(0, 3), self.number(0, 3)] for _ in range(2)]
        zero = int(self.builder.tensors[self.builder.current]["zeros"][0])
        self.builder.pad(amounts, value=zero if self.source.random() < 0.3 else None)
        self._depthwise() if self.source.random() < 0.5 else self._convolution()

    def _fully_connected(self) -> None:
        if self.source.random() < 0.5:
            self.builder.reshape([int(np.prod(self.builder.shape))])
        for _ in range(self.number(1, 3)):
            self.builder.fully_connected(
                self.number(1, 20), self.number(0, 4), per_channel=self.source.random() < 0.3,
                bias=self.source.random() < 0.8,
            )
        if self.source.random() < 0.5:
            self.builder.softmax(float(self.source.choice([1.0, 0.5])))
