# SPDX-License-Identifier: Apache-2.0
"""Layers made by hand, for tests of the stages behind the front end."""

from dataclasses import replace

import numpy as np

from cimple.compiler.ir import Quantisation
from cimple.compiler.layers import (
    AddLayer,
    ChannelParameters,
    DepthwiseLayer,
    Image,
    MatrixLayer,
    Network,
    PoolLayer,
    Window,
)
from cimple.hdl.npu.isa import Rounding

__all__ = ["add_layer", "chain", "depthwise_layer", "image", "matrix_layer", "pool_layer"]

QUANTISATION = Quantisation(0.5, -3)


def image(name: str, height: int, width: int, channels: int) -> Image:
    """An image whose order in memory is the network's."""
    shape = (channels, height, width)
    return Image(name, height, width, channels, QUANTISATION, shape, channels)


def matrix_layer(
    source: Image, outputs: int, window: Window, *, name: str = "layer", seed: int = 0
) -> MatrixLayer:
    """A convolution without padding at its end."""
    rng = np.random.default_rng(seed)
    height = (source.height + window.pad_top - window.height) // window.stride_y + 1
    width = (source.width + window.pad_left - window.width) // window.stride_x + 1
    depth = window.height * window.width * source.channels
    return MatrixLayer(
        name, "Conv", source, image(f"{name}_y", height, width, outputs), window,
        rng.integers(-128, 128, (depth, outputs)).astype(np.int8),
        rng.integers(-1000, 1000, outputs).astype(np.int32),
        rng.integers(1 << 30, 1 << 31, outputs), rng.integers(0, 32, outputs), (-128, 127),
        Rounding.ONNX,
    )


def pool_layer(source: Image, window: Window, *, name: str = "pool") -> PoolLayer:
    """A pool without padding."""
    height = (source.height - window.height) // window.stride_y + 1
    width = (source.width - window.width) // window.stride_x + 1
    result = image(f"{name}_y", height, width, source.channels)
    return PoolLayer(name, "MaxPool", source, result, window, (-128, 127))


def depthwise_layer(
    source: Image, window: Window, *, name: str = "depthwise", seed: int = 0
) -> DepthwiseLayer:
    """A depthwise convolution without padding."""
    rng = np.random.default_rng(seed)
    result = pool_layer(source, window, name=name).result
    channels = source.channels
    return DepthwiseLayer(
        name, "DEPTHWISE_CONV_2D", source, result, window,
        rng.integers(-128, 128, (window.height * window.width, channels)).astype(np.int8),
        rng.integers(-1000, 1000, channels).astype(np.int32),
        rng.integers(1 << 30, 1 << 31, channels), rng.integers(0, 32, channels), (-128, 127),
        Rounding.TFLITE,
    )


def add_layer(source: Image, other: Image, *, name: str = "add") -> AddLayer:
    """The sum of two images of one shape."""
    result = replace(source, name=f"{name}_y")
    half = ChannelParameters(0, 1 << 30, 0)
    return AddLayer(name, "ADD", source, result, other, (half, half), (-128, 127))


def chain(count: int, *, size: int = 4) -> Network:
    """So many 1x1 convolutions one after another."""
    source = image("x", size, size, 2)
    layers: list[MatrixLayer] = []
    for index in range(count):
        last = layers[-1].result if layers else source
        layer = matrix_layer(last, 2, Window(1, 1), name=f"layer{index}")
        layers.append(replace(layer, result=replace(layer.result, name=f"y{index}")))
    return Network(source, layers[-1].result, tuple(layers), {})
