# SPDX-License-Identifier: Apache-2.0
"""Files that are no networks: one clear error each, whatever is in them."""

from pathlib import Path

import pytest

from tests.compiler.faulty import message, refusals
from tests.compiler.networks import NetworkBuilder


def convolution() -> NetworkBuilder:
    return NetworkBuilder([2, 6, 6]).conv(3, (3, 3))


def test_missing_file(tmp_path: Path) -> None:
    assert message(tmp_path / "none.onnx") == "no such file"


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    assert message(tmp_path / "net.onnx") == "is a folder, not an ONNX file"


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(100), b"\x08\x08"])
def test_not_onnx(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    expected = "not an ONNX model, or cut short; export or copy it again"
    assert message(path) == expected


def test_cut_short_anywhere(tmp_path: Path) -> None:
    """Whatever is left of a file, the compiler says something about it."""
    path = convolution().save(tmp_path / "net.onnx")
    data = path.read_bytes()
    for size in range(0, len(data), 7):
        path.write_bytes(data[:size])
        assert message(path)


def test_damaged_anywhere(tmp_path: Path) -> None:
    """A changed byte gives another network or one clear error."""
    path = convolution().save(tmp_path / "net.onnx")
    data = path.read_bytes()
    variants = []
    for place in range(0, len(data), 5):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        variants.append(bytes(changed))
    assert refusals(path, variants) > 100


@pytest.mark.parametrize(
    ("name", "shown"), [(b"co\xffv0", r"b'co\xffv0_y'"), (b"co\nv0", "'co\\nv0_y'")]
)
def test_names_that_are_no_text(name: bytes, shown: str, tmp_path: Path) -> None:
    path = convolution().save(tmp_path / "net.onnx")
    path.write_bytes(path.read_bytes().replace(b"conv0_y", name + b"_y"))
    assert message(path) == f"not a valid ONNX model: {shown} is no name"


def test_without_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert message(tmp_path / "net.onnx") == (
        "reading ONNX files needs the extra 'onnx': pip install 'cimple[onnx]'"
    )
