# SPDX-License-Identifier: Apache-2.0
"""Configurations that together have every legal value and every legal pair: a covering array.

Drawn at random, each the best of some: greedy, and nearly as small as can be (Cohen, Dalal, Fredman
and Patton, IEEE Trans. Software Engineering 23(7), 1997).
"""

import random
from collections.abc import Iterable, Mapping
from itertools import combinations

from ...hdl.macro.config import LEGAL, Cell, MacroConfig
from .macro_axes import (
    AXES,
    Label,
    Pair,
    build,
    classes_of,
    has_label,
    legal_labels,
    legal_pairs,
    values_of,
)

__all__ = ["covering_array", "labels_of", "one_of_each", "pairs_of"]

#: Of so many drawn configurations the best is taken.
_CANDIDATES = 24
_ATTEMPTS = 4000
#: Weight bits of a macro that is quick to simulate and not trivial.
_SIZE = 96
#: Products of a weight bit and an input bit in a cycle of one that is not too slow; fused columns,
#: which are simulated as one block, count as often.
_MOST_PRODUCTS = 512


def labels_of(config: MacroConfig) -> set[Label]:
    """The values that a configuration has."""
    return set(values_of(config).items())


def pairs_of(config: MacroConfig) -> set[Pair]:
    """The pairs of classes that a configuration has, on axes in the order of `AXES`."""
    classes = classes_of(config)
    return set(combinations(((axis, classes[axis]) for axis in AXES), 2))


def one_of_each(seed: int) -> list[MacroConfig]:
    """Configurations, small enough to simulate in seconds, that together have all legal values."""
    source = random.Random(seed)
    missing = set(legal_labels())
    chosen: list[MacroConfig] = []
    while missing:
        candidates = [_draw([min(missing)], source) for _ in range(_CANDIDATES)]
        best = max(candidates, key=lambda c: (len(labels_of(c) & missing), -_distance(c)))
        missing -= labels_of(best)
        chosen.append(best)
    return chosen


def covering_array(seed: int) -> list[MacroConfig]:
    """As `one_of_each`, which are its first; together they have all legal pairs too.

    Raises RuntimeError where a legal pair is never drawn, which is a fault of the generator.
    """
    source = random.Random(seed)
    chosen = one_of_each(seed)
    missing = set(legal_pairs()).difference(*map(pairs_of, chosen))
    while missing:
        target = source.choice(sorted(missing))
        candidates = [_draw(target, source) for _ in range(_CANDIDATES)]
        best = max(candidates, key=lambda c: (len(pairs_of(c) & missing), -_distance(c)))
        missing -= pairs_of(best)
        chosen.append(best)
    return chosen


def _distance(config: MacroConfig) -> int:
    return abs(config.rows * config.columns * config.weight_bits - _SIZE)


def _draw(wanted: Iterable[Label], source: random.Random) -> MacroConfig:
    """A random configuration that has the wanted values or classes."""
    wanted = list(wanted)
    pinned = dict(wanted)
    for _ in range(_ATTEMPTS):
        config = build(_choice(pinned, source), source)
        if config and config.binary_operations * config.fusion > _MOST_PRODUCTS:
            continue
        if config and set(wanted) <= labels_of(config) | set(classes_of(config).items()):
            return config
    raise RuntimeError(f"no configuration was drawn that has {wanted}")


def _choice(pinned: dict[str, str], source: random.Random) -> dict[str, object]:
    """A random value for each axis, of those that have the pinned labels; it need not be legal."""
    cells = [cell for cell in Cell if all(_allowed(cell, axis, pinned) for axis in AXES)]
    cell = source.choice(cells or list(Cell))
    return {axis: source.choice(_allowed(cell, axis, pinned) or AXES[axis]) for axis in AXES}


def _allowed(cell: Cell, axis: str, pinned: Mapping[str, str]) -> list[object]:
    """The values of an axis that a cell may have and that have the pinned label, if any."""
    values: Iterable[object] = LEGAL[cell].values.get(axis, AXES[axis])
    if axis == "cell":
        values = [cell]
    if axis == "weights":
        values = [value for value in values if (value == "written") != (cell is Cell.ROM)]
    if axis == "rows" and cell in (Cell.BITCELL, Cell.NEAR):
        # Their groups are single rows.
        values = ["1", "whole groups"]
    return [value for value in values if axis not in pinned or has_label(axis, value, pinned[axis])]
