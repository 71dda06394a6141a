# SPDX-License-Identifier: Apache-2.0
"""Bits of payloads, checked against literal integers and by going there and back."""

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from hypothesis import given
from hypothesis import strategies as st

from cimple.hdl.packing import field_table, pack, unpack

PAIR = data.StructLayout({"low": signed(4), "high": unsigned(3)})
NESTED = data.StructLayout(
    {"rows": data.ArrayLayout(data.ArrayLayout(signed(4), 3), 2), "flag": 1, "none": unsigned(0)}
)


def test_the_first_field_and_element_are_the_least_significant():
    assert pack(PAIR, {"low": -1, "high": 0}) == 0b000_1111
    assert pack(PAIR, {"low": 0, "high": 5}) == 0b101_0000
    assert pack(data.ArrayLayout(unsigned(4), 3), [0xA, 0xB, 0xC]) == 0xCBA
    assert pack(NESTED, {"rows": [[1, 2, 3], [4, 5, -1]], "flag": 1, "none": 0}) == 0x1F54321


def test_sequences_may_be_arrays():
    words = np.array([[1, 2, 3], [4, 5, -1]])
    assert pack(NESTED, {"rows": words, "flag": np.int64(0), "none": 0}) == 0xF54321


def test_unpack():
    assert unpack(PAIR, 0b101_1000) == {"low": -8, "high": 5}
    assert unpack(data.ArrayLayout(signed(4), 3), 0xC7A) == [-6, 7, -4]
    assert unpack(unsigned(4), 15) == 15
    assert unpack(signed(4), 15) == -1


WORD = st.integers(-8, 7)


@given(st.lists(st.lists(WORD, min_size=3, max_size=3), min_size=2, max_size=2), st.booleans())
def test_there_and_back(rows, flag):
    value = {"rows": rows, "flag": int(flag), "none": 0}
    assert unpack(NESTED, pack(NESTED, value)) == value


@given(st.integers(0, (1 << 25) - 1))
def test_back_and_there(number):
    assert pack(NESTED, unpack(NESTED, number)) == number


@pytest.mark.parametrize(
    ("shape", "value", "low", "high"),
    [
        (signed(4), 8, -8, 7),
        (signed(4), -9, -8, 7),
        (unsigned(4), 16, 0, 15),
        (unsigned(4), -1, 0, 15),
        (PAIR, {"low": 8, "high": 0}, -8, 7),
    ],
)
def test_values_that_do_not_fit_are_refused(shape, value, low, high):
    number = value["low"] if isinstance(value, dict) else value
    with pytest.raises(ValueError, match=f"^value must be between {low} and {high}, not {number}$"):
        pack(shape, value)


def test_wrong_lengths_and_fields_are_refused():
    with pytest.raises(ValueError, match=r"^payload must have 3 elements, not 2$"):
        pack(data.ArrayLayout(unsigned(4), 3), [1, 2])
    with pytest.raises(ValueError, match=r"^no such field in the payload: lo$"):
        pack(PAIR, {"lo": 1, "low": 1, "high": 1})


def test_field_table():
    rows = [tuple(row.values()) for row in field_table(NESTED)]
    assert rows == [("rows", 0, 4, True, [2, 3]), ("flag", 24, 1, False, [])]
    outer = data.StructLayout({"head": unsigned(2), "pair": PAIR})
    rows = [tuple(row.values()) for row in field_table(outer)]
    assert rows == [
        ("head", 0, 2, False, []), ("pair.low", 2, 4, True, []), ("pair.high", 6, 3, False, []),
    ]
