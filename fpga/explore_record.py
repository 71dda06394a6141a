# SPDX-License-Identifier: Apache-2.0
"""The record of design points: `explore.json`, and its page with the frontier of each network."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .capacity import RESOURCES, Capacity
from .explore import DesignPoint
from .families import FAMILIES
from .place import device_of
from .records import read_results, to_results

__all__ = ["frontier", "merge_points", "points_page", "read_points", "to_points_record"]


def merge_points(old: Iterable[DesignPoint], new: DesignPoint) -> list[DesignPoint]:
    """Old points with a new one in place of that of the same changes, NPU and family."""

    def key(point: DesignPoint) -> tuple[str, str, str]:
        return point.npu, point.name, point.family

    return list({**{key(point): point for point in old}, key(new): new}.values())


def to_points_record(points: Iterable[DesignPoint]) -> dict[str, Any]:
    """Points as plain data."""
    return to_results(point.to_mapping() for point in points)


def read_points(path: Path) -> list[DesignPoint]:
    """The recorded points.

    Raises:
        CimpleError: the file cannot be read, or is no record.
    """
    return read_results(
        path, "design points", lambda rows: [DesignPoint.from_mapping(row) for row in rows]
    )


def frontier(points: Iterable[DesignPoint], network: str) -> list[DesignPoint]:
    """The points than which no other is as small and as fast, and better in one of the two.

    Small is the share of the part that the resource takes which binds; fast are the network's
    cycles. Those on which it does not run, or that do not fit their part, are not among them.
    """
    there = [
        (point.binding[1], cycles, point)
        for point in points
        if point.estimate and (cycles := point.cycles.get(network)) is not None
    ]
    return [
        point for share, cycles, point in there
        if not any(
            other <= share and time <= cycles and (other, time) != (share, cycles)
            for other, time, _ in there
        )
    ]


def points_page(points: Sequence[DesignPoint]) -> str:
    """Points as a page of Markdown, a table for each NPU in each family."""
    groups = dict.fromkeys((point.npu, point.family) for point in points)
    return _PAGE.format(sections="\n".join(
        _section(npu, family, [one for one in points if (one.npu, one.family) == (npu, family)])
        for npu, family in groups
    ))


def _section(npu: str, family: str, points: Sequence[DesignPoint]) -> str:
    device = device_of(FAMILIES[family])
    networks = list(dict.fromkeys(name for point in points for name in point.cycles))
    best = {network: frontier(points, network) for network in networks}
    heading = ["changed", *RESOURCES, "binds", "wire", "MHz before routing", *networks]
    rows = [heading, ["---", *["---:"] * (len(heading) - 1)]]
    for point in points:
        name, share = point.binding
        placed = point.estimate
        rows.append([
            point.name, *_shares(point.taken, device.capacity), f"{name}, {share:.0%}",
            *((f"{placed.wire:,}", f"{placed.fmax:.1f}") if placed else ("does not fit", "")),
            *(_cycles(point, network, point in best[network]) for network in networks),
        ])
    tools = ", ".join(dict.fromkeys(point.tools for point in points))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return _SECTION.format(npu=npu, device=device.title, tools=tools, table=table)


def _shares(counts: Capacity, part: Capacity) -> list[str]:
    """Numbers, with their share of the part."""
    return [
        f"{number:,} ({number / there:.0%})" for number, there in zip(counts, part, strict=True)
    ]


def _cycles(point: DesignPoint, network: str, best: bool) -> str:
    if network not in point.cycles:
        return ""
    cycles = point.cycles[network]
    if cycles is None:
        return "does not fit"
    return f"**{cycles:,}**" if best else f"{cycles:,}"


_PAGE = """\
# Design points

Written by `cimple explore NPU --vary "FIELD=VALUE ..." --networks NETWORK...`. Each point is an NPU
with some fields changed, synthesised in a harness that keeps its ports busy, and placed once, with
seed 1. *Wire* is half the perimeter of the box around each net, summed up, in tiles; *MHz before
routing* takes delays of wires by distance. Both compare points; routing comes after them, and a
design for use is placed with more effort. Cycles are those of one image, by the cycle model, which
is exact. **Bold**: no other point takes as small a share of the part, of what binds, with as few
cycles, and less of one of the two.

{sections}"""

_SECTION = """\
## {npu}

{device}; {tools}.

{table}
"""
