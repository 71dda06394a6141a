# SPDX-License-Identifier: Apache-2.0
"""The macro's model against sums written out in plain Python, and its contract."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimple.hdl.macro import Cell, MacroConfig
from cimple.verif.golden.macro import MacroModel


def config_of(**fields):
    return MacroConfig(**({"rows": 2, "columns": 2, "cell": Cell.BITCELL} | fields))


def model_with(weights, **fields):
    """A model with one row group a row, holding `weights` in bank 0."""
    rows, columns = np.shape(weights)
    model = MacroModel(config_of(rows=rows, columns=columns, **fields))
    for group, row in enumerate(weights):
        model.write(group, 0, [row])
    return model


def vector(model, data, bits=8, signed=0, bank=0, first=1, last=1):
    result = model.vector(data, bits - 1, signed, bank, first, last)
    return None if result is None else result.tolist()


def test_an_example_by_hand():
    model = model_with([[1, -2], [3, 100]])
    assert vector(model, [10, 255]) == [10 + 3 * 255, -20 + 25500]
    assert vector(model, [10, 255], signed=1) == [10 - 3, -20 - 100]


@pytest.mark.parametrize(
    ("bits", "signed", "value"),
    [(8, 0, 0b1011_0110), (8, 1, 0b1011_0110 - 256), (7, 0, 0b011_0110), (6, 1, 0b11_0110 - 64),
     (3, 0, 0b110), (3, 1, -2), (1, 0, 0), (2, 1, -2)],
)
def test_the_lowest_bits_count(bits, signed, value):
    assert vector(model_with([[1]]), [0b1011_0110], bits, signed) == [value]


@pytest.mark.parametrize("signed", [0, 1])
def test_planes_beyond_the_inputs_are_zero(signed):
    model = model_with([[1]], input_bits=5)
    assert vector(model, [0b11111], bits=8, signed=signed) == [31]


@st.composite
def cases(draw):
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    bits = draw(st.integers(1, 8))
    half = draw(st.sampled_from((1, 2, 8, 128)))
    weight = st.integers(-half, half - 1)
    matrix = draw(st.lists(st.lists(weight, min_size=columns, max_size=columns),
                           min_size=rows, max_size=rows))
    words = draw(st.lists(st.integers(0, 255), min_size=rows, max_size=rows))
    return matrix, words, bits, draw(st.integers(0, 1))


@given(cases())
def test_plain_sums(case):
    matrix, words, bits, signed = case
    values = [word % (1 << bits) for word in words]
    if signed:
        values = [v - (1 << bits) if v >= 1 << bits - 1 else v for v in values]
    expected = [sum(v * row[column] for v, row in zip(values, matrix, strict=True))
                for column in range(len(matrix[0]))]
    assert vector(model_with(matrix), words, bits, signed) == expected


@pytest.mark.parametrize(("cell", "banks", "size"), [("lookup", 2, 3), ("lookup", 1, 4)])
def test_row_groups(cell, banks, size):
    config = MacroConfig(rows=7, columns=1, cell=Cell(cell), banks=banks)
    model = MacroModel(config)
    for group in range(config.groups):
        model.write(group, banks - 1, [[10 * group + row] for row in range(size)])
    expected = [10 * (row // size) + row % size for row in range(7)]
    assert model.weights[banks - 1, :, 0].tolist() == expected
    rows_read = [model.read(row, banks - 1).tolist() for row in range(8)]
    assert rows_read == [[weight] for weight in [*expected, 0]]
    # The rows that fill up the last group, and groups beyond it, have no effect.
    before = model.weights.copy()
    model.write(config.groups, 0, [[99]] * size)
    assert (model.weights == before).all()
    assert vector(model, [1] * 7, bank=banks - 1) == [sum(expected)]


def test_banks_are_apart_and_the_only_bank_is_any():
    model = MacroModel(config_of(rows=1, columns=1, banks=4))
    for bank in range(4):
        model.write(0, bank, [[bank + 1]])
    assert [vector(model, [10], bank=bank) for bank in range(4)] == [[10], [20], [30], [40]]
    single = MacroModel(config_of(rows=1, columns=1))
    single.write(0, 1, [[7]])
    assert vector(single, [1], bank=0) == [7]
    assert single.read(0, 1).tolist() == [7]


def test_weights_of_one_bit_are_zero_or_minus_one():
    model = model_with([[0, -1], [-1, -1]], weight_bits=1)
    assert vector(model, [3, 5]) == [-5, -8]
    assert vector(model, [3, 255], signed=1) == [1, -2]
    with pytest.raises(ValueError, match=r"^weights must be between -1 and 0$"):
        model.write(0, 0, [[1, 0]])


def test_binary_networks_by_the_affine_correction():
    """Weights and inputs of +1 and -1: w = 1 + 2 w' with w' 0 or -1, x = 2 x' - 1."""
    random = np.random.default_rng(1)
    weights, inputs = random.choice((-1, 1), (9, 4)), random.choice((-1, 1), 9)
    model = model_with(((weights - 1) // 2).tolist(), weight_bits=1, input_bits=1)
    stored = vector(model, ((inputs + 1) // 2).tolist(), bits=1)
    assert stored is not None
    sums = 4 * np.array(stored) + 2 * int(((inputs + 1) // 2).sum())
    # What is left is minus the sum of the column's weights, a constant of the layer.
    assert (sums - weights.sum(axis=0) == inputs @ weights).all()


#: Two rows of four columns of four bits; the low digits count unsigned.
DIGITS = [[0x1, -0x6, 0x3, -0x2], [-0x1, 0x7, -0x8, 0x0]]


@pytest.mark.parametrize(
    ("fused", "wide"),
    [
        (0, DIGITS),
        # -6 is the digit 0xA with its sign: 1 + 16 * -6; 0xF + 16 * 7.
        (1, [[1 - 96, 0, 3 - 32, 0], [15 + 112, 0, 8, 0]]),
        (2, [[1 + 160 + 768, 0, 0, -2], [15 + 112 - 2048, 0, 0, 0]]),
        (3, [[1 + 160 + 768 - 8192, 0, 0, 0], [15 + 112 + 2048, 0, 0, 0]]),
    ],
)
def test_fused_columns(fused, wide):
    model = model_with(DIGITS, weight_bits=4, fusion=4)
    for data in ([1, 0], [0, 1], [3, 200], [255, 255]):
        expected = [sum(x * row[c] for x, row in zip(data, wide, strict=True)) for c in range(4)]
        result = model.vector(data, 7, 0, 0, 1, 1, fused=fused)
        assert result is not None
        assert result.tolist() == expected
    assert model.read(0, 0).tolist() == DIGITS[0], "reading back gives the columns' own weights"


def test_pairs_in_a_wider_macro():
    model = model_with([[1, 2, 3, 4, 5, 6]], weight_bits=8, fusion=2)
    result = model.vector([1], 0, 0, 0, 1, 1, fused=1)
    assert result is not None
    assert result.tolist() == [1 + 512, 0, 3 + 1024, 0, 5 + 1536, 0]


def test_a_rom_has_its_weights():
    config = MacroConfig(rows=2, columns=2, cell=Cell.ROM, weights=((1, -2), (3, 100)))
    model = MacroModel(config)
    assert vector(model, [10, 255]) == [10 + 3 * 255, -20 + 25500]
    assert model.read(1, 0).tolist() == [3, 100]
    seeded = config.replace(weights=(), weights_seed=9)
    assert MacroModel(seeded).weights[0].tolist() == [list(row) for row in seeded.rom_weights]


@pytest.mark.parametrize(
    ("fields", "data", "bits", "saved"),
    [
        ({}, [0b101, 0], 8, 5),
        ({}, [0, 0], 8, 7),  # one step is left, so that there is an output
        ({}, [0x80, 1], 8, 0),
        ({}, [0x80, 1], 7, 6),  # the eighth bit does not count
        ({}, [1, 1], 1, 0),
        ({"bits_per_cycle": 4}, [0b101, 0], 8, 1),
        ({"bits_per_cycle": 4}, [0b10000, 0], 8, 0),
        ({"bits_per_cycle": 4}, [1, 0], 5, 1),
        ({"input_bits": 5}, [1, 1], 8, 7),  # planes beyond the words are zero
    ],
)
def test_steps_that_zero_planes_save(fields, data, bits, saved):
    model = model_with([[1], [1]], skip_zero_planes=True, **fields)
    assert model.zero_steps(data, bits - 1) == saved
    vector(model, data, bits)
    vector(model, data, bits, signed=1)
    assert model.skipped == 2 * saved
    other = model_with([[1], [1]], **fields)
    assert other.zero_steps(data, bits - 1) == 0
    assert vector(other, data, bits) == vector(model, data, bits)


def test_accumulation():
    model = model_with([[1], [1]], accumulations=3)
    assert vector(model, [1, 2], last=0) is None
    assert vector(model, [10, 20], first=0, last=0) is None
    assert vector(model, [100, 0], first=0) == [133]
    # A vector with `first` drops a sum that is under way.
    assert vector(model, [50, 0], last=0) is None
    assert vector(model, [1, 0]) == [1]


def test_one_vector_a_sum_ignores_first_and_last():
    model = model_with([[1], [1]])
    for first in (0, 1):
        for last in (0, 1):
            assert vector(model, [1, 2], first=first, last=last) == [3]


def test_sums_beyond_the_output_wrap():
    model = model_with([[-128]], accumulations=2)
    bits = model.config.output_bits
    total = 5 * -128 * 255
    assert total < -1 << bits - 1
    for index in range(4):
        assert vector(model, [255], first=index == 0, last=0) is None
    (result,) = vector(model, [255], first=0) or [None]
    assert result is not None
    assert -1 << bits - 1 <= result < 1 << bits - 1
    assert (result - total) % (1 << bits) == 0


def test_reset_keeps_weights_and_drops_the_sum():
    model = model_with([[1], [1]], accumulations=2)
    vector(model, [1, 1], last=0)
    model.reset()
    with pytest.raises(ValueError, match="continues a sum and none is open; set first"):
        vector(model, [1, 1], first=0)
    assert vector(model, [1, 1]) == [2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.write(0, 0, [[1]]), "weights must have the shape (1, 2), not (1, 1)"),
        (lambda m: m.write(0, 0, [[128, 0]]), "weights must be between -128 and 127"),
        (lambda m: m.write(0, 0, [[0, -129]]), "weights must be between -128 and 127"),
        (lambda m: m.vector([1], 7, 0, 0, 1, 1), "data must have the shape (2,), not (1,)"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(MacroModel(config_of()))


def test_read_gives_a_copy():
    model = model_with([[1, 2], [3, 4]])
    model.read(0, 0)[:] = 0
    assert model.read(0, 0).tolist() == [1, 2]
