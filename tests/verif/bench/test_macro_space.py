# SPDX-License-Identifier: Apache-2.0
"""The space of configurations: what is legal in it, and arrays that cover it."""

import random

import pytest

from cimple.hdl.macro.config import LEGAL, Cell, MacroConfig
from cimple.hdl.macro.parameters import STORAGE_BANKS
from cimple.verif.bench import macro_space
from cimple.verif.bench.macro_axes import (
    AXES,
    build,
    classes_of,
    legal_labels,
    legal_pairs,
    values_of,
)
from cimple.verif.bench.macro_space import covering_array, labels_of, one_of_each, pairs_of

ARRAY = pytest.fixture(scope="module")(lambda: covering_array(7))


def has(first: tuple[str, str], second: tuple[str, str]) -> bool:
    order = list(AXES)
    pair = sorted([first, second], key=lambda label: order.index(label[0]))
    return tuple(pair) in legal_pairs()


def test_legal_pairs_are_those_of_the_table() -> None:
    for cell, limits in LEGAL.items():
        for axis, legal in limits.values.items():
            for value in AXES[axis]:
                text = dict(zip(AXES[axis], map(macro_text, AXES[axis]), strict=True))[value]
                assert has(("cell", cell.value), (axis, text)) == (value in legal), (cell, axis)
    for storage, banks in STORAGE_BANKS.items():
        # Another cell has banks too, but only flip-flops.
        if storage.value != "flipflop":
            found = {n for n in AXES["banks"] if has(("storage", storage.value), ("banks", str(n)))}
            assert found == set(banks)


def macro_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "value", value))


@pytest.mark.parametrize(
    ("first", "second", "legal"),
    [
        (("bits_per_cycle", "8"), ("input_bits", "5 to 7"), False),
        (("bits_per_cycle", "4"), ("input_bits", "5 to 7"), True),
        (("fusion", "4"), ("weight_bits", "8"), False),
        (("fusion", "2"), ("weight_bits", "8"), True),
        (("fusion", "2"), ("columns", "1"), False),
        (("banks", "16"), ("storage", "latch"), False),
        (("cell", "near"), ("rows", "part of a group"), False),
        (("cell", "rom"), ("weights", "written"), False),
        (("cell", "rom"), ("weights", "given"), True),
        (("banks", "8"), ("rows", "part of the last group"), True),
    ],
)
def test_other_legal_pairs(first, second, legal) -> None:
    assert has(first, second) is legal


def test_what_a_legal_configuration_has_is_legal() -> None:
    source, built = random.Random(3), 0
    while built < 300:
        config = build({axis: source.choice(values) for axis, values in AXES.items()}, source)
        if config is not None:
            built += 1
            assert pairs_of(config) <= legal_pairs()
            assert labels_of(config) <= legal_labels()


def test_the_array_covers_all_values_and_pairs(ARRAY) -> None:
    assert set().union(*map(labels_of, ARRAY)) == legal_labels()
    assert set().union(*map(pairs_of, ARRAY)) == legal_pairs()
    assert len({config.digest() for config in ARRAY}) == len(ARRAY)
    # The classes of input bits, banks and planes a cycle alone take 35.
    assert 35 <= len(ARRAY) <= 120


def test_the_array_begins_with_one_of_each_value(ARRAY) -> None:
    first = one_of_each(7)
    assert ARRAY[: len(first)] == first
    assert set().union(*map(labels_of, first)) == legal_labels()
    assert {values_of(config)["input_bits"] for config in first} == {str(n) for n in range(1, 17)}
    assert one_of_each(7) == first
    assert one_of_each(8) != first


@pytest.mark.parametrize(
    ("fields", "rows", "columns"),
    [
        ({"rows": 1, "columns": 1}, "1", "1"),
        ({"rows": 3, "columns": 3}, "part of a group", "part of the last block"),
        ({"rows": 4, "columns": 8}, "whole groups", "whole blocks"),
        ({"rows": 9, "columns": 5}, "part of the last group", "part of the last block"),
        ({"rows": 9, "columns": 5, "cell": "near"}, "whole groups", "whole blocks"),
    ],
)
def test_shapes(fields, rows, columns) -> None:
    values = values_of(MacroConfig(**fields))
    assert (values["rows"], values["columns"]) == (rows, columns)


def test_classes_of_numbers() -> None:
    config = MacroConfig(rows=4, columns=4, input_bits=6, accumulations=17, pipeline=3)
    assert values_of(config)["input_bits"] == "6"
    classes = classes_of(config)
    assert [classes[axis] for axis in ("input_bits", "accumulations", "pipeline")] == [
        "5 to 7", "17 to 255", "3 to 4"]


def test_what_cannot_be_drawn_is_named(monkeypatch) -> None:
    monkeypatch.setattr(macro_space, "_ATTEMPTS", 50)
    wanted = [("cell", Cell.NEAR.value), ("fusion", "4")]
    with pytest.raises(RuntimeError, match=r"no configuration was drawn that has .*near.*fusion"):
        macro_space._draw(wanted, random.Random(1))
