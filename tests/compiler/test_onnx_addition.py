# SPDX-License-Identifier: Apache-2.0
"""Additions of ONNX: onnxruntime's kernel for all pairs of bytes, on the NPU's ADD or refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cimple.compiler.errors import ModelError
from cimple.compiler.ir import Quantisation
from cimple.compiler.onnx_addition import (
    AddParameters,
    add_table,
    addition_parameters,
    fit_addition,
    fma,
    sum_table,
)
from cimple.hdl.npu.isa import ADD_SHIFT, Rounding
from cimple.verif.golden.numerics import requantise, scale
from tests.compiler.faulty import message
from tests.compiler.onnx_networks import OnnxBuilder
from tests.oracles.ort import qlinear

BYTES = np.arange(-128, 128)
_FIRST, _SECOND = (grid.astype(np.int8) for grid in np.meshgrid(BYTES, BYTES, indexing="ij"))


def kernel(
    first: Quantisation, second: Quantisation, result: Quantisation
) -> NDArray[np.int8]:
    """Onnxruntime's QLinearAdd for all pairs of bytes."""
    return qlinear("QLinearAdd", [(_FIRST, first), (_SECOND, second)], result)


def golden(parameters: AddParameters, zero_point: int) -> NDArray[np.int8]:
    """The golden model's ADD for all pairs of bytes."""
    term, total = parameters.term, parameters.total
    terms = scale(BYTES << ADD_SHIFT, term.bias, term.multiplier, term.shift, Rounding.TFLITE)
    sums = (BYTES[:, None] << ADD_SHIFT - 1) + terms[None, :]
    table = requantise(
        sums, total.bias, total.multiplier, total.shift, zero_point, -128, 127, Rounding.TFLITE
    )
    return table.T if parameters.halved else table


def draw(seed: int) -> tuple[Quantisation, Quantisation, Quantisation]:
    """Scales as calibration makes them; with odd seeds some are equal, or zero points extreme."""
    rng = np.random.default_rng(seed)
    scales = rng.uniform(0.004, 0.1, 2).astype(np.float32)
    if seed % 4 == 1:
        scales[1] = scales[0]
    last = np.float32(np.hypot(*scales) * rng.uniform(0.4, 1.6))
    if seed % 4 == 3:
        last = scales[0]
    zeros = [int(zero) for zero in rng.integers(-128, 128, 3)]
    if seed % 3 == 0:
        zeros = [-128, zeros[1], -128]
    pairs = zip((*scales, last), zeros, strict=True)
    first, second, result = (Quantisation(float(size), zero) for size, zero in pairs)
    return first, second, result


@pytest.mark.parametrize("first", range(0, 160, 40))
def test_all_pairs_of_bytes(first: int) -> None:
    """Of 160 sets of scales: kernel, its description, and the NPU as golden model and compiler."""
    for seed in range(first, first + 40):
        case = draw(seed)
        wanted = kernel(*case)
        np.testing.assert_array_equal(sum_table(*case), wanted)
        parameters = fit_addition(*case)
        assert parameters is not None, case
        np.testing.assert_array_equal(golden(parameters, case[2].zero_point), wanted)
        np.testing.assert_array_equal(add_table(parameters, case[2].zero_point), wanted)


@pytest.mark.parametrize("scales", [(1e-6, 1.0, 1.0), (1.0, 3e-9, 0.7)])
def test_scales_far_apart(scales: tuple[float, float, float]) -> None:
    first, second, result = (
        Quantisation(float(np.float32(size)), zero)
        for size, zero in zip(scales, (5, -17, 40), strict=True)
    )
    parameters = fit_addition(first, second, result)
    assert parameters is not None
    wanted = kernel(first, second, result)
    np.testing.assert_array_equal(golden(parameters, result.zero_point), wanted)


def test_nominal_parameters_would_not_do() -> None:
    """Without moving them some sums near a half come out on the other side."""
    import cimple.compiler.onnx_addition as addition

    different = 0
    for seed in range(40):
        first, second, result = draw(seed)
        ratios = [np.float32(each.scale) / np.float32(result.scale) for each in (first, second)]
        offset = result.zero_point - sum(
            float(ratio) * each.zero_point
            for ratio, each in zip(ratios, (first, second), strict=True)
        )
        halved = int(ratios[1] > ratios[0])
        made = addition._encode(
            np.array([*ratios, offset], np.float64), result.zero_point, halved, 0
        )
        assert made is not None
        table = add_table(made, result.zero_point)
        different += int(np.count_nonzero(table != sum_table(first, second, result)))
    assert different > 0


def test_fused_multiplication_and_addition() -> None:
    """Rounded once: against exact integers."""
    rng = np.random.default_rng(3)
    x = rng.integers(-128, 128, 4000).astype(np.float32)
    factor = np.float32(0.37218)
    # Also near ties: a float32, and half of its last place, less the product.
    near = rng.uniform(1, 2, 4000).astype(np.float32)
    addends = np.where(
        rng.random(4000) < 0.5, near, (near - x * factor).astype(np.float32)
    ).astype(np.float32)
    made = fma(x, factor, addends)
    unit = 1 << 60
    for index in range(4000):
        exact = int(x[index]) * int(float(factor) * unit) + int(float(addends[index]) * unit)
        below, above = (np.nextafter(made[index], np.float32(end)) for end in (-9e9, 9e9))
        distance = abs(exact - int(float(made[index]) * unit))
        assert distance <= abs(exact - int(float(below) * unit))
        assert distance <= abs(exact - int(float(above) * unit))


@pytest.mark.parametrize("scales", [(0.5, 0.5, 1.0), (0.5, 0.25, 1.0), (1.5, 0.5, 1.0)])
def test_halves_that_go_to_even(scales: tuple[float, float, float]) -> None:
    """Ratios of which many sums are halves: refused, with a scale that is not."""
    first, second, result = (Quantisation(size / 16, 3) for size in scales)
    with pytest.raises(ModelError) as caught:
        addition_parameters(first, second, result, "node 'add0' (Add)")
    text = str(caught.value)
    assert text.startswith(
        f"node 'add0' (Add): for the scales {first.scale:g} and {second.scale:g} of its inputs and "
        f"{result.scale:g} of its result the NPU's ADD has no parameters that give onnxruntime's "
        "sum for all pairs of bytes; quantise the result with scale "
    )
    cure = Quantisation(float(text.split("with scale ")[1].split(",")[0]), result.zero_point)
    parameters = fit_addition(first, second, cure)
    assert parameters is not None
    np.testing.assert_array_equal(
        golden(parameters, cure.zero_point), kernel(first, second, cure)
    )


def test_a_constant_is_no_image(tmp_path: Path) -> None:
    builder = OnnxBuilder([4])
    builder.value = builder.node("Add", [builder.value, builder.weights([4], 0)[0]])
    assert message(builder.relu().save(tmp_path / "net.onnx")) == (
        "node 'add0' (Add): both its inputs must be int8 results of earlier nodes, not constants, "
        "except the int32 bias of a MatMul before its QuantizeLinear; add a constant as the bias "
        "of the layer before"
    )


def test_images_of_two_shapes(tmp_path: Path) -> None:
    builder = OnnxBuilder([2, 4, 4])
    fork = builder.fork()
    builder.max_pool((1, 4))
    builder.value = builder.node("Add", [builder.value, fork.value])
    assert message(builder.relu().save(tmp_path / "net.onnx")) == (
        "node 'add0' (Add): both inputs must have one shape, not [2, 4, 1] and [2, 4, 4] behind "
        "the batch; the NPU repeats no values"
    )


def test_images_in_two_orders(tmp_path: Path) -> None:
    """A vector's bytes, and an image's that was flattened: channels stand together in it."""
    builder = OnnxBuilder([2, 3, 1])
    builder.conv(2, (1, 1)).flatten()
    image = builder.fork()
    builder.gemm(6)
    assert message(builder.add(image).save(tmp_path / "net.onnx")) == (
        "node 'add0' (Add): its inputs have their bytes in different orders in memory, as one of "
        "them comes from a reshape; add before reshaping"
    )
