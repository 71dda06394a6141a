# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""`cimple networks`: the record, what it says, and what differs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from cimple.hdl.load import load_config
from cimple.hdl.npu.config import NpuConfig
from cimple.host import cli
from cimple.host.commands import networks as command
from cimple.host.networks import networks_page, random_batch
from cimple.host.program import ProgramFile
from cimple.host.records import read_results

ROOT = Path(__file__).parents[2]
DIGITS = str(ROOT / "examples/digits/digits.onnx")


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["networks", *words])
    return int(stop.value.code or 0)


def test_digits_on_verilog(tmp_path, capsys):
    assert run(DIGITS, "--npu", "npu_digits", "--images", "3", "-o", str(tmp_path)) == 0
    record = read_results(tmp_path / "networks.json")
    found = record["digits.onnx on npu_digits"]
    assert (found["outputs"], found["outputs_that_differ"], found["images"]) == (30, 0, 3)
    assert found["cycles"] == found["slowest_image_cycles"] == found["predicted_cycles"]
    layers = found["layers"]
    assert all(layer["cycles"] == layer["predicted_cycles"] for layer in layers)
    assert all(layer["cycles"] >= layer["ideal_cycles"] for layer in layers)
    assert sum(layer["cycles"] for layer in layers) < found["cycles"]
    assert sum(layer["macs"] for layer in layers) == found["macs"]
    page = (tmp_path / "networks.md").read_text()
    assert page == networks_page(record)
    assert f"| `digits.onnx` | `npu_digits` | {found['macs']:,} | {found['cycles']:,} |" in page
    cycles = f"{found['cycles']:,}"
    said = f"{cycles} cycles an image, {cycles} by the cycle model, 0 of 30 outputs differ"
    assert said in capsys.readouterr().out


def test_an_output_that_differs_is_told(tmp_path, monkeypatch):
    """And recorded; the golden model stands in for the simulator."""
    golden = command.run_batch

    def wrong(on, config, program, batch):
        found = golden("golden", config, program, batch)
        found.outputs.flat[0] += on == "verilator"
        return replace(found, cycles=found.cycles + 100)

    monkeypatch.setattr(command, "run_batch", wrong)
    assert run(DIGITS, "--npu", "npu_digits", "-o", str(tmp_path)) == 1
    record = read_results(tmp_path / "networks.json")
    assert record["digits.onnx on npu_digits"]["outputs_that_differ"] == 1


def test_a_cycle_that_the_model_does_not_know_is_told(tmp_path, monkeypatch):
    golden = command.run_batch

    def late(on, config, program, batch):
        found = golden("golden", config, program, batch)
        return replace(found, cycles=found.cycles + (on == "verilator"))

    monkeypatch.setattr(command, "run_batch", late)
    assert run(DIGITS, "--npu", "npu_digits", "-o", str(tmp_path)) == 1
    found = read_results(tmp_path / "networks.json")["digits.onnx on npu_digits"]
    assert (found["cycles"], found["outputs_that_differ"]) == (found["predicted_cycles"] + 1, 0)


@pytest.fixture
def skipping_npu(tmp_path):
    """The digits' NPU, which skips planes."""
    digits = load_config("npu_digits")
    assert isinstance(digits, NpuConfig)
    config = digits.replace(name="skipping", macro=digits.macro.replace(skip_zero_planes=True))
    path = tmp_path / "skipping.yaml"
    path.write_text(yaml.safe_dump({"npu": config.to_mapping()}))
    return str(path)


def test_with_all_planes_and_with_fewer(tmp_path, monkeypatch, capsys, skipping_npu):
    """Four runs: each device with the program that skips planes and the one that does not."""
    golden, skips = command.run_batch, []

    def instead(on, config, program, batch):
        skips.append((on, program.manifest.report.skips_planes))
        return golden("golden", config, program, batch)

    monkeypatch.setattr(command, "run_batch", instead)
    assert run(DIGITS, "--npu", skipping_npu, "-o", str(tmp_path)) == 0
    assert skips == [(on, skip) for skip in (True, False) for on in ("verilator", "golden")]
    found = read_results(tmp_path / "networks.json")["digits.onnx on skipping"]
    assert found["cycles"] == found["predicted_cycles"] < found["cycles_all_planes"]
    assert 1 < found["planes_of_a_vector"] < 8
    planes = f"{found['planes_of_a_vector']:.2f}"
    all_planes = f"{found['cycles_all_planes']:,}"
    assert f"| {all_planes} | {planes} |" in (tmp_path / "networks.md").read_text()
    said = f"{all_planes} with all planes ({planes} of 8 met the array), 0 of 20 outputs differ"
    assert said in capsys.readouterr().out


def test_given_images(tmp_path, monkeypatch, capsys, skipping_npu):
    """In place of random ones; of zeros no plane but the last meets the array in some layers."""
    golden = command.run_batch
    monkeypatch.setattr(
        command, "run_batch", lambda on, *rest: golden("golden", *rest)
    )
    images = tmp_path / "zeros.npy"
    np.save(images, np.zeros((3, 1, 8, 8), np.float32))
    words = (DIGITS, "--npu", skipping_npu, "-o", str(tmp_path))
    assert run(*words) == run(*words[:3], "-i", str(images), "-o", str(tmp_path / "zeros")) == 0
    random, zeros = (
        read_results(path / "networks.json")["digits.onnx on skipping"]
        for path in (tmp_path, tmp_path / "zeros")
    )
    assert (random["random_images"], zeros["random_images"]) == (True, False)
    assert random["cycles_all_planes"] == zeros["cycles_all_planes"]
    assert zeros["planes_of_a_vector"] < random["planes_of_a_vector"]
    assert "| 2 random |" in (tmp_path / "networks.md").read_text()
    assert "| 2 |" in (tmp_path / "zeros" / "networks.md").read_text()
    assert run(DIGITS, *words, "-i", str(images)) == 2
    assert "--input: one for each of 2 networks, not 1" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["outputs", "planes", "cycles"])
def test_a_difference_with_all_planes_is_told(tmp_path, monkeypatch, skipping_npu, what):
    """Of the outputs of both devices from those of the other program, or of one device."""
    golden = command.run_batch

    def instead(on, config, program, batch):
        found = golden("golden", config, program, batch)
        if not program.manifest.report.skips_planes and (what == "outputs" or on == "verilator"):
            getattr(found, what).flat[0] += 1
        return found

    monkeypatch.setattr(command, "run_batch", instead)
    assert run(DIGITS, "--npu", skipping_npu, "-o", str(tmp_path)) == 1


def test_bad_input(tmp_path, capsys):
    assert run(str(tmp_path / "no.onnx"), "--npu", "npu_digits") == 2
    assert run(DIGITS, "--npu", "tiny_4x1") == 2
    assert "tiny_4x1: is a macro" in capsys.readouterr().err


def test_batches_depend_on_the_seed_alone(tmp_path):
    target = tmp_path / "digits.cim"
    with pytest.raises(SystemExit):
        cli.main(["compile", DIGITS, "--npu", "npu_digits", "-o", str(target)])
    port = ProgramFile.load(target).manifest.input
    one, two = random_batch(port, 2, 1), random_batch(port, 2, 1)
    assert one.dtype == np.dtype(port.dtype)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, random_batch(port, 2, 2))
