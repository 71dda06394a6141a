# SPDX-License-Identifier: Apache-2.0
"""What an NPU takes of a part, block by block.

Blocks are groups of modules: a module belongs to the block that it is named in, or to that of the
module around it. They are counted without anything optimised across modules' borders; the design is
also counted as a whole, as it is placed, and the difference stands in a row of its own.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .breakdown import Cells
from .capacity import RESOURCES, Capacity
from .families import FAMILIES, Family
from .resources import Resources

__all__ = ["Budget", "block_counts"]

#: What a module's name begins with behind that of the NPU, and its block; the first that fits.
_BLOCKS = {
    r"_matrix_macro": "macros",
    r"_matrix_(feeder|slots)": "window feeder",
    r"_matrix": "weight loader",
    r"_weights": "weight memory",
    r"_parameters": "parameter memory",
    r"_vector_lanes": "requantisers",
    r"_vector": "vector engine",
    r"_activations": "activation memory",
    r"_front_door": "front door",
    r"_axi": "external memory",
    r"_(queue|sequencer|tokens|program|counters|watchdog)": "program and counters",
}
_REST = "program and counters"
#: In the order of the page.
_ORDER = (*dict.fromkeys(_BLOCKS.values()),)


@dataclass(frozen=True)
class Budget:
    """One NPU in one family."""

    name: str
    family: str
    yosys: str
    """Version of Yosys."""
    input_sha256: str
    """Of the design and the flow, as in `Resources`."""
    whole: Capacity
    """What the design takes as it is placed."""
    blocks: Mapping[str, Capacity]

    @property
    def part(self) -> Capacity | None:
        """What there is, if the family has a part in which designs are placed."""
        device = FAMILIES[self.family].device
        return device.capacity if device else None

    @property
    def across(self) -> Capacity:
        """What optimisation across the borders of modules saves; below zero."""
        sums = (sum(numbers) for numbers in zip(*self.blocks.values(), strict=True))
        return Capacity(*(whole - total for whole, total in zip(self.whole, sums, strict=True)))

    @property
    def binding(self) -> tuple[str, float] | None:
        """The resource of which the largest share of the part is taken, and that share."""
        return None if self.part is None else self.whole.binding(self.part)

    def to_mapping(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {
            "whole": self.whole._asdict(),
            "blocks": {name: counts._asdict() for name, counts in self.blocks.items()},
        }

    @classmethod
    def from_mapping(cls, found: Any) -> "Budget":
        """What `to_mapping` gave.

        Raises:
            KeyError, TypeError: something is missing, or of another kind.
        """
        given = dict(found)
        whole = Capacity(**given.pop("whole"))
        blocks = {name: Capacity(**counts) for name, counts in given.pop("blocks").items()}
        return cls(**given, whole=whole, blocks=blocks)


def block_counts(modules: Cells, top: str, family: Family) -> dict[str, Capacity]:
    """Counts by block of modules whose cells are given by name, as `breakdown.module_cells` does.

    Every instance counts, in the block that it is in.
    """
    totals: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(RESOURCES))

    def visit(name: str, block: str, times: int) -> None:
        block = _block_of(name.removeprefix(top)) or block
        one = Resources(family.count(modules[name]), "", family=family.name)
        for place, number in enumerate(one.taken):
            totals[block][place] += times * number
        for cell, number in modules[name].items():
            if cell in modules:
                visit(cell, block, times * number)

    visit(top, _REST, 1)
    return {block: Capacity(*totals[block]) for block in _ORDER if any(totals[block])}


def _block_of(name: str) -> str | None:
    return next((block for part, block in _BLOCKS.items() if re.match(part, name)), None)
