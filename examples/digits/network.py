# SPDX-License-Identifier: Apache-2.0
"""A small convolutional network in plain NumPy: layers with forward and backward passes, and Adam.

Tensors are float32 and channels last, [N, H, W, C], as one matrix product then does a whole
convolution. Each layer keeps what its backward pass needs from the latest forward pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(eq=False)
class Parameter:
    """A trained array with the gradient of the loss and Adam's two moments, all of one shape."""

    value: Array
    decays: bool

    def __post_init__(self) -> None:
        self.gradient = np.zeros_like(self.value)
        self.mean = np.zeros_like(self.value)
        self.square = np.zeros_like(self.value)


def _he_normal(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    """Normal weights of variance 2 / fan_in: He et al., "Delving Deep into Rectifiers", 2.2."""
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / fan_in))


class Layer:
    """A differentiable step. `parameters` is empty unless the layer is trained."""

    parameters: tuple[Parameter, ...] = ()

    def forward(self, x: Array) -> Array:
        """Output for the batch `x`."""
        raise NotImplementedError

    def backward(self, gradient: Array) -> Array:
        """Gradient at the input, given the one at the output; sets the parameters' gradients."""
        raise NotImplementedError


class Conv(Layer):
    """2-D convolution with bias: [N, H, W, channels] -> [N, OH, OW, filters], zero padding."""

    def __init__(
        self,
        channels: int,
        filters: int,
        *,
        generator: np.random.Generator,
        kernel: int = 3,
        stride: int = 1,
        pad: int = 1,
    ) -> None:
        self.kernel, self.stride, self.pad = kernel, stride, pad
        shape = (kernel, kernel, channels, filters)
        weight = _he_normal(generator, shape, kernel * kernel * channels)
        self.weight = Parameter(weight, decays=True)
        self.bias = Parameter(np.zeros(filters, np.float32), decays=False)
        self.parameters = (self.weight, self.bias)

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        margin = (self.pad, self.pad)
        padded = np.pad(x, ((0, 0), margin, margin, (0, 0)))
        windows = sliding_window_view(padded, (self.kernel, self.kernel), axis=(1, 2))
        windows = windows[:, :: self.stride, :: self.stride].transpose(0, 1, 2, 4, 5, 3)
        self.out_shape = windows.shape[:3]
        filters = self.weight.value.shape[-1]
        self.patches = windows.reshape(-1, self.weight.value.size // filters)
        out = self.patches @ self.weight.value.reshape(-1, filters) + self.bias.value
        return out.reshape(*self.out_shape, filters)

    def backward(self, gradient: Array) -> Array:
        filters = self.weight.value.shape[-1]
        flat = gradient.reshape(-1, filters)
        self.weight.gradient = (self.patches.T @ flat).reshape(self.weight.value.shape)
        self.bias.gradient = flat.sum(axis=0)
        return self._scatter(flat @ self.weight.value.reshape(-1, filters).T)

    def _scatter(self, patches: Array) -> Array:
        """Add the gradients of overlapping windows back onto the input they were cut from."""
        count, height, width, channels = self.x_shape
        rows, columns = self.out_shape[1:]
        windows = patches.reshape(*self.out_shape, self.kernel, self.kernel, channels)
        padded = np.zeros(
            (count, height + 2 * self.pad, width + 2 * self.pad, channels), dtype=np.float32
        )
        for i in range(self.kernel):
            for j in range(self.kernel):
                down = slice(i, i + self.stride * rows, self.stride)
                right = slice(j, j + self.stride * columns, self.stride)
                padded[:, down, right] += windows[:, :, :, i, j]
        return padded[:, self.pad : self.pad + height, self.pad : self.pad + width]


class Relu(Layer):
    """max(x, 0), any shape."""

    def forward(self, x: Array) -> Array:
        self.positive = x > 0
        return np.maximum(x, np.float32(0))

    def backward(self, gradient: Array) -> Array:
        return gradient * self.positive


class MaxPool(Layer):
    """Largest of each 2x2 block: [N, H, W, C] -> [N, H/2, W/2, C]; H and W even."""

    def forward(self, x: Array) -> Array:
        count, height, width, channels = x.shape
        blocks = x.reshape(count, height // 2, 2, width // 2, 2, channels)
        self.blocks = blocks.transpose(0, 1, 3, 5, 2, 4).reshape(
            count, height // 2, width // 2, channels, 4
        )
        self.winner = self.blocks.argmax(axis=-1)[..., np.newaxis]
        return np.take_along_axis(self.blocks, self.winner, axis=-1)[..., 0]

    def backward(self, gradient: Array) -> Array:
        count, rows, columns, channels = gradient.shape
        blocks = np.zeros_like(self.blocks)
        np.put_along_axis(blocks, self.winner, gradient[..., np.newaxis], axis=-1)
        blocks = blocks.reshape(count, rows, columns, channels, 2, 2)
        return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(count, rows * 2, columns * 2, channels)


class Flatten(Layer):
    """[N, H, W, C] -> [N, C * H * W] in channel-first order, which is what ONNX flattens."""

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return x.transpose(0, 3, 1, 2).reshape(len(x), -1)

    def backward(self, gradient: Array) -> Array:
        count, height, width, channels = self.x_shape
        return gradient.reshape(count, channels, height, width).transpose(0, 2, 3, 1)


class Gemm(Layer):
    """Fully connected with bias: [N, features] -> [N, outputs]."""

    def __init__(self, features: int, outputs: int, *, generator: np.random.Generator) -> None:
        weight = _he_normal(generator, (features, outputs), features)
        self.weight = Parameter(weight, decays=True)
        self.bias = Parameter(np.zeros(outputs, np.float32), decays=False)
        self.parameters = (self.weight, self.bias)

    def forward(self, x: Array) -> Array:
        self.x = x
        return x @ self.weight.value + self.bias.value

    def backward(self, gradient: Array) -> Array:
        self.weight.gradient = self.x.T @ gradient
        self.bias.gradient = gradient.sum(axis=0)
        return gradient @ self.weight.value.T


class Network:
    """Layers in sequence."""

    def __init__(self, layers: list[Layer]) -> None:
        self.layers = layers

    @property
    def parameters(self) -> list[Parameter]:
        """All trained arrays, in layer order."""
        return [parameter for layer in self.layers for parameter in layer.parameters]

    def forward(self, x: Array) -> Array:
        """Logits [N, classes] for the channels-last batch `x`."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, gradient: Array) -> None:
        """Set the gradient of every parameter from the loss gradient at the logits."""
        for layer in reversed(self.layers):
            gradient = layer.backward(gradient)


def cross_entropy(logits: Array, labels: NDArray[np.int64]) -> tuple[float, Array]:
    """Mean softmax cross-entropy over the batch, and its gradient at `logits` [N, classes]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(np.maximum(probabilities[rows, labels], np.float32(1e-12))).mean()
    probabilities[rows, labels] -= 1
    return float(loss), probabilities / np.float32(len(labels))


def adam(parameters: Iterable[Parameter], step: int, *, rate: float, decay: float) -> None:
    """One update, in place, with decoupled weight decay; `step` counts from 1.

    Kingma and Ba, "Adam", algorithm 1, with its default moments; Loshchilov and Hutter, "Decoupled
    Weight Decay Regularization", algorithm 2. Biases do not decay.
    """
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    for p in parameters:
        p.mean += np.float32(1 - beta1) * (p.gradient - p.mean)
        p.square += np.float32(1 - beta2) * (p.gradient**2 - p.square)
        mean = p.mean / np.float32(1 - beta1**step)
        square = p.square / np.float32(1 - beta2**step)
        change = mean / (np.sqrt(square) + np.float32(epsilon))
        if p.decays:
            change = change + np.float32(decay) * p.value
        p.value -= np.float32(rate) * change
