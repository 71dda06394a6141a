# SPDX-License-Identifier: Apache-2.0
"""The order of steps and the use of weight banks."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimple.compiler.layers import Layer, MatrixLayer, PoolLayer, Window
from cimple.compiler.schedule import (
    DepthwiseStep,
    MatrixStep,
    Schedule,
    TapSet,
    VectorStep,
    WeightSet,
    schedule,
)
from cimple.compiler.tiling import tile
from tests.compiler.layered import depthwise_layer, image, matrix_layer, pool_layer
from tests.compiler.networks import npu


def plan(layers: Sequence[Layer], **changes: Any) -> Schedule:
    config = npu(**changes)
    tilings = {
        index: tile(layer, config)
        for index, layer in enumerate(layers) if isinstance(layer, MatrixLayer)
    }
    return schedule(layers, tilings, config)


def held(made: Schedule, banks: int) -> None:
    """Play the schedule: every step finds its weights, and no load takes them from a step."""
    contents: dict[int, WeightSet | TapSet] = {}
    users = {n: step for n, step in enumerate(made.steps) if isinstance(step, MatrixStep)}
    last_user = dict.fromkeys(range(banks), -1)
    loads = list(made.loads)
    for number, step in users.items():
        if number in made.fresh:
            load = loads.pop(0)
            assert load.after == (None if last_user[load.bank] < 0 else last_user[load.bank])
            contents[load.bank] = load.weights
        assert contents[made.banks[number]] == step.weights
        last_user[made.banks[number]] = number
    assert loads == []


def test_loads_go_round_the_banks() -> None:
    layer = matrix_layer(image("x", 3, 3, 12), 12, Window(1, 1))
    made = plan([layer], banks=2, columns=4)
    assert [(load.bank, load.after) for load in made.loads] == [(0, None), (1, None), (0, 0)]
    assert made.fresh == {0, 1, 2}


def test_weights_that_are_there_are_not_loaded_again() -> None:
    """Two passes, two banks, three areas: two loads are enough."""
    layer = matrix_layer(image("x", 6, 8, 24), 4, Window(1, 1))
    made = plan([layer], banks=2, partial_sum_words=16)
    assert len(made.steps) == 6
    assert len(made.loads) == 2


def test_areas_go_through_the_passes_to_and_fro() -> None:
    layer = matrix_layer(image("x", 6, 8, 36), 4, Window(1, 1))
    made = plan([layer], banks=1, partial_sum_words=16)
    steps = [step for step in made.steps if isinstance(step, MatrixStep)]
    assert [step.weights.rows.first for step in steps] == [0, 12, 24, 24, 12, 0, 0, 12, 24]
    assert [(step.add_partial, step.keep_partial) for step in steps] == 3 * [
        (False, True), (True, True), (True, False)
    ]
    # The set at each turn stays.
    assert len(made.loads) == 7


def test_pools_use_no_bank() -> None:
    source = image("x", 4, 4, 2)
    pool = pool_layer(source, Window(2, 2, 2, 2))
    layer = matrix_layer(pool.result, 3, Window(1, 1))
    made = plan([pool, layer])
    assert isinstance(made.steps[0], VectorStep)
    assert made.banks == {1: 0}
    assert made.loads[0].after is None


def test_kernels_go_to_and_fro_between_their_two_banks() -> None:
    """Whatever the macro's banks do; each load waits for the last but one before it."""
    source = image("x", 4, 4, 10)
    first = depthwise_layer(source, Window(2, 2))
    layer = matrix_layer(first.result, 10, Window(1, 1))
    second = depthwise_layer(layer.result, Window(1, 1), name="second")
    made = plan([first, layer, second], lanes=4, columns=16, banks=1)
    assert [type(step) for step in made.steps] == (
        3 * [DepthwiseStep] + [MatrixStep] + 3 * [DepthwiseStep]
    )
    kernels = [load for load in made.loads if isinstance(load.weights, TapSet)]
    assert [(load.bank, load.after) for load in kernels] == [
        (0, None), (1, None), (0, 0), (1, 1), (0, 2), (1, 4)
    ]
    assert [made.banks[number] for number in (0, 1, 2, 4, 5, 6)] == [0, 1, 0, 1, 0, 1]
    # In the order of their use.
    assert [load.weights.layer for load in made.loads] == [0, 0, 0, 1, 2, 2, 2]
    assert made.fresh == set(range(7))


@pytest.mark.parametrize("banks", [1, 2, 4])
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 12)), min_size=1, max_size=5))
def test_every_step_finds_its_weights(banks: int, shapes: list[tuple[int, int]]) -> None:
    layers: list[MatrixLayer | PoolLayer] = [
        matrix_layer(image(f"x{n}", 3, 7, channels), outputs, Window(1, 1), name=f"layer{n}")
        for n, (channels, outputs) in enumerate(shapes)
    ]
    made = plan(layers, banks=banks, partial_sum_words=16)
    held(made, banks)
    released = [load.after for load in made.loads if load.after is not None]
    # Tokens are counted, not named: banks must become free in the order of the loads.
    assert released == sorted(set(released))
