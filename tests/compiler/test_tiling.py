# SPDX-License-Identifier: Apache-2.0
"""How layers are cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cimple.compiler.layers import Area, Window
from cimple.compiler.tiling import Channels, Pass, tile
from tests.compiler.layered import image, matrix_layer
from tests.compiler.networks import npu


def test_a_layer_that_fits_is_one_piece() -> None:
    layer = matrix_layer(image("x", 9, 9, 1), 4, Window(3, 3))
    tiling = tile(layer, npu(rows=9))
    assert tiling.channels == (Channels(0, 4),)
    assert tiling.passes == (Pass(0, 9),)
    assert tiling.areas == (Area(0, 0, 7, 7),)


def test_partial_sums_cut_the_result_into_rows() -> None:
    layer = matrix_layer(image("x", 5, 6, 13), 4, Window(1, 1))
    # One beat a result, so 16 results: two rows of six.
    tiling = tile(layer, npu(rows=12, partial_sum_words=16))
    assert tiling.passes == (Pass(0, 12), Pass(12, 1))
    assert tiling.areas == (Area(0, 0, 2, 6), Area(2, 0, 2, 6), Area(4, 0, 1, 6))


def test_partial_sums_cut_rows_that_are_too_long() -> None:
    layer = matrix_layer(image("x", 2, 20, 13), 4, Window(1, 1))
    tiling = tile(layer, npu(rows=12, partial_sum_words=16))
    assert tiling.areas == (Area(0, 0, 1, 16), Area(0, 16, 1, 4),
                            Area(1, 0, 1, 16), Area(1, 16, 1, 4))


def test_columns_beyond_the_partial_sums_are_left_alone() -> None:
    layer = matrix_layer(image("x", 1, 1, 13), 40, Window(1, 1))
    tiling = tile(layer, npu(rows=12, columns=32, lanes=1, partial_sum_words=16))
    assert [part.count for part in tiling.channels] == [16, 16, 8]
    assert [part.count for part in tile(layer, npu(rows=13, columns=32)).channels] == [32, 8]


@given(
    st.tuples(st.integers(1, 7), st.integers(1, 30), st.integers(1, 20)), st.integers(1, 20),
    st.integers(1, 3), st.sampled_from([1, 2, 4, 8]), st.integers(1, 17), st.integers(1, 9),
)
def test_pieces_cover_everything_once(
    shape: tuple[int, int, int], outputs: int, kernel: int, lanes: int, rows: int, columns: int
) -> None:
    window = Window(min(kernel, shape[0]), min(kernel, shape[1]))
    layer = matrix_layer(image("x", *shape), outputs, window)
    config = npu(rows=rows, columns=columns, lanes=lanes, partial_sum_words=16)
    tiling = tile(layer, config)
    depth, results = layer.matrix.shape[0], np.zeros((layer.result.height, layer.result.width))
    for area in tiling.areas:
        results[area.y : area.y + area.height, area.x : area.x + area.width] += 1
        assert area.height >= 1
        assert area.width >= 1
    assert np.all(results == 1)
    assert [k for part in tiling.passes for k in range(part.first, part.first + part.depth)] == (
        list(range(depth))
    )
    assert max(part.depth for part in tiling.passes) <= rows
    assert [
        c for part in tiling.channels for c in range(part.first, part.first + part.count)
    ] == list(range(outputs))
    assert max(part.count for part in tiling.channels) <= columns
    if len(tiling.passes) > 1:
        beats = -(-tiling.channels[0].count // lanes)
        assert max(a.height * a.width for a in tiling.areas) * beats <= 16
