# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""`cimple layers`: layers alone on a device, which they are, and differences of all kinds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cimple.compiler.compile import read_network
from cimple.compiler.legalise import legalise
from cimple.host import cli
from cimple.host import layers as single
from cimple.host.commands import layers as command
from tests.compiler.onnx_networks import depthwise_network, residual_network
from tests.compiler.tflite_networks import RELU, SAME, TfliteBuilder


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["layers", *words])
    return int(stop.value.code or 0)


def network(path: Path) -> str:
    builder = TfliteBuilder([4, 3, 2], 2).conv(2, (1, 1), activation=RELU)
    first = builder.current
    builder.depthwise((3, 3), padding=SAME, dilations=(2, 1)).conv(2, (1, 1)).add(first)
    return str(builder.mean().reshape([1, 1, 2]).fully_connected(3).softmax().save(path))


@pytest.mark.xdist_group("npu_tiny")
def test_layers_alone_under_icarus(tmp_path, capsys):
    """One of each kind: the second convolution has the size of the first one's windows."""
    assert run(network(tmp_path / "net.tflite"), "--npu", "npu_tiny") == 0
    said = capsys.readouterr().out
    assert "golden against the runtime: 0 of 101 values of 6 tensors differ" in said
    rows = [words for words in map(str.split, said.splitlines()) if len(words) == 7]
    assert [row[1] for row in rows] == ["CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN",
                                        "FULLY_CONNECTED"]
    assert all(row[4] == "0" and row[5] == row[6] for row in rows)


@pytest.mark.parametrize("make", [residual_network, depthwise_network])
def test_every_layer_of_onnx_networks(make, tmp_path, capsys):
    path = make(1).save(tmp_path / "net.onnx")
    npu = tmp_path / "npu.yaml"
    npu.write_text(
        "npu:\n  name: roomy\n  macro: {rows: 72, columns: 16}\n  activation_bytes: 16384\n"
        "  weight_bytes: 65536\n"
    )
    assert run(str(path), "--npu", str(npu), "--on", "golden", "--every") == 0
    said = capsys.readouterr().out
    layers = legalise(read_network(path)).layers
    assert all(layer.name in said for layer in layers)
    assert "0 of " in said


@pytest.mark.parametrize("what", ["result", "cycles"])
def test_what_differs_is_told(what, tmp_path, monkeypatch):
    def wrong(client, program, values):
        found = single.run_alone(client, program, values)
        return replace(found, **{what: getattr(found, what) + 1})

    monkeypatch.setattr(command, "run_alone", wrong)
    path = network(tmp_path / "net.tflite")
    assert run(path, "--npu", "npu_tiny", "--on", "golden") == 1


def test_a_golden_model_that_errs_is_told(tmp_path, monkeypatch):
    """The runtime is asked about all tensors, those of layers that do not run alone too."""
    told = command.run_all

    def wrong(*arguments):
        values, runs = told(*arguments)
        values["y2"] = np.bitwise_xor(values["y2"], 1)
        return values, runs

    monkeypatch.setattr(command, "run_all", wrong)
    path = network(tmp_path / "net.tflite")
    assert run(path, "--npu", "npu_tiny", "--on", "golden") == 1


def test_bad_input(tmp_path, capsys):
    assert run(str(tmp_path / "no.onnx"), "--npu", "npu_tiny") == 2
    path = TfliteBuilder([64, 64, 8]).conv(8, (1, 1)).save(tmp_path / "net.tflite")
    assert run(str(path), "--npu", "npu_tiny") == 2
    assert "its images need 65536 bytes, the activation memory has" in capsys.readouterr().err
