# SPDX-License-Identifier: Apache-2.0
"""What nextpnr prints: how far it is, what went wrong, and what it makes of a placement."""

import re
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Estimate", "read_estimate", "reason_in", "step_in"]

#: Lines that tell how far it is, and what they mean.
_STEPS = (
    (r"Info: Pack", "packing"),
    (r"Info:\s+at iteration #(\d+)", "placing, iteration {}"),
    (r"Info:\s+iter=(\d+) steplen", "placing, iteration {}"),
    (r"Info: Running simulated annealing", "refining the placement"),
    (r"Info: Routing", "routing"),
    (r"Info:\s+iter=(\d+)", "routing, iteration {}"),
)


@dataclass(frozen=True)
class Estimate:
    """What nextpnr says of a design that it has placed, but not routed."""

    wire: int
    """Half the perimeter of the box around each net, summed up, in tiles."""
    fmax: float
    """Clock frequency in MHz, with delays of wires by their distances."""

    def to_mapping(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def read_estimate(log: str) -> Estimate:
    """Of a design with one clock, after a run without routing.

    Raises:
        ValueError: the log holds no placement, or no clock.
    """
    wires = re.findall(r"^Info: .*wirelen = (\d+)", log, re.MULTILINE)
    clocks = re.findall(r"^\w+: Max frequency for clock .*: ([\d.]+) MHz", log, re.MULTILINE)
    if not wires or not clocks:
        raise ValueError("it holds no placement with a clock")
    return Estimate(int(wires[-1]), float(clocks[-1]))


def step_in(line: str) -> str | None:
    """What a line says that nextpnr does now."""
    for pattern, text in _STEPS:
        if found := re.match(pattern, line):
            return text.format(*found.groups())
    return None


def reason_in(log: str) -> str:
    """The errors in a log, or its last lines where it names none."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return " ".join(errors[:3] or lines[-3:])
