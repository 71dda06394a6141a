# SPDX-License-Identifier: Apache-2.0
"""Which engine computes a depthwise layer: the vector engine's lanes, or the array.

On the array a depthwise convolution is a convolution whose matrix has zeros wherever a column's
channel is another than the row's. That multiplies `channels` times as often, but on as many columns
and windows at once as there are; the lanes have a tap of up to `lanes` channels a cycle. So layers
of few channels are often faster on the array, at most the first ones of a network. The cycle model
decides, with each layer's program by itself.

A kernel of more taps than the vector engine holds goes to the array in any case.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..hdl.npu.config import NpuConfig
from ..verif.timing.npu import predict
from .bounds import PLANES, bounds
from .errors import ModelError
from .layers import DepthwiseLayer, Layer, MatrixLayer, Network
from .scales import fold_bias
from .single import layer_program
from .splits import choose_tiling, estimate

__all__ = ["array_form", "engine_choices"]

#: A form whose bound is so many times the other's is not looked at further.
_HOPELESS = 2


def engine_choices(network: Network, config: NpuConfig) -> Iterator[Network]:
    """A network with its depthwise layers where they are fastest, then ever fewer on the array.

    The array's form of a layer takes more of the weight memory. For networks that do not fit then
    it is given up layer by layer, the one that it gains the least first; the last network has only
    those on the array that the vector engine cannot compute.
    """
    forms: dict[int, MatrixLayer] = {}
    gains: dict[int, int] = {}
    for index, layer in enumerate(network.layers):
        if not isinstance(layer, DepthwiseLayer):
            continue
        if layer.kernels.shape[0] > config.taps:
            forms[index] = array_form(layer)
        elif _has_hope(layer, config):
            form = array_form(layer)
            gain = _gain(layer, form, network, config)
            if gain > 0:
                forms[index], gains[index] = form, gain
    least_first = sorted(gains, key=lambda index: gains[index])
    for given_up in range(len(gains) + 1):
        moved = forms.keys() - least_first[:given_up]
        layers = (
            forms[index] if index in moved else layer
            for index, layer in enumerate(network.layers)
        )
        yield replace(network, layers=tuple(layers))


def array_form(layer: DepthwiseLayer) -> MatrixLayer:
    """The same layer as products of windows and a matrix.

    Its sums take the source's bytes as 0 to 255 where the lanes take them as they are.
    """
    window, channels = layer.window, layer.source.channels
    kernels = layer.kernels.reshape(window.height, window.width, channels)
    if window.columns > 1:
        kernels = kernels.transpose(1, 0, 2)
    blocks = kernels.reshape(-1, channels, 1) * np.eye(channels, dtype=np.int8)
    matrix = np.ascontiguousarray(blocks.reshape(-1, channels))
    return MatrixLayer(
        layer.name, layer.kind, layer.source, layer.result, window, matrix,
        fold_bias(layer.bias, matrix, zero_point=0), layer.multiplier, layer.shift, layer.clamp,
        layer.rounding, groups=channels,
    )


def _has_hope(layer: DepthwiseLayer, config: NpuConfig) -> bool:
    """Whether the multiplications alone, zeros included, leave the array a chance."""
    peak = config.macro.rows * config.columns / PLANES
    return layer.macs * layer.source.channels / peak < _HOPELESS * _least(layer, config)


def _least(layer: DepthwiseLayer, config: NpuConfig) -> int:
    """Cycles below which the lanes cannot be."""
    return max(bounds(layer, (), config).values())


def _gain(
    layer: DepthwiseLayer, form: MatrixLayer, network: Network, config: NpuConfig
) -> int:
    """Cycles that the array saves, each form by itself; 0 or less where it saves none."""
    estimated = estimate(form, choose_tiling(form, config), config)
    if estimated >= _HOPELESS * _least(layer, config):
        return 0
    try:
        return _cycles(layer, network, config) - _cycles(form, network, config)
    except ModelError:
        return 0


def _cycles(layer: Layer, network: Network, config: NpuConfig) -> int:
    return predict(config, layer_program(layer, network, config).descriptors).cycles
