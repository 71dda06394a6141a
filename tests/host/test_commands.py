# SPDX-License-Identifier: Apache-2.0
"""`cimple compile`, `run` and `info`: from files to files, one clear error for what is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cimple.hdl.npu.config import NpuConfig
from cimple.host.cli import main
from cimple.host.oracle import run_network
from cimple.host.program import ProgramFile
from tests.compiler.networks import npu
from tests.host.programs import small_network


def cimple(*arguments: object) -> int:
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def save_npu(path: Path, config: NpuConfig) -> Path:
    lines = config.to_yaml().splitlines()
    path.write_text("\n".join(["npu:", *(f"  {line}" for line in lines)]) + "\n")
    return path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a network, an NPU, a batch and what onnxruntime makes of it."""
    builder = small_network()
    builder.save(tmp_path / "net.onnx")
    save_npu(tmp_path / "npu.yaml", npu())
    images = builder.images(5)
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "expected.npy", run_network(tmp_path / "net.onnx", images))
    return tmp_path


def compile_small(files: Path, *more: object) -> Path:
    arguments = ("--npu", files / "npu.yaml", "-o", files / "net.cim", *more)
    assert cimple("compile", files / "net.onnx", *arguments) == 0
    return files / "net.cim"


def test_the_whole_way(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = compile_small(files, "--report", files / "report.json")
    assert "conv0" in capsys.readouterr().out
    report = json.loads((files / "report.json").read_text())
    assert [layer["name"] for layer in report["layers"]] == ["conv0", "maxpool0", "gemm0"]
    arguments = ("--on", "golden", "--input", files / "x.npy", "--output", files / "y.npy")
    assert cimple("run", program, *arguments, "--layers", "--check") == 0
    out = capsys.readouterr().out
    assert "images: 5\n" in out
    assert f"cycles an image: {report['cycles']:,}, by the cycle model\n" in out
    assert "against golden: 0 of 10 values differ\n" in out
    assert "maxpool0" in out
    np.testing.assert_array_equal(np.load(files / "y.npy"), np.load(files / "expected.npy"))


def test_fewer_images(files: Path) -> None:
    program = compile_small(files)
    arguments = ("--input", files / "x.npy", "--output", files / "y.npy", "--limit", 2)
    assert cimple("run", program, *arguments) == 0
    np.testing.assert_array_equal(np.load(files / "y.npy"), np.load(files / "expected.npy")[:2])


def test_the_program_file_goes_beside_the_network(files: Path) -> None:
    assert cimple("compile", files / "net.onnx", "--npu", files / "npu.yaml", "--keep-all") == 0
    assert ProgramFile.load(files / "net.cim").manifest.keep_all


def test_presets_are_npus_too(files: Path) -> None:
    assert cimple("compile", files / "net.onnx", "--npu", "npu_tiny") == 0
    assert ProgramFile.load(files / "net.cim").config.name == "npu_tiny"


def test_info(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = compile_small(files)
    capsys.readouterr()
    assert cimple("info", program) == 0
    out = capsys.readouterr().out
    assert "network:     net.onnx (SHA-256 " in out
    assert "input:       'x' float32 [batch, 2, 4, 4]; in memory int8 at 0x0, scale 0.015625" in out
    assert "layers kept: only the output" in out
    assert "gemm0" in out


def test_a_difference_is_found(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that is not the golden model's equal fails the comparison, with exit code 1."""
    program = compile_small(files, "--keep-all")
    from cimple.host.commands import run

    def wrong(on: str, *arguments: Any, **options: Any) -> Any:
        result = run_batch(on, *arguments, **options)
        if on != "golden":
            result.tensors["quantizelinear2_y"] = result.tensors["quantizelinear2_y"] ^ 1
        return result

    run_batch = run.run_batch
    monkeypatch.setattr(run, "run_batch", wrong)
    monkeypatch.setattr(
        "cimple.host.devices.table.DEVICES",
        {"golden": "golden:golden_device", "odd": "golden:golden_device"},
    )
    arguments = ("--input", files / "x.npy", "--check")
    assert cimple("run", program, "--on", "odd", *arguments) == 1
    out = capsys.readouterr().out
    assert "against golden: 15 of " in out
    assert "  quantizelinear2_y: 15\n" in out
    assert cimple("run", program, "--on", "golden", *arguments) == 0


def test_errors(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = compile_small(files)
    x = files / "x.npy"
    save_npu(files / "other.yaml", npu(lanes=8, requantisers=4))
    (files / "broken.cim").write_bytes(program.read_bytes()[:-9])
    np.save(files / "wide.npy", np.zeros((1, 2, 4, 5), np.float32))
    cases: dict[tuple[object, ...], str] = {
        ("run", program, "-i", x, "--on", "fpga"): (
            "device must be one of golden, verilator, icarus or a serial port, not 'fpga'"
        ),
        ("run", program, "-i", x, "--npu", files / "other.yaml"): (
            "golden: the program is for another NPU; it has lanes 8, not 4; compile the network "
            "for this one, or generate the NPU again"
        ),
        ("run", program, "-i", files / "wide.npy"): (
            f"{files}/wide.npy: input 'x' must have shape [batch, 2, 4, 4], not [1, 2, 4, 5]"
        ),
        ("run", files / "broken.cim", "-i", x): (
            f"{files}/broken.cim: not a program file, or damaged or cut short; compile the network "
            "again"
        ),
        ("info", files / "none.cim"): f"{files}/none.cim: No such file or directory",
        ("compile", x, "--npu", files / "npu.yaml"): (
            f"{x}: the name of a network must end in .onnx or .tflite"
        ),
        ("compile", files / "net.onnx", "--npu", "conv_72x16"): (
            "conv_72x16: is a macro; a network needs an NPU (ip/npu/ holds presets)"
        ),
        ("compile", files / "net.onnx", "--npu", files / "npu.yaml", "-o", x / "net.cim"): (
            f"{x}/net.cim: cannot be written: File exists"
        ),
    }
    for arguments, expected in cases.items():
        capsys.readouterr()
        assert cimple(*arguments) == 2, arguments
        said = capsys.readouterr().err
        assert said.strip() == f"error: {expected}", arguments
    assert not (files / "none.cim").exists()
