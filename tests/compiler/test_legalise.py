# SPDX-License-Identifier: Apache-2.0
"""From a graph to layers: orders in memory, folded ReLU."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cimple.compiler.ir import MaxPool, Pads
from cimple.compiler.layers import MatrixLayer, Network, PoolLayer
from cimple.compiler.legalise import legalise
from cimple.compiler.onnx_graph import read_onnx_int8
from tests.compiler.networks import NetworkBuilder


def legalised(builder: NetworkBuilder, directory: Path) -> Network:
    return legalise(read_onnx_int8(builder.save(directory / "net.onnx")))


def weights(builder: NetworkBuilder) -> np.ndarray:
    from onnx import numpy_helper

    first = next(t for t in builder.constants if t.name.startswith("w"))
    return numpy_helper.to_array(first)


def test_rows_of_the_matrix_are_bytes_of_the_window(tmp_path: Path) -> None:
    builder = NetworkBuilder([3, 5, 5]).conv(4, (2, 3))
    (layer,) = legalised(builder, tmp_path).layers
    assert isinstance(layer, MatrixLayer)
    stored = weights(builder)
    for row in range(2):
        for column in range(3):
            for channel in range(3):
                k = (row * 3 + column) * 3 + channel
                assert layer.matrix[k].tolist() == stored[:, channel, row, column].tolist()


def test_a_fully_connected_layer_behind_an_image_has_its_inputs_in_memorys_order(
    tmp_path: Path,
) -> None:
    builder = NetworkBuilder([3, 2, 2]).flatten().gemm(4)
    (layer,) = legalised(builder, tmp_path).layers
    assert isinstance(layer, MatrixLayer)
    stored = weights(builder)
    for channel in range(3):
        for pixel in range(4):
            row = layer.matrix[3 * pixel + channel]
            assert row.tolist() == stored[4 * channel + pixel].tolist()


def test_relu_behind_an_operator_is_its_clamp(tmp_path: Path) -> None:
    builder = NetworkBuilder([3, 5, 5]).conv(4, (1, 1), relu=True)
    (layer,) = legalised(builder, tmp_path).layers
    assert layer.clamp == (builder.zero_point, 127)


def test_relu_between_equal_scales_is_the_clamp_of_the_layer_before(tmp_path: Path) -> None:
    builder = NetworkBuilder([3, 5, 5]).conv(4, (1, 1)).relu()
    (layer,) = legalised(builder, tmp_path).layers
    assert layer.clamp == (builder.zero_point, 127)
    assert layer.result.name == builder.tensor


def test_relu_of_the_input_is_a_layer(tmp_path: Path) -> None:
    network = legalised(NetworkBuilder([3, 2, 2]).relu(), tmp_path)
    (layer,) = network.layers
    assert isinstance(layer, PoolLayer)
    assert (layer.window.height, layer.window.width, layer.clamp) == (1, 1, (-11, 127))


def test_relu_behind_a_flatten_is_a_layer(tmp_path: Path) -> None:
    network = legalised(NetworkBuilder([3, 2, 2]).conv(2, (1, 1)).flatten().relu(), tmp_path)
    assert [type(layer) for layer in network.layers] == [MatrixLayer, PoolLayer]
    assert network.storage(network.layers[1].source) == network.layers[0].result.name


def test_reshaping_the_input_is_the_hosts_work(tmp_path: Path) -> None:
    network = legalised(NetworkBuilder([18]).reshape(2, 3, 3).conv(2, (1, 1)), tmp_path)
    assert (network.source.shape, network.source.interleave) == ((18,), 2)
    assert len(network.layers) == 1


def test_one_channel_or_one_pixel_needs_no_other_order(tmp_path: Path) -> None:
    """Both orders are the same then, so that a Reshape is free."""
    builder = NetworkBuilder([2, 3, 3]).conv(1, (1, 1)).reshape(9).reshape(9, 1, 1).conv(2, (1, 1))
    assert len(legalised(builder, tmp_path).layers) == 2


def test_relu_of_what_others_read_too_is_a_layer(tmp_path: Path) -> None:
    builder = NetworkBuilder([2, 2, 2]).conv(2, (1, 1)).relu()
    graph = read_onnx_int8(builder.save(tmp_path / "net.onnx"))
    convolution, relu = graph.nodes
    pooled = replace(convolution.result, name="pooled")
    pool = MaxPool("pool", "MaxPool", convolution.result, pooled, (1, 1), (1, 1), Pads())
    forked = replace(graph, nodes=(convolution, relu, pool), result=pooled)
    layers = legalise(forked).layers
    assert [layer.name for layer in layers] == ["conv0", "relu0", "pool"]
    assert layers[0].clamp == (-128, 127)
