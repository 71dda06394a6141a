# SPDX-License-Identifier: Apache-2.0
"""Requantisation against its definitions in exact integers, and against onnxruntime's kernels."""

from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cimple.hdl.npu.isa import Rounding
from cimple.verif.golden.numerics import (
    requantise,
    round_onnx,
    round_tflite,
    round_tflite_single,
    wrap_int32,
)
from tests.oracles import ort
from tests.oracles.npu import scale_onnx, scale_tflite, scale_tflite_single

INT32 = (-1 << 31, (1 << 31) - 1)
#: Accumulators where something ends: the rails, float32's integers, the sign, halves.
CORNERS = sorted(
    {
        sign * (1 << bit) + offset
        for sign in (-1, 1)
        for bit in (0, 1, 7, 15, 23, 24, 25, 30)
        for offset in (-3, -2, -1, 0, 1, 2, 3)
    }
    | {INT32[0], INT32[0] + 1, INT32[1], INT32[1] - 1, 0}
)
MULTIPLIERS = (0, 128, 1 << 30, (1 << 30) + 128, 0x55555580, 0x7FFFFF80, 3 << 29)


def cases(seed: int) -> list[tuple[int, int, int]]:
    """Every corner with every multiplier and shift; random ones; and ties and their neighbours."""
    random = np.random.default_rng(seed)
    found = [(a, m, s) for a in CORNERS for m in MULTIPLIERS for s in (0, 1, 2, 7, 8, 23, 30, 31)]
    for _ in range(4000):
        bits = int(random.integers(1, 32))
        total = int(random.integers(-1 << bits, 1 << bits))
        multiplier = int(random.integers(1 << 23, 1 << 24)) << 7
        found.append((max(total, INT32[0]), multiplier, int(random.integers(0, 32))))
    for _ in range(2000):
        multiplier, shift = int(random.integers(1 << 23, 1 << 24)) << 7, int(random.integers(0, 16))
        half = Fraction(2 * int(random.integers(-150, 150)) + 1, 2)
        near = round(half * Fraction(1 << 31 + shift, multiplier))
        found += [(near + offset, multiplier, shift) for offset in (-1, 0, 1)]
    return [case for case in found if INT32[0] <= case[0] <= INT32[1]]


@pytest.mark.parametrize(
    ("rule", "definition"),
    [
        (round_tflite, scale_tflite), (round_onnx, scale_onnx),
        (round_tflite_single, scale_tflite_single),
    ],
)
def test_rounding_is_its_definition(rule, definition) -> None:
    some = cases(7)
    total, multiplier, shift = (np.array(column, np.int64) for column in zip(*some, strict=True))
    expected = [definition(*case) for case in some]
    assert rule(total, multiplier, shift).tolist() == expected
    assert len(some) > 10000


def test_the_rules_differ() -> None:
    """Or one of them could stand in for the other and no test would notice."""
    some = cases(7)
    total, multiplier, shift = (np.array(column, np.int64) for column in zip(*some, strict=True))
    rules = (round_tflite, round_onnx, round_tflite_single)
    for one, other in combinations((rule(total, multiplier, shift) for rule in rules), 2):
        assert np.count_nonzero(one != other) > 100


@pytest.mark.parametrize(
    ("total", "tflite", "onnx"),
    # A scale of 1/2. TFLite: half up, as bit 31 is the last; ONNX: half to even.
    [(1, 1, 0), (3, 2, 2), (-1, 0, 0), (-3, -1, -2), (5, 3, 2), (-5, -2, -2), (7, 4, 4)],
)
def test_ties_at_bit_31(total: int, tflite: int, onnx: int) -> None:
    column, half, zero = np.array([total]), np.array([1 << 30]), np.array([0])
    assert round_tflite(column, half, zero).item() == tflite
    assert round_onnx(column, half, zero).item() == onnx


@pytest.mark.parametrize(
    ("total", "tflite", "onnx"),
    # A scale of 1/4 with the tie in the second rounding: TFLite away from zero, ONNX to even.
    [(2, 1, 0), (-2, -1, 0), (6, 2, 2), (-6, -2, -2), (10, 3, 2), (-10, -3, -2),
     # Double rounding: 1/4 becomes 1/2 becomes 1; -1/4 stays 0 as halves go up at bit 31.
     (1, 1, 0), (-1, 0, 0), (5, 2, 1), (-5, -1, -1)],
)
def test_ties_at_the_shift(total: int, tflite: int, onnx: int) -> None:
    column, half, one = np.array([total]), np.array([1 << 30]), np.array([1])
    assert round_tflite(column, half, one).item() == tflite
    assert round_onnx(column, half, one).item() == onnx


@pytest.mark.parametrize("rounding", Rounding)
def test_zero_point_comes_before_clipping(rounding: Rounding) -> None:
    acc = np.array([-400, -100, -20, 0, 20, 100, 400])
    result = requantise(acc, 0, 1 << 30, 0, 100, -10, 127, rounding)
    assert result.tolist() == [-10, 50, 90, 100, 110, 127, 127]
    assert result.dtype == np.int8


@pytest.mark.parametrize("rounding", Rounding)
def test_accumulator_and_bias_wrap_as_int32(rounding: Rounding) -> None:
    result = requantise(INT32[1], 1, 1 << 30, 24, 0, -128, 127, rounding)
    assert result.item() == -64
    assert wrap_int32(np.array([INT32[1] + 1, INT32[0] - 1])).tolist() == [INT32[0], INT32[1]]


@pytest.mark.parametrize("rounding", Rounding)
def test_parameters_go_with_the_last_axis(rounding: Rounding) -> None:
    acc, multiplier, shift = [[8, 8], [16, 16]], [1 << 30, 3 << 29], [0, 1]
    result = requantise(acc, [0, 2], multiplier, shift, 0, -128, 127, rounding)
    # 18 * 3/8 = 6.75; 10 * 3/8 = 3.75: no tie, so both rules agree.
    assert result.tolist() == [[4, 4], [8, 7]]


def test_a_multiplier_beyond_24_bits_has_no_onnx_rounding() -> None:
    with pytest.raises(ValueError, match=r"^multipliers must be multiples of 128 for ONNX$"):
        requantise(1, 0, (1 << 30) + 1, 0, 0, -128, 127, Rounding.ONNX)


# TFLite -----------------------------------------------------------------------------------------


def test_tflite_rounding_is_its_reference_kernels() -> None:
    lines = (Path(__file__).parent / "tflite_vectors.csv").read_text().splitlines()
    rows = np.loadtxt([line for line in lines if line[0] not in "#a"], np.int64, delimiter=",")
    acc, multiplier, shift, zero_point, expected = rows.T
    golden = round_tflite(acc, multiplier, shift) + zero_point
    assert golden.tolist() == expected.tolist()
    # Other rules do not pass: one rounding half up, and ONNX's.
    single = round_tflite_single(acc, multiplier, shift)
    onnx = round_onnx(acc, multiplier & ~127, shift)
    for other in (single, onnx):
        assert np.count_nonzero(other + zero_point != expected) > 100


# onnxruntime ------------------------------------------------------------------------------------

CHANNELS = 8192


def near_ties(random: np.random.Generator, scale: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each scale an accumulator whose product lies at or next to half an integer."""
    half = random.integers(-140, 140, scale.size) + 0.5
    return np.rint(half / scale.astype(np.float64)) + random.integers(-1, 2, scale.size)


@pytest.mark.parametrize("kind", ["small", "beyond 2**24", "ties", "power of two", "saturating"])
@pytest.mark.parametrize("zero_point", [-128, -3, 127])
def test_onnx_rounding_is_onnxruntimes(kind: str, zero_point: int) -> None:
    random = np.random.default_rng([zero_point + 128, len(kind)])
    x_scale, y_scale = (np.float32(random.uniform(0.3, 1)) for _ in range(2))
    low, high = {"small": (-16, -4), "beyond 2**24": (-27, -23), "ties": (-29, -4),
                 "power of two": (-20, -3), "saturating": (-20, -4)}[kind]
    w_scale = np.exp2(random.uniform(low, high, CHANNELS)).astype(np.float32)
    if kind == "power of two":
        x_scale, y_scale = np.float32(0.5), np.float32(0.5)
        w_scale = np.exp2(random.integers(low, high, CHANNELS)).astype(np.float32)
    multiplier, shift = ort.encode_scale(x_scale, w_scale, y_scale)
    scale = np.ldexp(multiplier.astype(np.float64), -31 - shift).astype(np.float32)
    if kind == "saturating":
        bias = random.choice([INT32[0], INT32[1], -1, 0, 1 << 24, (1 << 24) + 1], CHANNELS)
    elif kind in ("ties", "power of two"):
        bias = near_ties(random, scale)
    else:
        bias = random.uniform(-160, 160, CHANNELS) / scale
    bias = np.clip(bias, *INT32).astype(np.int64)
    if kind == "beyond 2**24":
        assert np.abs(bias).min() < 1 << 24 < np.median(np.abs(bias))

    zeros = np.zeros((1, 1, 1, 1), np.int8)
    weights = np.ones((CHANNELS, 1, 1, 1), np.int8)
    scales, points = (float(x_scale), w_scale.tolist(), float(y_scale)), (0, zero_point)
    conv = ort.qlinear_conv(zeros, weights, bias.astype(np.int32), scales, points)
    gemm = ort.qgemm(zeros[0, 0], weights.reshape(1, -1), bias.astype(np.int32), scales, points)
    golden = requantise(bias, 0, multiplier, shift, zero_point, -128, 127, Rounding.ONNX)
    assert np.count_nonzero(conv.ravel() != golden) == 0
    assert np.count_nonzero(gemm.ravel() != golden) == 0
    assert len(np.unique(golden)) > (1 if kind == "saturating" else 100)


@pytest.mark.parametrize("seed", range(6))
def test_matmul_is_onnxruntimes(seed: int) -> None:
    """The whole sum, with 8-bit weights at their extremes (where some processors saturate)."""
    random = np.random.default_rng(seed)
    depth, columns = int(random.integers(1, 300)), 64
    values = [-128, 127] if seed % 2 else np.arange(-128, 128)
    x = random.choice(values, (40, depth)).astype(np.int8)
    w = random.choice(values, (depth, columns)).astype(np.int8)
    x_point, y_point = (int(random.integers(-128, 128)) for _ in range(2))
    w_scale = (random.uniform(1e-3, 4e-3, columns) / np.sqrt(depth)).astype(np.float32)
    scales = (0.25, w_scale.tolist(), 0.125)
    acc = (x.astype(np.int64) - x_point) @ w.astype(np.int64)
    multiplier, shift = ort.encode_scale(0.25, w_scale, 0.125)
    golden = requantise(acc, 0, multiplier, shift, y_point, -128, 127, Rounding.ONNX)
    assert np.array_equal(ort.qlinear_matmul(x, w, scales, (x_point, y_point)), golden)
    bias = np.zeros(columns, np.int32)
    assert np.array_equal(ort.qgemm(x, w, bias, scales, (x_point, y_point)), golden)
    assert len(np.unique(golden)) > 20
