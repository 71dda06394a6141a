# SPDX-License-Identifier: Apache-2.0
"""Design points: variants of an NPU, what they take of a part, and how fast networks run on them.

A point is placed once, with one seed, and not routed: that is enough to compare it with others, and
takes a quarter of the time. The length of wire decides whether a large design can be routed at all.
"""

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..hdl.generate import Design
from .capacity import Capacity
from .families import FAMILIES, Family
from .nextpnr import Nextpnr
from .nextpnr_log import Estimate
from .place import device_of
from .resources import Resources
from .synthesis import NETLIST, placing_flow, synthesise_in_harness
from .yosys import Yosys

__all__ = ["DesignPoint", "changes_text", "measure_point", "point_digest"]


@dataclass(frozen=True)
class DesignPoint:
    """One variant of an NPU in one family."""

    npu: str
    """Name of the NPU that is varied."""
    changes: Mapping[str, Any]
    """The fields that differ from it, and their values."""
    family: str
    tools: str
    """Versions of Yosys and nextpnr."""
    input_sha256: str
    """`point_digest` of what was measured."""
    taken: Capacity
    """What the design in its harness takes after synthesis."""
    estimate: Estimate | None
    """Of its placement; None where it does not fit."""
    cycles: Mapping[str, int | None] = field(default_factory=dict)
    """Of an image, by network; None where the network does not fit the NPU."""

    @property
    def name(self) -> str:
        """The changes as text; `as it is` where there are none."""
        return changes_text(self.changes)

    @property
    def binding(self) -> tuple[str, float]:
        """The resource of which the largest share of the part is taken, and that share."""
        return self.taken.binding(device_of(FAMILIES[self.family]).capacity)

    def with_cycles(self, cycles: Mapping[str, int | None]) -> "DesignPoint":
        """The same with the cycles of some networks, in place of those of equal names."""
        return replace(self, cycles={**self.cycles, **cycles})

    def to_mapping(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {"taken": self.taken._asdict()}

    @classmethod
    def from_mapping(cls, found: Any) -> "DesignPoint":
        """What `to_mapping` gave.

        Raises:
            KeyError, TypeError: something is missing, or of another kind.
        """
        given = dict(found)
        taken, estimate = Capacity(**given.pop("taken")), given.pop("estimate")
        return cls(**given, taken=taken, estimate=Estimate(**estimate) if estimate else None)


def changes_text(changes: Mapping[str, Any]) -> str:
    """Fields and their values as text."""
    return ", ".join(f"{name} {value}" for name, value in changes.items()) or "as it is"


def point_digest(design: Design, family: Family) -> str:
    """Digest of a design's Verilog and of how it is synthesised and placed."""
    flow = f"{placing_flow(family)}\n{device_of(family).flow(design.manifest['kind'])}"
    return hashlib.sha256(f"{flow}\n{design.verilog}".encode()).hexdigest()


def measure_point(
    design: Design, family: Family, yosys: Yosys, nextpnr: Nextpnr,
    say: Callable[[str], None] = lambda message: None,
) -> tuple[Capacity, Estimate | None]:
    """What a design in its harness takes, and its placement with seed 1.

    Parameters
    ----------
    design : Design
    family : Family
        One with a device.
    yosys : Yosys
    nextpnr : Nextpnr
        The one for that device.
    say : callable
        Told of each step before it begins.

    Returns
    -------
    tuple
        Resources after synthesis, and nextpnr's estimate; None where they are more than the part
        has.

    Raises
    ------
    CimpleError
        A tool fails.
    """
    device = device_of(family)
    with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
        directory = Path(scratch)
        say("synthesis in a harness")
        top = synthesise_in_harness(design, family, yosys, directory)
        taken = _taken(directory / NETLIST, top, family)
        if taken.binding(device.capacity)[1] > 1:
            return taken, None
        say("placing")
        effort = device.effort_for(design.manifest["kind"])
        return taken, nextpnr.estimate(device, 1, directory, effort)


def _taken(netlist: Path, top: str, family: Family) -> Capacity:
    cells = json.loads(netlist.read_text(encoding="utf-8"))["modules"][top]["cells"]
    counts = family.count(Counter(cell["type"] for cell in cells.values()))
    return Resources(counts, "", family=family.name).taken
