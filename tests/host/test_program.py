# SPDX-License-Identifier: Apache-2.0
"""Program files: equal bytes for equal contents, and nothing damaged gets through."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimple.host.program import ProgramFile, ProgramFileError
from tests.host.programs import small_program

CURE = "compile the network again"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return small_program(tmp_path_factory.mktemp("program")).to_bytes()


def error(data: bytes) -> str:
    with pytest.raises(ProgramFileError) as caught:
        ProgramFile.from_bytes(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def repacked(data: bytes, change: Callable[[dict[str, bytes]], None], **options: Any) -> bytes:
    """The file with its members changed, and all checksums right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def with_manifest(data: bytes, change: Callable[[Any], None]) -> bytes:
    def rewrite(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        change(manifest)
        members["manifest.json"] = json.dumps(manifest).encode()

    return repacked(data, rewrite)


def test_what_is_written_is_read(tmp_path: Path, data: bytes) -> None:
    program = ProgramFile.from_bytes(data)
    program.save(tmp_path / "deep" / "net.cim")
    assert ProgramFile.load(tmp_path / "deep" / "net.cim") == program
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["net.cim"]


def test_equal_contents_are_equal_bytes(tmp_path: Path, data: bytes) -> None:
    assert small_program(tmp_path).to_bytes() == data
    assert ProgramFile.from_bytes(data).to_bytes() == data


def test_every_single_changed_byte_is_noticed_or_harmless(data: bytes) -> None:
    program = ProgramFile.from_bytes(data)
    rng = np.random.default_rng(7)
    harmless = 0
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << rng.integers(8)
        try:
            loaded = ProgramFile.from_bytes(bytes(changed))
        except ProgramFileError:
            continue
        assert loaded == program, f"byte {place}"
        harmless += 1
    # Times and permissions, and what the archive says twice, mean nothing.
    assert harmless < 250


def test_cut_short_anywhere(data: bytes) -> None:
    for size in range(0, len(data), 3):
        assert error(data[:size]) == f"not a program file, or damaged or cut short; {CURE}"


@pytest.mark.parametrize(("before", "behind"), [(0, 1), (0, 1000), (1, 0), (30, 4)])
def test_too_long(before: int, behind: int, data: bytes) -> None:
    size = len(data) + before + behind
    expected = f"damaged: it has {size} bytes, not {len(data)}; {CURE}"
    assert error(bytes(before) + data + bytes(behind)) == expected


def test_random_bytes_are_no_program() -> None:
    rng = np.random.default_rng(8)
    for size in (0, 1, 22, 1000):
        assert error(rng.bytes(size)) == f"not a program file, or damaged or cut short; {CURE}"


def swap_weights(members: dict[str, bytes]) -> None:
    members["weights.bin"] = bytes(len(members["weights.bin"]))


def drop_weights(members: dict[str, bytes]) -> None:
    del members["weights.bin"]


def add_member(members: dict[str, bytes]) -> None:
    members["more.bin"] = b""


def drop_manifest(members: dict[str, bytes]) -> None:
    del members["manifest.json"]


def text_manifest(members: dict[str, bytes]) -> None:
    members["manifest.json"] = b"{"


NAMES = "manifest.json, program.bin, weights.bin, parameters.bin"
MEMBER_CASES: list[tuple[Callable[[dict[str, bytes]], None], str]] = [
    (swap_weights, f"weights.bin is damaged: its digest differs; {CURE}"),
    (drop_weights, f"members must be {NAMES}; {CURE}"),
    (add_member, f"members must be {NAMES}; {CURE}"),
    (drop_manifest, f"not a program file: it must hold manifest.json once; {CURE}"),
    (text_manifest, f"manifest.json is not JSON; {CURE}"),
]


@pytest.mark.parametrize(("change", "expected"), MEMBER_CASES)
def test_members(
    change: Callable[[dict[str, bytes]], None], expected: str, data: bytes
) -> None:
    assert error(repacked(data, change)) == expected


def test_compressed_members_are_refused(data: bytes) -> None:
    packed = repacked(data, lambda members: None, compression=zipfile.ZIP_DEFLATED)
    assert error(packed) == f"members must not be compressed; {CURE}"


MANIFEST_CASES: dict[str, tuple[str, Any, str]] = {
    "format": ("format", "zip", "not a program file: manifest.json does not say 'cimple-program'"),
    "version": (
        "version", 2,
        (
            "version of the program file must be 4, not 2; compile the network with this version "
            "of cimple, or run it with the one that compiled it"
        ),
    ),
    "entry": ("entry", 99, f"entry 99 is beyond the program; {CURE}"),
    "type": ("entry", "0", f"manifest.json: entry: Input should be a valid integer; {CURE}"),
    "NPU": ("npu.lanes", 8, f"digest of the NPU's configuration differs; {CURE}"),
    "NPU's field": (
        "npu.lanes", 3,
        f"manifest.json: npu: lanes: must be one of 1, 2, 4, 8, 16, not 3; {CURE}",
    ),
    "address": (
        "input.tensor.address", 1 << 20,
        f"tensor '.*' does not lie in the 16384 bytes of the activation memory; {CURE}",
    ),
    "planes": (
        "input.tensor.planes", 3,
        (
            "manifest.json: input.tensor: Value error, planes must divide the 32 elements, not 3; "
            + CURE
        ),
    ),
    "dtype": ("input.dtype", "int8", f"host steps of 'x' do not fit its tensor; {CURE}"),
    "shape": (
        "output.steps.0.shape", [7], f"host steps of '.*' do not fit its tensor; {CURE}",
    ),
    "step": ("output.steps.0.step", "draw", r"manifest.json: output.steps.0: Input tag 'draw' .*"),
    "offset": (
        "parts.weights.bin.offset", 1 << 15,
        f"weights.bin ends at [0-9]+, beyond the 32768 bytes of memory WEIGHTS; {CURE}",
    ),
    "memory": (
        "parts.weights.bin.memory", "PROGRAM",
        f"weights.bin does not fit its entry in manifest.json; {CURE}",
    ),
    "unknown": ("more", 1, f"manifest.json: more: Extra inputs are not permitted; {CURE}"),
}


@pytest.mark.parametrize("case", MANIFEST_CASES)
def test_manifest(case: str, data: bytes) -> None:
    path, value, expected = MANIFEST_CASES[case]

    def change(manifest: Any) -> None:
        place = manifest
        *parents, last = re.split(r"\.(?!bin)", path)
        for name in parents:
            place = place[int(name) if name.isdigit() else name]
        place[int(last) if last.isdigit() else last] = value

    assert re.fullmatch(expected, error(with_manifest(data, change)))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "no.cim", "No such file or directory"),
                         (tmp_path, "Is a directory")):
        with pytest.raises(ProgramFileError) as caught:
            ProgramFile.load(path)
        assert str(caught.value) == f"{path}: {reason}"


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.cim"
    path.write_bytes(b"?")
    with pytest.raises(ProgramFileError, match=f"^{re.escape(str(path))}: not a program file"):
        ProgramFile.load(path)


def test_a_place_that_cannot_be_written(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "net.cim"
    with pytest.raises(ProgramFileError, match=r"net\.cim: cannot be written: "):
        ProgramFile.from_bytes(data).save(target)


def test_an_older_file_stays_if_writing_fails(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.cim"
    path.write_bytes(b"older")

    def fail(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ProgramFileError, match="No space left on device"):
        ProgramFile.from_bytes(data).save(path)
    assert path.read_bytes() == b"older"
    assert [file.name for file in tmp_path.iterdir()] == ["net.cim"]
