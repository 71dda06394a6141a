# SPDX-License-Identifier: Apache-2.0
"""The space of a macro's configurations: its axes, and which pairs of values are legal.

An axis is a field of the configuration. Fields with few values have a class of their own for each
value. Numbers have classes of several values, in pairs: rows and columns by how they fill groups
and blocks, the others by magnitude. What is legal says `MacroConfig` itself.
"""

import random
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import combinations, product
from typing import Any

from ...hdl.config import ConfigError
from ...hdl.macro.config import Cell, MacroConfig, Storage, Table, Target, Tree

__all__ = [
    "AXES",
    "Label",
    "Pair",
    "build",
    "classes_of",
    "has_label",
    "legal_labels",
    "legal_pairs",
    "values_of",
]

#: The name of an axis and a value or class on it.
Label = tuple[str, str]
Pair = tuple[Label, Label]

#: The most rows and columns that are drawn: enough for every shape, a second set of registers that
#: choose bits included (`hdl.macro.step_choice`), and quick to simulate.
MOST_ROWS, MOST_COLUMNS = 26, 9

#: Every axis with the values that are drawn; of rows, columns and weights, the classes.
AXES: dict[str, tuple[Any, ...]] = {
    "cell": tuple(Cell),
    "storage": tuple(Storage),
    "table": tuple(Table),
    "banks": (1, 2, 4, 8, 16),
    "weight_bits": (1, 2, 4, 8),
    "input_bits": tuple(range(1, 17)),
    "accumulations": (1, 2, 3, 16, 17, 60, 256),
    "fusion": (1, 2, 4),
    "bits_per_cycle": (1, 2, 4, 8, 16),
    "pipeline": tuple(range(1, 13)),
    "tree": tuple(Tree),
    "skip_zero_planes": (False, True),
    "broadcast_registers": (0, 1),
    "output_buffer": (1, 2),
    "target": tuple(Target),
    "weights": ("written", "first seed", "other seed", "given"),
    "rows": ("1", "part of a group", "whole groups", "part of the last group"),
    "columns": ("1", "whole blocks", "part of the last block"),
}

#: Classes of numbers, by the highest value of each.
_CLASSES: dict[str, tuple[int, ...]] = {
    "input_bits": (1, 3, 4, 7, 8, 15, 16),
    "accumulations": (1, 16, 255, 256),
    "pipeline": (1, 2, 4, 12),
}


def values_of(config: MacroConfig) -> dict[str, str]:
    """The value on each axis; `accumulations`, rows and columns by their classes."""
    labels = {axis: _text(getattr(config, axis)) for axis in AXES}
    group, block = config.rows_per_group, _block(config)
    labels["accumulations"] = _class("accumulations", config.accumulations)
    labels["rows"] = _shape(config.rows, group, AXES["rows"])
    one, whole, part = AXES["columns"]
    labels["columns"] = _shape(config.columns, block, (one, part, whole, part))
    written, first, other, given = AXES["weights"]
    seeded = other if config.weights_seed else first
    labels["weights"] = written if config.is_writable else given if config.weights else seeded
    return labels


def classes_of(config: MacroConfig) -> dict[str, str]:
    """The class on each axis."""
    labels = values_of(config)
    return labels | {axis: _class(axis, getattr(config, axis)) for axis in _CLASSES}


def has_label(axis: str, value: Any, label: str) -> bool:
    """Whether a value of `AXES` is that of a label, or in the class of that name."""
    return label in (_text(value), _class(axis, value))


def build(choice: Mapping[str, Any], source: random.Random) -> MacroConfig | None:
    """A configuration with a value of `AXES` for each axis; None where there is none.

    `source` draws the numbers of rows and columns, and weights, within their classes.
    """
    fields = {axis: choice[axis] for axis in AXES if axis not in ("rows", "columns", "weights")}
    fusion = fields["fusion"]
    try:
        # Groups and blocks follow from the other fields.
        whole = MacroConfig(rows=1, columns=36 * fusion, **fields)
        rows = _sizes(choice["rows"], whole.rows_per_group, MOST_ROWS)
        columns = [
            size for size in _sizes(choice["columns"], _block(whole), MOST_COLUMNS)
            if size % fusion == 0
        ]
        if not rows or not columns or whole.is_writable != (choice["weights"] == "written"):
            return None
        # Large ones take long to simulate and show little more.
        shape: dict[str, Any] = {
            name: source.choice(sizes[:4] * 4 + sizes)
            for name, sizes in (("rows", rows), ("columns", columns))
        }
        half = 1 << whole.weight_bits - 1
        match choice["weights"]:
            case "other seed":
                shape["weights_seed"] = source.randint(1, 1000)
            case "given":
                shape["weights"] = tuple(
                    tuple(source.randrange(-half, half) for _ in range(shape["columns"]))
                    for _ in range(shape["rows"])
                )
        return MacroConfig(**shape, **fields)
    except ConfigError:
        return None


@cache
def legal_pairs() -> frozenset[Pair]:
    """Every pair of classes on different axes that a configuration can have."""
    return frozenset(
        pair
        for first, second in combinations(AXES, 2)
        for pair in product(_labels(first), _labels(second))
        if _is_legal(pair)
    )


@cache
def legal_labels() -> frozenset[Label]:
    """Every value on every axis; all of them are legal."""
    return frozenset(
        (axis, _class(axis, value) if axis == "accumulations" else _text(value))
        for axis, values in AXES.items() for value in values
    )


def _is_legal(pair: Iterable[Label]) -> bool:
    """Whether some configuration has both classes.

    What one value excludes depends on the cell, what it is stored in, and the shape. So it is
    enough to try those with the most permissive value of every other field.
    """
    pinned = {axis: _representatives(axis)[label] for axis, label in pair}
    source = random.Random(0)
    permissive = {axis: values[0] for axis, values in AXES.items()} | {"input_bits": 16}
    tried = {axis: AXES[axis] for axis in ("cell", "storage", "table", "rows", "columns")}
    for values in product(*(
        (pinned[axis],) if axis in pinned else every for axis, every in tried.items()
    )):
        choice = permissive | dict(zip(tried, values, strict=True))
        choice["weights"] = "first seed" if choice["cell"] is Cell.ROM else "written"
        if build(choice | pinned, source) is not None:
            return True
    return False


@cache
def _representatives(axis: str) -> dict[str, Any]:
    """A value of each class of an axis."""
    return {_class(axis, value): value for value in reversed(AXES[axis])}


def _labels(axis: str) -> list[Label]:
    return [(axis, label) for label in _representatives(axis)]


def _class(axis: str, value: Any) -> str:
    if axis not in _CLASSES:
        return _text(value)
    lowest = 1
    for highest in _CLASSES[axis]:
        if value <= highest:
            return str(highest) if lowest == highest else f"{lowest} to {highest}"
        lowest = highest + 1
    raise ValueError(f"{axis} has no class for {value}")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "value", value))


def _block(config: MacroConfig) -> int:
    """Columns of a block that is not the last."""
    return config.model_copy(update={"columns": 1024}).columns_per_block


def _shape(size: int, unit: int, labels: tuple[str, ...]) -> str:
    one, part, whole, rest = labels
    if size == 1:
        return one
    if size % unit == 0:
        return whole
    return part if size < unit else rest


def _sizes(label: str, unit: int, most: int) -> list[int]:
    """The sizes of a class, of groups or blocks of `unit`."""
    every = range(2, max(most, 2 * unit) + 1)
    if label == "1":
        return [1]
    if label.startswith("whole"):
        return [size for size in every if size % unit == 0]
    if label == "part of a group":
        return [size for size in every if size < unit]
    least = unit if label == "part of the last group" else 0
    return [size for size in every if size % unit and size > least]
