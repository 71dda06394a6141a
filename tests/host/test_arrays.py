# SPDX-License-Identifier: Apache-2.0
"""Array files: what does not fit the network is refused in one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimple.host.arrays import ArrayError, check_batch, read_batch, write_array
from cimple.host.manifest import Port
from tests.host.programs import small_program


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Port:
    """float32 [batch, 2, 4, 4]."""
    return small_program(tmp_path_factory.mktemp("program")).manifest.input


def test_a_batch(tmp_path: Path, port: Port) -> None:
    batch = np.random.default_rng(0).normal(size=(3, 2, 4, 4)).astype(np.float32)
    write_array(tmp_path / "new" / "x.npy", batch)
    np.testing.assert_array_equal(read_batch(tmp_path / "new" / "x.npy", port), batch)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.npy"]


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_are_converted(dtype: Any, port: Port) -> None:
    batch = check_batch(np.ones((1, 2, 4, 4), dtype), port, "x")
    assert batch.dtype == np.float32


NAN = np.zeros((2, 2, 4, 4))
NAN[1, 0, 2, 3] = np.nan


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((2, 4, 4)), (
            "x: input 'x' must have shape [batch, 2, 4, 4], not [2, 4, 4]; add the batch axis"
        )),
        (np.zeros((1, 2, 4, 5)), (
            "x: input 'x' must have shape [batch, 2, 4, 4], not [1, 2, 4, 5]"
        )),
        (np.zeros(()), "x: input 'x' must have shape [batch, 2, 4, 4], not []"),
        (np.zeros((0, 2, 4, 4)), "x: holds no images"),
        (np.zeros((1, 2, 4, 4), np.uint8), (
            "x: input 'x' must be float32, not uint8; scale the values as in training"
        )),
        (NAN, "x: holds NaN, first at [1, 0, 2, 3]"),
    ],
)
def test_what_is_no_batch(array: Any, expected: str, port: Port) -> None:
    with pytest.raises(ArrayError) as caught:
        check_batch(array, port, "x")
    assert str(caught.value) == expected


def test_int8_networks_take_int8(port: Port) -> None:
    raw = port.model_copy(update={"dtype": "int8"})
    assert check_batch(np.zeros((1, 2, 4, 4), np.int8), raw, "x").dtype == np.int8
    with pytest.raises(ArrayError, match="must be int8, not float32"):
        check_batch(np.zeros((1, 2, 4, 4), np.float32), raw, "x")


def test_files_that_are_no_arrays(tmp_path: Path, port: Port) -> None:
    path = tmp_path / "x.npy"
    no_array = "not a .npy file of numbers, or cut short; write it with numpy.save"
    np.save(path, np.zeros((1, 2, 4, 4), np.float32))
    whole = path.read_bytes()
    contents = {"text": b"1, 2, 3", "empty": b"", "short": whole[:-1], "head": whole[:40]}
    for content in contents.values():
        path.write_bytes(content)
        with pytest.raises(ArrayError) as caught:
            read_batch(path, port)
        assert str(caught.value) == f"{path}: {no_array}"
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ArrayError, match=r"not a \.npy file of numbers"):
        read_batch(path, port)
    np.savez(tmp_path / "x.npz", a=np.zeros(2))
    with pytest.raises(ArrayError, match=r"must hold one array \(\.npy\), not an archive"):
        read_batch(tmp_path / "x.npz", port)
    with pytest.raises(ArrayError, match=r"no\.npy: No such file or directory"):
        read_batch(tmp_path / "no.npy", port)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArrayError, match=r"y\.npy: cannot be written: "):
        write_array(tmp_path / "file" / "y.npy", np.zeros(3))
