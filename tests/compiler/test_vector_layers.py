# SPDX-License-Identifier: Apache-2.0
"""Parameters of the vector engine's layers, against their definitions."""

import numpy as np
import pytest

from cimple.compiler.ir import Add, AveragePool, Mean, Pads, Quantisation, Tensor
from cimple.compiler.layers import Area, ChannelParameters, Window
from cimple.compiler.vector_layers import add_layer, average_layer, average_parameters, mean_layer
from cimple.hdl.npu.isa import Rounding
from cimple.verif.golden.numerics import scale
from tests.compiler.layered import image


def quotients(sums: np.ndarray, count: int) -> np.ndarray:
    """As C divides: TFLite adds half of the count, away from zero, and cuts off."""
    return np.sign(sums) * ((np.abs(sums) + count // 2) // count)


def divided(sums: np.ndarray, parameters: ChannelParameters) -> np.ndarray:
    return scale(
        sums, parameters.bias, parameters.multiplier, parameters.shift, Rounding.TFLITE_SINGLE
    )


@pytest.mark.parametrize("first", range(1, 257, 32))
def test_every_sum_of_up_to_256_values_is_divided_exactly(first: int) -> None:
    for count in range(first, first + 32):
        sums = np.arange(-128 * count, 127 * count + 1)
        np.testing.assert_array_equal(
            divided(sums, average_parameters(count)), quotients(sums, count), str(count)
        )


@pytest.mark.parametrize("count", [257, 1023, 1024, 1025, 4095, 32767, 65025, (1 << 22) - 1])
def test_large_counts_at_ties_and_extremes(count: int) -> None:
    """Around every half near the ends, where the multiplier's error is multiplied most."""
    ends = np.array([-128 * count, 127 * count])
    halves = (2 * np.arange(-128, 127) + 1) * count // 2
    sums = (np.concatenate([ends, halves])[:, None] + np.arange(-2, 3)).ravel()
    sums = sums[(sums >= ends[0]) & (sums <= ends[1])]
    np.testing.assert_array_equal(
        divided(sums, average_parameters(count)), quotients(sums, count)
    )


def test_a_multiplier_that_is_the_reciprocal_or_less_would_not_do() -> None:
    """Half of -1 must become -1: half up makes it 0."""
    exact = ChannelParameters(0, 1 << 30, 0)
    assert divided(np.array([-1, 1]), exact).tolist() == [0, 1]
    assert divided(np.array([-1, 1]), average_parameters(2)).tolist() == [-1, 1]


def pool(kernel: tuple[int, int], strides: tuple[int, int], pads: Pads) -> AveragePool:
    tensor = Tensor("x", (5, 6, 3), Quantisation(0.5, -3), channels_last=True)
    return AveragePool("p", "AVERAGE_POOL_2D", tensor, tensor, kernel, strides, pads)


def test_parts_of_an_average_pool_by_hand() -> None:
    """3x3 over 5x6 with a pixel of padding around: corners of 4, edges of 6, the rest of 9."""
    window = Window(3, 3, 1, 1, 1, 1)
    node = pool((3, 3), (1, 1), Pads(1, 1))
    made = average_layer(node, image("x", 5, 6, 3), image("y", 5, 6, 3), window)
    four, six, nine = (average_parameters(count) for count in (4, 6, 9))
    assert made.parts == (
        (Area(0, 0, 1, 1), four), (Area(0, 1, 1, 4), six), (Area(0, 5, 1, 1), four),
        (Area(1, 0, 3, 1), six), (Area(1, 1, 3, 4), nine), (Area(1, 5, 3, 1), six),
        (Area(4, 0, 1, 1), four), (Area(4, 1, 1, 4), six), (Area(4, 5, 1, 1), four),
    )


def test_without_padding_there_is_one_part() -> None:
    made = average_layer(
        pool((2, 3), (2, 3), Pads()), image("x", 5, 6, 3), image("y", 2, 2, 3), Window(2, 3, 2, 3)
    )
    assert made.parts == ((Area(0, 0, 2, 2), average_parameters(6)),)


def test_an_addition_by_hand() -> None:
    """Scales 1 and 1/2: to the common scale of 2 the bytes take a half, exact, and a quarter."""
    tensors = [
        Tensor(name, (4,), Quantisation(factor, zero))
        for name, factor, zero in (("a", 1.0, -5), ("b", 0.5, 7), ("y", 1.5, 0))
    ]
    node = Add("s", "ADD", tensors[0], tensors[2], tensors[1])
    images = [image(t.name, 1, 1, 4) for t in tensors]
    images = [
        type(i)(i.name, 1, 1, 4, t.quantisation, (4,), 1)
        for i, t in zip(images, tensors, strict=True)
    ]
    last = round(2 / 1.5 / 2**20 * 2 ** (31 + 19))
    for source, other in ((0, 1), (1, 0)):
        made = add_layer(node, images[source], images[other], images[2])
        assert made.parameters == (
            ChannelParameters(-7 << 20, 1 << 30, 1), ChannelParameters(5 << 19, last, 19),
        )
        assert made.sources == (images[0], images[1])


def test_a_mean_s_multiplier_is_divided_and_cut_off() -> None:
    tensor = Tensor("x", (5, 6, 3), Quantisation(0.5, -3), channels_last=True)
    node = Mean("m", "MEAN", tensor, tensor)
    made = mean_layer(node, image("x", 5, 6, 3), image("y", 1, 1, 3))
    ((area, parameters),) = made.parts
    assert area == Area(0, 0, 1, 1)
    # Equal scales are 2**30 * 2**1; 30 pixels take 4 bits.
    assert parameters == ChannelParameters(90, (1 << 34) // 30, 3)
    assert made.rounding is Rounding.TFLITE
    assert made.zero_point == -3
