# SPDX-License-Identifier: Apache-2.0
"""The networks of MLPerf Tiny: two as they are, where their files are there, two in shape only."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cimple.compiler.compile import compile_network
from cimple.compiler.tflite_file import read_tflite
from cimple.hdl.load import load_config
from cimple.hdl.npu.config import NpuConfig
from cimple.host.assemble import assemble
from cimple.host.client import Inference, NpuClient
from cimple.host.devices.golden import GoldenDevice
from cimple.host.litert import tensors_of
from tests.compiler.mlperf_tiny import autoencoder, mobilenet
from tests.compiler.tflite_networks import TfliteBuilder

#: Images whose every tensor is compared; of the others the outputs are.
IMAGES = 2


@pytest.fixture(params=[2, 4, 1])
def board(request: pytest.FixtureRequest) -> NpuConfig:
    """The preset, which has two macros; and the same with its columns in four, and in one."""
    config = load_config("ulx3s_85f")
    assert isinstance(config, NpuConfig)
    macro = config.macro.replace(columns=config.columns // request.param)
    return config.replace(macros=request.param, macro=macro)


def infer(
    path: Path, config: NpuConfig, images: np.ndarray, *, keep: bool, all_planes: bool = False
) -> Inference:
    program = assemble(compile_network(path, config, keep_all=keep, all_planes=all_planes))
    with GoldenDevice(config) as device:
        client = NpuClient(device)
        client.load(program)
        return client.infer(images, keep_tensors=keep)


def compare(path: Path, config: NpuConfig, images: np.ndarray) -> tuple[Inference, int]:
    """Every tensor of these images with LiteRT's; the run, and how many values were compared."""
    result, compared = infer(path, config, images, keep=True), 0
    for number, image in enumerate(images):
        expected = tensors_of(path, image)
        for name, values in result.tensors.items():
            np.testing.assert_array_equal(
                values[number].reshape(-1), expected[name].reshape(-1), err_msg=name
            )
            compared += values[number].size
    return result, compared


DATA = ("kws", "resnet8")


def path_of(name: str, root: Path) -> Path:
    path = root.parent / "shared" / "data" / "mlperf_tiny" / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


@pytest.fixture(params=DATA)
def given(request: pytest.FixtureRequest, root: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """A network's file, inputs and the outputs that they must have."""
    path = path_of(request.param, root)
    vectors = path.with_name(f"{request.param}_vectors.npz")
    if not vectors.exists():
        pytest.skip(f"{vectors} is not there")
    with np.load(vectors) as arrays:
        return path, arrays["inputs"], arrays["outputs"]


@pytest.mark.parametrize(
    ("name", "most"),
    [("resnet8", 54_000), ("kws", 40_000), ("mobilenet", 110_000), ("autoencoder", 20_000)],
)
def test_the_preset_runs_all_four_in_so_many_cycles(
    name: str, most: int, root: Path, tmp_path: Path
) -> None:
    if name in DATA:
        path = path_of(name, root)
    else:
        path = tmp_path / "net.tflite"
        {"mobilenet": mobilenet, "autoencoder": autoencoder}[name](path).save(path)
    config = load_config("ulx3s_85f")
    assert isinstance(config, NpuConfig)
    report = compile_network(path, config).report
    assert report.cycles is not None
    assert most // 2 < report.cycles <= most


def test_outputs_of_all_given_inputs(
    board: NpuConfig, given: tuple[Path, np.ndarray, np.ndarray]
) -> None:
    """With the preset's memories; they are used again where they can be.

    And with all planes: cycles are predicted once then, and not for each image.
    """
    path, inputs, outputs = given
    result = infer(path, board, inputs, keep=False, all_planes=True)
    np.testing.assert_array_equal(result.outputs, outputs)


def test_every_tensor_of_some_given_inputs(
    board: NpuConfig, given: tuple[Path, np.ndarray, np.ndarray]
) -> None:
    path, inputs, outputs = given
    config = board.replace(activation_bytes=1 << 18)
    result, compared = compare(path, config, inputs[:IMAGES])
    # All that the file's operators make, but for views and the softmax, which is in the outputs.
    file = read_tflite(path)
    made = {
        file.tensors[node.outputs[0]].name for node in file.nodes
        if node.kind not in ("RESHAPE", "SOFTMAX")
    }
    assert made <= set(result.tensors)
    np.testing.assert_array_equal(result.outputs, outputs[:IMAGES])
    assert compared > 70_000 * IMAGES


@pytest.mark.parametrize("make", [mobilenet, autoencoder])
def test_networks_of_the_other_shapes(
    make: Callable[[Path], TfliteBuilder], board: NpuConfig, tmp_path: Path
) -> None:
    path = tmp_path / "net.tflite"
    builder = make(path)
    builder.save(path)
    config = board.replace(
        activation_bytes=1 << 19, weight_bytes=1 << 19, descriptors=2048
    )
    images = builder.images(1)
    result, _ = compare(path, config, images)
    np.testing.assert_array_equal(
        result.outputs[0],
        tensors_of(path, images[0])[builder.tensors[builder.current]["name"]],
    )
    # Values that have all died, or are all clipped, would prove nothing.
    for tensor in builder.results():
        values = result.tensors[tensor["name"]]
        if values.size >= 8:
            assert 15 < values.std() < 60, tensor["name"]
            assert np.mean(np.abs(values + 0.5) > 127) < 0.75, tensor["name"]
