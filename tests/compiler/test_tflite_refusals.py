# SPDX-License-Identifier: Apache-2.0
"""What the vector engine's TFLite operators cannot be: one clear error each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.faulty import message
from tests.compiler.tflite_networks import RELU6, SAME, TfliteBuilder


def built() -> TfliteBuilder:
    return TfliteBuilder([6, 6, 2])


def result(builder: TfliteBuilder, **fields: Any) -> TfliteBuilder:
    """The last tensor, changed."""
    builder.tensors[builder.current].update(fields)
    return builder


def option(builder: TfliteBuilder, name: str, value: Any) -> TfliteBuilder:
    builder.operators[-1]["options"][1][name] = value
    return builder


def constant_operand() -> TfliteBuilder:
    builder = built()
    index = builder._constant("c", np.zeros((1, 6, 6, 2), np.int8), np.ones(1, np.float32))
    builder.add(0)
    builder.operators[-1]["inputs"] = [0, index]
    return builder


def other_shape() -> TfliteBuilder:
    builder = built()
    return builder.conv(2, (3, 3)).add(0)


def padded_pool() -> TfliteBuilder:
    return built().pad([(1, 1), (1, 1)]).max_pool((2, 2), (2, 2))


def padded_padded() -> TfliteBuilder:
    return built().pad([(1, 1), (1, 1)]).pad([(1, 1), (1, 1)]).conv(3, (3, 3))


def padded_channels() -> TfliteBuilder:
    builder = built().pad([(1, 1), (1, 1)])
    builder.tensors[builder.operators[-1]["inputs"][1]]["values"][3] = (0, 1)
    return result(builder, shape=(1, 8, 8, 3))


def rescaled(builder: TfliteBuilder) -> TfliteBuilder:
    return result(builder, scales=np.array([7.0]), zeros=np.array([3]))


def softmax_with_a_second_user() -> TfliteBuilder:
    """The network's result, but something reads it that leads nowhere."""
    builder = built().fully_connected(4).softmax()
    result_index = builder.current
    builder.add(result_index)
    builder.current = result_index
    return builder


CASES = {
    "multiplier": (
        built().depthwise((3, 3), multiplier=2),
        (
            "node '0' (DEPTHWISE_CONV_2D): depth multiplier must be 1 for an image of 2 channels, "
            "not 2; use a CONV_2D, or 2 layers with multiplier 1"
        ),
    ),
    "depthwise dilation": (
        option(built().depthwise((3, 3)), "DilationWFactor", 0),
        (
            "node '0' (DEPTHWISE_CONV_2D): dilations must be at least 1, not [1, 0]"
        ),
    ),
    "average pool's scale": (
        rescaled(built().average_pool((2, 2), (2, 2))),
        "node '0' (AVERAGE_POOL_2D): its input and result must have the same scale and zero point",
    ),
    "pool too large": (
        TfliteBuilder([1, 300, 1]).average_pool((1, 256), (1, 1)),
        (
            "node '0' (AVERAGE_POOL_2D): too large for a descriptor: AVERAGE_POOL.kernel_width "
            "must be between 0 and 255, not 256"
        ),
    ),
    "a constant added": (
        constant_operand(),
        (
            "node '0' (ADD): both its inputs must be results of earlier nodes, not constants; add "
            "a constant as the bias of the layer before"
        ),
    ),
    "shapes of an addition": (
        other_shape(),
        "node '1' (ADD): both inputs and its result must have one shape, not [1, ",
    ),
    "scale of a sum": (
        result(built().add(0), scales=np.array([1e-9])),
        "node '0' (ADD): 2 x the larger source scale / result scale / 2**20 is ",
    ),
    "axes of a mean": (
        built().mean(axes=(1,)),
        (
            "node '0' (MEAN): its axes must be the constants 1 and 2, rows and columns, not [1]; "
            "use AVERAGE_POOL_2D for other windows"
        ),
    ),
    "scale of a mean": (
        result(built().mean(), scales=np.array([1e-5])),
        "node '0' (MEAN): source scale / result scale / pixels is ",
    ),
    "pad before a pool": (
        padded_pool(),
        (
            "node '0' (PAD): its result must go to convolutions, which take the padding into their "
            "windows, not to node '1' (MAX_POOL_2D); pad before a convolution only"
        ),
    ),
    "pad before a pad": (
        padded_padded(),
        (
            "node '0' (PAD): its result must go to convolutions, which take the padding into their "
            "windows, not to node '1' (PAD)"
        ),
    ),
    "pad at the end": (
        built().conv(2, (1, 1)).pad([(1, 1), (0, 0)]),
        (
            "node '1' (PAD): its result must go to convolutions, which take the padding into their "
            "windows, not to the network's output"
        ),
    ),
    "pad of channels": (
        padded_channels(),
        (
            "node '0' (PAD): only rows and columns can be padded, by 0 or more, not [[0, 0], [1, "
            "1], [1, 1], [0, 1]]"
        ),
    ),
    "pad's value": (
        built().pad([(1, 1), (1, 1)], value=77).conv(3, (3, 3)),
        "node '0' (PADV2): it must pad with ",
    ),
    "softmax in the middle": (
        built().fully_connected(4).softmax().fully_connected(3),
        (
            "node '1' (SOFTMAX): must be the network's last operator, as it runs on the host; "
            "leave out what comes behind it"
        ),
    ),
    "softmax with a second user": (
        softmax_with_a_second_user(),
        "node '1' (SOFTMAX): must be the network's last operator, as it runs on the host; ",
    ),
    "a scale next to zero": (
        result(built().conv(2, (1, 1), activation=RELU6), scales=np.array([1.2e-38])),
        "node '0' (CONV_2D): source scale x weight scale / result scale is ",
    ),
    "softmax's scale": (
        rescaled(built().fully_connected(4).softmax()),
        "node '1' (SOFTMAX): its result must have scale 1/256 and zero point -128, not 7 and 3",
    ),
    "softmax's beta": (
        built().fully_connected(4).softmax(float("nan")),
        "node '1' (SOFTMAX): its input's scale x beta must be above 2**-26 and finite, not nan",
    ),
    "softmax of many": (
        TfliteBuilder([600]).softmax(),
        (
            "node '0' (SOFTMAX): its input and result must have one shape of at most 511 elements "
            "in the last axis, not [1, 600] and [1, 600]"
        ),
    ),
    "a result made twice": (
        built().conv(2, (1, 1)).conv(2, (1, 1), padding=SAME),
        "node '1' (CONV_2D): its result 'y0' is there before; convert the model again",
    ),
}
CASES["a result made twice"][0].operators[1]["output"] = CASES["a result made twice"][
    0].operators[0]["output"]


@pytest.mark.parametrize("case", CASES)
def test_refusals(case: str, tmp_path: Path) -> None:
    builder, text = CASES[case]
    assert message(builder.save(tmp_path / "net.tflite")).startswith(text)
