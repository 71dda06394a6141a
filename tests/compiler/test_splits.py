# SPDX-License-Identifier: Apache-2.0
"""How many windows are computed at once: cycles that can be worked out by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimple.compiler.layers import MatrixLayer, Window
from cimple.compiler.splits import choose_tiling, estimate
from cimple.compiler.tiling import Channels, macro_parts, tile
from cimple.hdl.npu.config import NpuConfig
from tests.compiler.layered import image, matrix_layer
from tests.compiler.networks import npu


def macros(count: int, **changes: Any) -> NpuConfig:
    """Of 4 columns each: 4 results are one beat, a row of weights is a word and takes a cycle."""
    fields = {"rows": 4, "columns": 4, "cell": "bitcell", "activation_port": 8, **changes}
    return npu(macros=count, **fields)


def pixels(height: int, width: int, outputs: int, channels: int = 4) -> MatrixLayer:
    return matrix_layer(image("x", height, width, channels), outputs, Window(1, 1))


def cycles(layer: MatrixLayer, config: NpuConfig) -> list[int]:
    """The estimate for each split."""
    splits = range(config.most_split + 1)
    return [estimate(layer, tile(layer, config, split), config) for split in splits]


def test_channels_of_one_macro_leave_the_others_to_further_windows() -> None:
    layer, config = pixels(5, 5, 4), macros(4, banks=2)
    assert cycles(layer, config) == [25 * 8, 13 * 8, 7 * 8]
    assert choose_tiling(layer, config).split == 2


def test_equal_cycles_are_computed_with_the_smaller_split() -> None:
    """All columns or all windows: one tile for each window, or two for both."""
    layer, config = pixels(4, 5, 8), macros(2, banks=2)
    assert cycles(layer, config) == [20 * 8, 2 * 10 * 8]
    assert choose_tiling(layer, config).split == 0


def test_an_odd_number_of_tiles_leaves_no_macro_without_work() -> None:
    """12 channels are two tiles of 8 columns, the second half empty, or three of 4."""
    layer, config = pixels(4, 5, 12), macros(2, banks=2)
    assert cycles(layer, config) == [2 * 20 * 8, 3 * 10 * 8]
    assert choose_tiling(layer, config).split == 1


def test_the_feeder_has_all_windows_of_a_round_to_read() -> None:
    """32 bytes are four reads: two windows in the time of a vector, four in that of two."""
    layer, config = pixels(4, 4, 4, channels=32), macros(4, banks=2, rows=32)
    assert cycles(layer, config) == [16 * 8, 8 * 8, 4 * 16]
    assert choose_tiling(layer, config).split == 1


def test_the_lanes_have_all_results_of_a_round() -> None:
    """4 results in lanes of one are 4 beats."""
    layer, config = pixels(4, 5, 4), macros(4, banks=2, lanes=1)
    assert cycles(layer, config) == [20 * 8, 10 * 8, 5 * 16]
    assert choose_tiling(layer, config).split == 1


def test_one_window_is_not_split() -> None:
    layer, config = pixels(1, 1, 3), macros(4)
    assert choose_tiling(layer, config).split == 0


@pytest.mark.parametrize(("banks", "split", "expected"), [
    (1, 1, [40 + 2 * 8, 40 + 8]),
    # The load takes longer than either, and nothing waits for the computing.
    (2, 0, [40, 40]),
])
def test_loads_are_hidden_behind_a_second_bank(
    banks: int, split: int, expected: list[int]
) -> None:
    layer = pixels(1, 2, 4, channels=40)
    config = macros(2, banks=banks, rows=40, activation_port=32)
    assert cycles(layer, config) == expected
    assert choose_tiling(layer, config).split == split


def test_each_macro_of_a_window_is_loaded() -> None:
    """8 channels are two macros, one after the other, or one of each window, twice."""
    layer = pixels(1, 1, 8)
    assert cycles(layer, macros(2, banks=1)) == [2 * 4 + 8, 2 * (4 + 8)]
    # A table of 16 entries is filled while the next macro is written; its last entry is stored a
    # cycle later.
    lookup = macros(2, banks=1, cell="lookup")
    assert cycles(layer, lookup) == [2 * 4 + 17 + 8, 2 * (4 + 17 + 8)]


def test_partial_sums_hold_more_windows_of_fewer_channels() -> None:
    layer = pixels(4, 8, 16, channels=8)
    config = macros(4, partial_sum_words=16)
    areas = [len(tile(layer, config, split).areas) for split in range(3)]
    # 4, 2 and 1 words a window: 4, 8 and 16 windows.
    assert areas == [8, 4, 2]


def test_a_tile_s_channels_in_the_macros_of_a_window() -> None:
    config = macros(4)
    assert macro_parts(Channels(16, 9), config) == (
        Channels(16, 4), Channels(20, 4), Channels(24, 1)
    )
    layer = pixels(2, 2, 9)
    assert [tile(layer, config, split).channels for split in range(3)] == [
        (Channels(0, 9),),
        (Channels(0, 8), Channels(8, 1)),
        (Channels(0, 4), Channels(4, 4), Channels(8, 1)),
    ]


@given(st.integers(1, 40), st.integers(1, 9), st.sampled_from([1, 2, 4, 8]), st.integers(1, 3))
def test_parts_of_tiles_cover_all_channels_once(
    outputs: int, depth: int, count: int, words: int
) -> None:
    """Also where the partial sums of a window leave columns alone."""
    layer = pixels(2, 2, outputs, channels=depth)
    config = macros(count, partial_sum_words=16, lanes=min(words, 2), columns=2 * words)
    for split in range(config.most_split + 1):
        tiling = tile(layer, config, split)
        parts = [macro_parts(channels, config) for channels in tiling.channels]
        assert max(len(each) for each in parts) <= count >> split
        assert [c for each in parts for part in each
                for c in range(part.first, part.first + part.count)] == list(range(outputs))
        assert max(part.count for each in parts for part in each) <= config.macro.columns
