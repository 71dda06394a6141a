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


@pytest.mark.parametrize(("channels", "pixels", "split", "expected"), [
    # One window: of four macros those that have channels, one after the other.
    (4, 1, 0, [(0b0001, 1)]),
    (6, 1, 0, [(0b0001, 2)]),
    (13, 1, 0, [(0b0001, 4)]),
    (17, 1, 0, [(0b0001, 4), (0b0001, 1)]),
    # Two windows, each in two neighbours.
    (6, 9, 1, [(0b0101, 2)]),
    (18, 9, 1, [(0b0101, 2), (0b0101, 2), (0b0101, 1)]),
    # A window each: all macros at once.
    (3, 9, 2, [(0b1111, 1)]),
    (12, 49, 2, [(0b1111, 1), (0b1111, 1), (0b1111, 1)]),
])
def test_the_macros_of_each_load(
    channels: int, pixels: int, split: int, expected: list[tuple[int, int]], tmp_path: Path
) -> None:
    builder = NetworkBuilder([3, 1, pixels]).conv(channels, (1, 1))
    made = compiled(builder, tmp_path, banks=1)
    loads = of(made, Opcode.LOAD_WEIGHTS)
    assert [(load["macros"], load["parts"]) for load in loads] == expected
    for opcode in (Opcode.COMPUTE, Opcode.REQUANTISE):
        assert {descriptor["split"] for descriptor in of(made, opcode)} == {split}
    assert made.report.layers[0].windows == 1 << split


def test_row_groups_of_a_set_lie_in_turn(tmp_path: Path) -> None:
    """13 channels in macros of 4, two row groups of 4 rows: first the first of each macro."""
    made = compiled(NetworkBuilder([7, 1, 1]).conv(13, (1, 1)), tmp_path, rows=8)
    (load,) = of(made, Opcode.LOAD_WEIGHTS)
    assert [load[name] for name in ("address", "group", "groups", "bank")] == [0, 0, 2, 0]
    stored = np.frombuffer(made.weights, np.int8).reshape(2, 4, 4, 8)
    has_weights = np.count_nonzero(stored, axis=2).astype(bool)
    assert has_weights.tolist() == 2 * [
        [*3 * [4 * [True] + 4 * [False]], [True] + 7 * [False]]
    ]
    # The eighth row is none of the window's.
    assert np.count_nonzero(stored, axis=3)[:, 0].astype(bool).tolist() == [
        4 * [True], 3 * [True] + [False]
    ]
    (layer,) = made.report.layers
    assert layer.weight_bytes == len(made.weights) == 2 * 4 * 32


def test_weights_of_several_windows_are_stored_once(tmp_path: Path) -> None:
    one, four = (
        compiled(NetworkBuilder([3, 1, width]).conv(3, (1, 1)), tmp_path) for width in (1, 9)
    )
    assert (four.report.layers[0].windows, one.report.layers[0].windows) == (4, 1)
    assert four.weights == one.weights


def test_a_set_is_one_load(tmp_path: Path) -> None:
    """One bank: the second layer's weights wait for the first's COMPUTE."""
    builder = NetworkBuilder([3, 1, 1]).conv(6, (1, 1)).max_pool((1, 1)).conv(9, (1, 1))
    made = compiled(builder, tmp_path, rows=6, banks=1)
    named = [
        (d.opcode.name, [q.name for q in d.waits_for()], [q.name for q in d.signals()])
        for d in made.descriptors
    ]
    assert named == [
        ("LOAD_WEIGHTS", [], ["COMPUTE"]),
        ("COMPUTE", ["LOAD"], ["LOAD"]),
        ("REQUANTISE", [], []),
        ("LOAD_WEIGHTS", ["COMPUTE"], ["COMPUTE"]),
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
        assert not {"macros", "parts", "split"} & set(descriptor.values)
