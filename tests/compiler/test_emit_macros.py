# SPDX-License-Identifier: Apache-2.0
"""Descriptors for several macros: which of them are loaded with what, and who waits for it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimple.compiler.compile import Compiled, compile_network
from cimple.hdl.npu.isa import Descriptor, Opcode
from tests.compiler.networks import NetworkBuilder, npu


def compiled(builder: NetworkBuilder, directory: Path, **changes: Any) -> Compiled:
    """For four macros of 4 rows and columns; a row group has 4 rows of 8 bytes."""
    config = npu(**{"macros": 4, "rows": 4, "columns": 4, **changes})
    return compile_network(builder.save(directory / "net.onnx"), config)


def of(made: Compiled, opcode: Opcode) -> list[Descriptor]:
    return [descriptor for descriptor in made.descriptors if descriptor.opcode is opcode]


def masks(made: Compiled) -> list[int]:
    return [load["macros"] for load in of(made, Opcode.LOAD_WEIGHTS)]


@pytest.mark.parametrize(("channels", "pixels", "split", "expected"), [
    # One window: of four macros those that have channels.
    (4, 1, 0, [0b0001]),
    (6, 1, 0, [0b0001, 0b0010]),
    (13, 1, 0, [0b0001, 0b0010, 0b0100, 0b1000]),
    (17, 1, 0, [0b0001, 0b0010, 0b0100, 0b1000, 0b0001]),
    # Two windows, each in two neighbours.
    (6, 9, 1, [0b0101, 0b1010]),
    (18, 9, 1, [0b0101, 0b1010, 0b0101, 0b1010, 0b0101]),
    # A window each: all macros at once.
    (3, 9, 2, [0b1111]),
    (12, 49, 2, [0b1111, 0b1111, 0b1111]),
])
def test_the_macros_of_each_load(
    channels: int, pixels: int, split: int, expected: list[int], tmp_path: Path
) -> None:
    builder = NetworkBuilder([3, 1, pixels]).conv(channels, (1, 1))
    made = compiled(builder, tmp_path, banks=1)
    assert masks(made) == expected
    for opcode in (Opcode.COMPUTE, Opcode.REQUANTISE):
        assert {descriptor["split"] for descriptor in of(made, opcode)} == {split}
    assert made.report.layers[0].windows == 1 << split


def test_a_set_s_loads_lie_one_behind_the_other(tmp_path: Path) -> None:
    """13 channels in macros of 4; each macro's part has rows of its own."""
    made = compiled(NetworkBuilder([3, 1, 1]).conv(13, (1, 1)), tmp_path)
    loads = of(made, Opcode.LOAD_WEIGHTS)
    assert [load["address"] for load in loads] == [0, 32, 64, 96]
    assert {(load["group"], load["groups"], load["bank"]) for load in loads} == {(0, 1, 0)}
    stored = np.frombuffer(made.weights, np.int8).reshape(4, 4, 8)
    assert np.count_nonzero(stored, axis=1).astype(bool).tolist() == [
        *3 * [4 * [True] + 4 * [False]], [True] + 7 * [False]
    ]
    (layer,) = made.report.layers
    assert layer.weight_bytes == len(made.weights) == 4 * 32


def test_weights_of_several_windows_are_stored_once(tmp_path: Path) -> None:
    one, four = (
        compiled(NetworkBuilder([3, 1, width]).conv(3, (1, 1)), tmp_path) for width in (1, 9)
    )
    assert (four.report.layers[0].windows, one.report.layers[0].windows) == (4, 1)
    assert four.weights == one.weights


def test_the_last_load_of_a_set_signals_and_the_first_waits(tmp_path: Path) -> None:
    """One bank: the second layer's weights wait for the first's COMPUTE."""
    builder = NetworkBuilder([3, 1, 1]).conv(6, (1, 1)).max_pool((1, 1)).conv(9, (1, 1))
    made = compiled(builder, tmp_path, rows=6, banks=1)
    named = [
        (d.opcode.name, [q.name for q in d.waits_for()], [q.name for q in d.signals()])
        for d in made.descriptors
    ]
    assert named == [
        ("LOAD_WEIGHTS", [], []),
        ("LOAD_WEIGHTS", [], ["COMPUTE"]),
        ("COMPUTE", ["LOAD"], ["LOAD"]),
        ("REQUANTISE", [], []),
        ("LOAD_WEIGHTS", ["COMPUTE"], []),
        ("LOAD_WEIGHTS", [], []),
        ("LOAD_WEIGHTS", [], ["COMPUTE"]),
        ("MAX_POOL", [], ["COMPUTE"]),
        ("COMPUTE", ["LOAD", "VECTOR"], []),
        ("REQUANTISE", [], []),
        ("END", [], []),
    ]
    assert {load["bank"] for load in of(made, Opcode.LOAD_WEIGHTS)} == {0}


def test_one_requantise_takes_all_vectors_of_a_compute(tmp_path: Path) -> None:
    """Also where partial sums cut the result, and where the last round has fewer windows."""
    builder = NetworkBuilder([5, 5, 5]).conv(6, (2, 2))
    made = compiled(builder, tmp_path, banks=2, partial_sum_words=22)
    computes, requantises = of(made, Opcode.COMPUTE), of(made, Opcode.REQUANTISE)
    assert made.report.layers[0].areas == 2
    assert {compute["split"] for compute in computes} == {1}
    for compute, requantise in zip(computes, requantises, strict=True):
        for field in ("split", "out_width", "out_height"):
            assert compute[field] == requantise[field]
    order = [d.opcode for d in made.descriptors if d in computes or d in requantises]
    assert order == [Opcode.COMPUTE, Opcode.REQUANTISE] * len(computes)


def test_one_macro_needs_no_fields_of_several(tmp_path: Path) -> None:
    builder = NetworkBuilder([3, 3, 3]).conv(6, (2, 2))
    made = compile_network(builder.save(tmp_path / "net.onnx"), npu())
    for descriptor in made.descriptors:
        assert not {"macros", "split"} & set(descriptor.values)
