# SPDX-License-Identifier: Apache-2.0
"""The weight memory, byte by byte."""

import numpy as np

from cimple.compiler.layers import Window
from cimple.compiler.schedule import WeightSet, schedule
from cimple.compiler.tiling import tile
from cimple.compiler.weights import place_weights
from tests.compiler.layered import image, matrix_layer
from tests.compiler.networks import npu


def test_rows_are_padded_to_the_port_and_groups_to_their_rows() -> None:
    config = npu(rows=6, columns=3, banks=2, weight_port=4)
    assert config.macro.rows_per_group == 3
    layer = matrix_layer(image("x", 1, 1, 10), 4, Window(1, 1))
    plan = schedule([layer], {0: tile(layer, config)}, config)
    made = place_weights([layer], plan.loads, config)
    matrix = layer.matrix
    for load in plan.loads:
        groups, address = made.place(load.weights)
        assert isinstance(load.weights, WeightSet)
        rows, channels = load.weights.rows, load.weights.channels
        assert groups == -(-rows.depth // 3)
        for group in range(groups):
            for row in range(3):
                data = np.frombuffer(made.data, np.int8, 4, address + 4 * (3 * group + row))
                for column in range(3):
                    k, c = rows.first + 3 * group + row, channels.first + column
                    inside = 3 * group + row < rows.depth and column < channels.count
                    assert data[column] == (matrix[k, c] if inside else 0)
                assert not data[3:].any()
    addresses = [made.place(load.weights)[1] for load in plan.loads]
    assert addresses == sorted(set(addresses))
    assert all(address % config.weight_port == 0 for address in addresses)


def test_a_set_is_stored_once() -> None:
    config = npu(rows=12, partial_sum_words=16)
    layer = matrix_layer(image("x", 6, 8, 24), 4, Window(1, 1))
    plan = schedule([layer], {0: tile(layer, config)}, config)
    made = place_weights([layer], plan.loads, config)
    assert len(plan.loads) > len(made.places) == 2
    assert len(made.data) == 2 * 3 * 4 * 8
