# SPDX-License-Identifier: Apache-2.0
"""The digits example: the split, the committed models, and the script that makes them."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

WEIGHTED = ("conv1", "conv2", "conv3", "gemm1")
# Name of the tensor each weighted layer reads, and of the one it writes.
ENDS = {
    "conv1": ("image", "relu1_out"),
    "conv2": ("relu1_out", "relu2_out"),
    "conv3": ("relu2_out", "relu3_out"),  # max pooling keeps the scale
    "gemm1": ("relu3_out", "logits"),
}
HELD_BACK_SHA256 = "1bc8458b4147863c9cdaf250153733629532e56c83b7f24419f42542bcaf4a22"


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    return root / "examples" / "digits"


@pytest.fixture(scope="module")
def data(folder: Path) -> ModuleType:
    """`data.py`, loaded by path as any other program would."""
    spec = importlib.util.spec_from_file_location("digits_data", folder / "data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(folder: Path) -> onnx.ModelProto:
    return onnx.load(folder / "digits.onnx")


@pytest.fixture(scope="module")
def constants(model: onnx.ModelProto) -> dict[str, NDArray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.fixture(scope="module")
def floats(folder: Path) -> dict[str, NDArray]:
    graph = onnx.load(folder / "digits_float.onnx").graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def logits(path: Path, images: NDArray, *, optimise: bool = True) -> NDArray:
    options = onnxruntime.SessionOptions()
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"image": images})[0])


def hits(path: Path, data: ModuleType) -> int:
    images, labels = data.held_back()
    return int((logits(path, images).argmax(axis=1) == labels).sum())


def test_split_is_disjoint_and_fixed(data: ModuleType) -> None:
    training, held_back = data.split()
    assert sorted([*training, *held_back]) == list(range(1797))
    assert (len(training), len(held_back)) == (1400, 397)
    assert data.split_digest() == HELD_BACK_SHA256


def test_images_are_scaled_and_every_digit_is_held_back(data: ModuleType) -> None:
    images, labels = data.held_back()
    assert (images.shape, images.dtype) == ((397, 1, 8, 8), np.float32)
    assert (images.min(), images.max()) == (0.0, 1.0)
    assert np.bincount(labels, minlength=10).min() >= 25
    seen = {image.tobytes() for image in data.training()[0]}
    assert not any(image.tobytes() in seen for image in images)


def test_augmentation_keeps_shape_and_range_and_changes_every_image(data: ModuleType) -> None:
    images = data.training()[0][:100]
    changed = data.augment(images, np.random.default_rng(0))
    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    assert changed.min() >= 0
    assert changed.max() <= 1
    distances = np.abs(changed - images).mean(axis=(1, 2, 3))
    assert distances.min() > 0.02
    assert distances.mean() < 0.25


@pytest.mark.parametrize("name", ["digits.onnx", "digits_float.onnx"])
def test_files_are_valid_small_and_hold_nothing_volatile(folder: Path, name: str) -> None:
    path = folder / name
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert path.stat().st_size < 200_000
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert (model.ir_version, model.producer_name) == (8, "cimple examples/digits")
    assert (model.producer_version, model.doc_string, model.graph.doc_string) == ("", "", "")
    properties = {entry.key: entry.value for entry in model.metadata_props}
    # Trained on another split, the network would be judged on images it has learned.
    assert properties == {"epochs": "150", "held_back_sha256": HELD_BACK_SHA256, "seed": "1"}


@pytest.mark.parametrize("name", ["digits.onnx", "digits_float.onnx"])
def test_signature(folder: Path, name: str) -> None:
    graph = onnx.load(folder / name).graph
    ends = [
        (
            value.name,
            value.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in (*graph.input, *graph.output)
    ]
    single = onnx.TensorProto.FLOAT
    assert ends == [("image", single, ["N", 1, 8, 8]), ("logits", single, ["N", 10])]


def test_operators_in_order(model: onnx.ModelProto, folder: Path) -> None:
    pair = ["QuantizeLinear", "DequantizeLinear"]
    path = pair.copy()
    for operator in ("Conv", "Conv", "MaxPool", "Conv", "Flatten", "Gemm"):
        path += [operator, *pair]
    operators = [node.op_type for node in model.graph.node]
    assert operators == ["DequantizeLinear"] * 8 + path
    plain = [node.op_type for node in onnx.load(folder / "digits_float.onnx").graph.node]
    relu = ["Conv", "Relu"]
    assert plain == [*relu, *relu, "MaxPool", *relu, "Flatten", "Gemm"]


def test_shapes_attributes_and_work(model: onnx.ModelProto, constants: dict[str, NDArray]) -> None:
    attributes = {
        node.name: {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        for node in model.graph.node
        if node.op_type in ("Conv", "MaxPool", "Flatten", "Gemm")
    }
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]}
    assert attributes == {
        "conv1": same,
        "conv2": same,
        "maxpool1": {"kernel_shape": [2, 2], "strides": [2, 2]},
        "conv3": same | {"strides": [2, 2]},
        "flatten1": {"axis": 1},
        "gemm1": {"transB": 1},
    }
    weights = [constants[f"{layer}_weight_quantized"] for layer in WEIGHTED]
    shapes = [weight.shape for weight in weights]
    assert shapes == [(8, 1, 3, 3), (16, 8, 3, 3), (18, 16, 3, 3), (10, 72)]
    pixels = (64, 64, 4, 1)
    assert sum(w.size * n for w, n in zip(weights, pixels, strict=True)) == 89_424


@pytest.mark.parametrize("layer", WEIGHTED)
def test_weights_are_the_float_ones_per_channel_symmetric_in_7_bits(
    layer: str, constants: dict[str, NDArray], floats: dict[str, NDArray]
) -> None:
    weight, scale, zero_point = (
        constants[f"{layer}_weight_{part}"] for part in ("quantized", "scale", "zero_point")
    )
    channels = len(weight)
    assert (weight.dtype, zero_point.dtype) == (np.int8, np.int8)
    assert scale.shape == zero_point.shape == (channels,)
    assert not zero_point.any()
    flat = floats[f"{layer}_weight"].reshape(channels, -1)
    np.testing.assert_allclose(scale, np.abs(flat).max(axis=1) / 64, rtol=1e-6)
    expected = np.clip(np.rint(flat / scale[:, np.newaxis]), -64, 64)
    assert np.array_equal(weight.reshape(channels, -1), expected)


@pytest.mark.parametrize("layer", WEIGHTED)
def test_biases_are_int32_at_the_accumulator_scale(
    layer: str, constants: dict[str, NDArray], floats: dict[str, NDArray]
) -> None:
    bias, scale, zero_point = (
        constants[f"{layer}_bias_quantized{part}"] for part in ("", "_scale", "_zero_point")
    )
    assert bias.dtype == np.int32
    assert not zero_point.any()
    product = constants[f"{ENDS[layer][0]}_scale"] * constants[f"{layer}_weight_scale"]
    np.testing.assert_allclose(scale, product, rtol=1e-6)
    assert np.array_equal(bias, np.rint(floats[f"{layer}_bias"] / scale))


def test_activation_zero_points(constants: dict[str, NDArray]) -> None:
    names = ("image", "relu1_out", "relu2_out", "relu3_out", "logits")
    zero_points = [constants[f"{name}_zero_point"] for name in names]
    assert [(z.dtype, z.shape) for z in zero_points] == [(np.int8, ())] * 5
    # -128 clips at real zero: the ReLU is in the requantisation.
    assert [int(z) for z in zero_points] == [-128, -128, -128, -128, 14]


def test_activation_ranges_come_from_the_training_images(
    folder: Path, data: ModuleType, constants: dict[str, NDArray]
) -> None:
    out = logits(folder / "digits_float.onnx", data.training()[0])
    low, high = float(out.min()), float(out.max())
    # Another processor may sum in another order, hence not equal to the last bit.
    np.testing.assert_allclose(constants["logits_scale"], (high - low) / 255, rtol=1e-4)
    assert int(constants["logits_zero_point"]) == round(-128 - low / (high - low) * 255)
    np.testing.assert_allclose(constants["image_scale"], 1 / 255, rtol=1e-6)


def test_int8_accuracy_and_its_distance_from_float(folder: Path, data: ModuleType) -> None:
    count = len(data.held_back()[1])
    whole, small = (hits(folder / name, data) for name in ("digits_float.onnx", "digits.onnx"))
    assert count >= 300
    assert small / count >= 0.97
    assert abs(whole - small) / count <= 0.01


def test_fused_int8_kernels_agree_with_the_graph_as_written(
    folder: Path, data: ModuleType, constants: dict[str, NDArray]
) -> None:
    """A saturating 8-bit kernel would differ by far more than a rounding step."""
    images = data.held_back()[0]
    path = folder / "digits.onnx"
    steps = logits(path, images) - logits(path, images, optimise=False)
    steps = np.rint(steps / constants["logits_scale"])
    assert np.abs(steps).max() <= 1
    assert np.count_nonzero(steps) <= 0.01 * steps.size


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(folder / "train.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_one_epoch_end_to_end_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "folder"
    first = run(folder, "--epochs", "1", "--output", str(output))
    assert (first.returncode, first.stderr) == (0, "")
    assert "held-back images: 397 of 1797" in first.stdout
    assert "float32 accuracy:" in first.stdout
    assert "int8 accuracy:" in first.stdout
    assert "gap:" in first.stdout
    assert sorted(path.name for path in output.iterdir()) == ["digits.onnx", "digits_float.onnx"]
    onnx.checker.check_model(onnx.load(output / "digits.onnx"), full_check=True)
    again = run(folder, "--epochs", "1", "--output", str(output), "--check")
    assert (again.returncode, again.stderr) == (0, "")
    assert "identical byte for byte" in again.stdout
    assert "not identical" not in again.stdout


def test_check_refuses_a_file_the_script_would_not_write(folder: Path) -> None:
    before = (folder / "digits.onnx").read_bytes()
    result = run(folder, "--epochs", "1", "--check")
    assert result.returncode == 1
    assert "not identical byte for byte" in result.stdout
    assert result.stderr.startswith("train.py: digits.onnx has an int8 accuracy of ")
    assert result.stderr.endswith("run without --check to write it anew\n")
    assert (folder / "digits.onnx").read_bytes() == before


def test_check_refuses_what_is_no_model(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "digits.onnx"
    missing = run(folder, "--check", "--output", str(tmp_path))
    assert missing.returncode == 1
    assert missing.stderr == f"train.py: {path}: cannot be read: No such file or directory\n"
    for content in (b"", b"no model", (folder / "digits.onnx").read_bytes()[:5000]):
        path.write_bytes(content)
        result = run(folder, "--check", "--output", str(tmp_path))
        assert result.returncode == 1
        assert result.stderr.startswith(f"train.py: {path}: not a model onnxruntime takes: ")
        assert result.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_refused_before_training(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_text("kept")
    result = run(folder, "--output", str(path))
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == f"train.py: {path}: cannot be written: File exists\n"
    assert path.read_text() == "kept"


@pytest.mark.parametrize("epochs", ["0", "-3", "many", "1.5"])
def test_epochs_out_of_range(folder: Path, epochs: str) -> None:
    result = run(folder, "--epochs", epochs)
    assert result.returncode == 2
    problem = f"argument --epochs: must be a whole number of at least 1, not '{epochs}'\n"
    assert result.stderr.endswith(problem)
