# SPDX-License-Identifier: Apache-2.0
"""TFLite files that are no networks, or none that the NPU can run: one clear error each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.faulty import message, refusals
from tests.compiler.tflite_networks import SAME, TfliteBuilder


def network() -> TfliteBuilder:
    return TfliteBuilder([6, 6, 2]).conv(3, (3, 3)).max_pool((2, 2), (2, 2)).fully_connected(4)


def test_missing_file(tmp_path: Path) -> None:
    assert message(tmp_path / "none.tflite") == "no such file"


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").mkdir()
    assert message(tmp_path / "net.tflite") == "is a folder, not a TFLite file"


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    assert message(tmp_path / "net.h5") == (
        "the name of a network must end in .onnx or .tflite"
    )


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(100)])
def test_not_tflite(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    assert message(path).startswith("not a TFLite model (its bytes 4 to 7 are not TFL3)")


def test_without_tflite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tflite", None)
    assert message(tmp_path / "net.tflite") == (
        "reading TFLite files needs the extra 'tflite': pip install 'cimple[tflite]'"
    )


def branches() -> TfliteBuilder:
    builder = TfliteBuilder([5, 5, 2]).depthwise((3, 3), padding=SAME)
    builder.add(0).pad([(1, 0), (0, 1)]).conv(2, (2, 2)).average_pool((2, 2), (1, 1), SAME)
    return builder.mean().softmax()


@pytest.mark.parametrize("build", [network, branches])
def test_cut_short_or_damaged_anywhere(
    build: Callable[[], TfliteBuilder], tmp_path: Path
) -> None:
    """Whatever a file has become, it is another network or one clear error."""
    path = build().save(tmp_path / "net.tflite")
    data = path.read_bytes()
    variants = [data[:size] for size in range(0, len(data), 13)]
    for place in range(0, len(data), 3):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        variants.append(bytes(changed))
    assert refusals(path, variants) > 100


def changed(builder: TfliteBuilder, tensor: int, **fields: Any) -> TfliteBuilder:
    builder.tensors[tensor].update(fields)
    return builder


@pytest.mark.parametrize(
    ("builder", "text"),
    [
        (changed(network(), 0, kind="UINT8"),
         "the network's input: tensor 'x' must be int8, not uint8; convert with full integer"),
        (changed(network(), 0, scales=np.array([0.1, 0.2]), zeros=np.array([0, 0])),
         "the network's input: tensor 'x' must have one scale above 0, not [0.1"),
        (changed(network(), 0, zeros=np.array([200])),
         "the network's input: tensor 'x' must have a zero point between -128 and 127, not 200"),
        (changed(network(), 0, shape=(2, 6, 6, 2)),
         "the network's input: tensor 'x' must have a batch of 1 and fixed sizes after it, not"),
        (changed(network(), 1, zeros=np.array([0, 3, 0])),
         "node '0' (CONV_2D): weights must have zero point 0, not 3"),
        (changed(network(), 1, scales=np.array([0.1, 0.2]), zeros=np.array([0, 0])),
         "node '0' (CONV_2D): weights must have one scale, or one for each of 3 output channels"),
        (changed(network(), 3, shape=(1, 4, 5, 3)),
         "node '0' (CONV_2D): its result must have the shape [1, 4, 4, 3], not [1, 4, 5, 3]"),
    ],
)
def test_what_the_npu_cannot_run(builder: TfliteBuilder, text: str, tmp_path: Path) -> None:
    assert message(builder.save(tmp_path / "net.tflite")).startswith(text)


def test_an_operator_that_is_not_supported(tmp_path: Path) -> None:
    builder = network()
    builder.operators[1]["kind"] = "L2_POOL_2D"
    assert message(builder.save(tmp_path / "net.tflite")) == (
        "node '1' (L2_POOL_2D): operator L2_POOL_2D is not supported; supported are ADD, "
        "AVERAGE_POOL_2D, CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, MAX_POOL_2D, MEAN, PAD, "
        "PADV2, RELU, RESHAPE, SOFTMAX"
    )


def test_dilation(tmp_path: Path) -> None:
    builder = TfliteBuilder([6, 6, 2]).conv(3, (3, 3), padding=SAME)
    builder.operators[0]["options"][1]["DilationHFactor"] = 0
    assert message(builder.save(tmp_path / "net.tflite")) == (
        "node '0' (CONV_2D): dilations must be at least 1, not [0, 1]"
    )


def test_a_factor_that_the_requantiser_lacks(tmp_path: Path) -> None:
    builder = changed(network(), 3, scales=np.array([1e-9]))
    assert "requantiser takes factors above 0 and below 1" in message(
        builder.save(tmp_path / "net.tflite")
    )
