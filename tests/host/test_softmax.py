# SPDX-License-Identifier: Apache-2.0
"""Softmax in integers: every byte as LiteRT's reference kernel has it."""

from pathlib import Path

import numpy as np
import pytest

from cimple.compiler.compile import compile_network
from cimple.host.assemble import assemble
from cimple.host.litert import tensors_of
from cimple.host.manifest import Softmax
from cimple.host.operators import apply_steps
from cimple.host.program import ProgramFile
from cimple.host.softmax import softmax, softmax_parameters
from tests.compiler.networks import npu
from tests.compiler.tflite_networks import TfliteBuilder


def differing(builder: TfliteBuilder, images: np.ndarray, beta: float, path: Path) -> int:
    """Bytes that are not LiteRT's."""
    builder.softmax(beta).save(path)
    scale = float(builder.tensors[0]["scales"][0])
    found = softmax(images, scale, beta)
    return sum(
        int(np.count_nonzero(mine != tensors_of(path, image)["y0"]))
        for mine, image in zip(found, images, strict=True)
    )


@pytest.mark.parametrize("seed", range(60))
def test_every_byte_is_litert_s(seed: int, tmp_path: Path) -> None:
    """Scales from 0.0001 to 30: all results alike, and one of them nearly 1."""
    rng = np.random.default_rng(seed)
    size = int(rng.choice([1, 2, 10, 12, 100, 511]))
    builder = TfliteBuilder([size], seed)
    builder.tensors[0]["scales"] = np.array([10 ** rng.uniform(-4, 1.5)], np.float32)
    near = np.clip(rng.normal(0, 6, (2, size)), -128, 127).astype(np.int8)
    images = np.concatenate([builder.images(2), near, np.full((1, size), 7, np.int8)])
    beta = float(np.float32(rng.choice([1.0, 0.5, 0.1, 2.0])))
    assert differing(builder, images, beta, tmp_path / "net.tflite") == 0


def test_images_go_along_their_last_axis(tmp_path: Path) -> None:
    builder = TfliteBuilder([3, 4, 5], 2)
    assert differing(builder, builder.images(3), 1.0, tmp_path / "net.tflite") == 0


def test_enough_results_to_tell_the_last_step_of_newton_s_method(tmp_path: Path) -> None:
    """Without it about one of a thousand is another byte."""
    builder = TfliteBuilder([4000, 1, 3], 2)
    builder.tensors[0]["scales"] = np.array([0.02], np.float32)
    assert differing(builder, builder.images(1), 1.0, tmp_path / "net.tflite") == 0


def test_all_differences_of_two_values(tmp_path: Path) -> None:
    """The exponential at every point that it can be asked for."""
    builder = TfliteBuilder([256, 1, 2], 2)
    builder.tensors[0]["scales"] = np.array([0.09], np.float32)
    images = np.stack([np.full(256, 127), np.arange(-128, 128)], -1).astype(np.int8)
    assert differing(builder, images.reshape(1, 256, 1, 2), 1.0, tmp_path / "net.tflite") == 0


def test_parameters_by_hand() -> None:
    """A scale of 1: a step is 2**26, and 31 of them are the 5 bits."""
    assert softmax_parameters(1.0, 1.0) == (1 << 30, 27, -15)
    assert softmax_parameters(0.5, 1.0) == (1 << 30, 26, -31)


@pytest.mark.parametrize(
    ("batch", "scale"),
    [
        (np.zeros((1, 3), np.float32), 1.0), (np.zeros((1, 512), np.int8), 1.0),
        (np.zeros((1, 0), np.int8), 1.0), (np.zeros((1, 3), np.int8), 2.0**-27),
    ],
)
def test_what_it_does_not_take(batch: np.ndarray, scale: float) -> None:
    with pytest.raises(ValueError, match=r"^softmax "):
        softmax(batch, scale, 1.0)


def test_it_is_the_last_step_of_a_program_file(tmp_path: Path) -> None:
    builder = TfliteBuilder([6], 3).fully_connected(4).softmax(0.5)
    path = builder.save(tmp_path / "net.tflite")
    program = ProgramFile.from_bytes(assemble(compile_network(path, npu())).to_bytes())
    output = program.manifest.output
    assert output.steps[-1] == Softmax(
        scale=float(builder.tensors[builder.operators[0]["output"]]["scales"][0]), beta=0.5
    )
    assert (output.tensor.name, output.name, output.shape) == ("y0", "y1", (4,))
    found = apply_steps(output.steps, np.zeros((2, 4), np.int8))
    assert found.tolist() == [[-64] * 4] * 2
