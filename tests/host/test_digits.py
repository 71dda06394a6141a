# SPDX-License-Identifier: Apache-2.0
"""The demonstration, on the golden model: its verdict, its report, its exit code."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper


def demonstrate(root: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "cimple.host.digits", *(str(a) for a in arguments)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """The network and its data in a folder where they can be changed."""
    for name in ("digits.onnx", "data.py"):
        shutil.copy(root / "examples" / "digits" / name, tmp_path)
    return tmp_path / "digits.onnx"


def test_all_is_well(root: Path, tmp_path: Path) -> None:
    done = demonstrate(root, "--on", "golden", "--images", 100, "-o", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for line in ("against the golden model:      0 of 193,800 values differ",
                 "against onnxruntime's layers:  0 of 193,800 values differ",
                 "against onnxruntime's logits:  0 of 1,000 values differ",
                 "cycles, by the cycle model:    0 of 600 values differ"):
        assert line in done.stdout
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"report.html", "report.json", "images.png", "cycles.png", "digits.cim",
                     "npu_digits.v"}
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["right"] is True
    assert report["images"] == 100
    assert report["accuracy"] == (
        sum(a == b for a, b in zip(report["labels"], report["predictions"], strict=True)) / 100
    )
    assert report["differences_by_layer"]["conv2"] == {"golden": 0, "onnxruntime": 0, "of": 102400}
    page = (tmp_path / "report.html").read_text()
    assert 'src="images.png"' in page
    assert str(root) not in page


def test_an_untrained_network_fails(root: Path, copy: Path, tmp_path: Path) -> None:
    model = onnx.load(str(copy))
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == "int8" and values.ndim == 2:
            tensor.CopyFrom(numpy_helper.from_array(values[::-1].copy(), tensor.name))
    onnx.save(model, str(copy))
    arguments = ("--network", copy, "--on", "golden", "--images", 20, "-o", tmp_path / "out")
    done = demonstrate(root, *arguments)
    assert done.returncode == 1, done.stderr
    assert "0 of 38,760 values differ" in done.stdout
    assert json.loads((tmp_path / "out" / "report.json").read_text())["right"] is False


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--images", 398), "--images must be at most 397, the images held back, not 398"),
        (("--network", "none/net.onnx"), (
            "none/data.py: no such file; run from the project's folder, or give --network"
        )),
        (("--npu", "npu_tiny"), (
            "examples/digits/digits.onnx: the network's images need 1940 bytes if all are kept "
            "(keep_all), the activation memory has 1024; raise activation_bytes of the NPU, or use "
            "smaller images or fewer channels"
        )),
    ],
)
def test_errors(
    arguments: tuple[object, ...], expected: str, root: Path, tmp_path: Path
) -> None:
    done = demonstrate(root, *arguments, "-o", tmp_path)
    assert (done.returncode, done.stderr) == (2, f"error: {expected}\n")
