# SPDX-License-Identifier: Apache-2.0
"""What designs cost and how fast they are, and the record of it: `macro_cost.json` and its page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .families import FAMILIES, Family
from .place import Placement
from .records import read_results, to_results
from .resources import Resources

__all__ = ["Cost", "cost_table", "merge_costs", "read_costs", "to_cost_record"]


@dataclass(frozen=True)
class Cost:
    """One design in one family."""

    name: str
    resources: Resources
    placement: Placement | None = None
    """None where it has only been counted."""

    @property
    def key(self) -> tuple[str, str]:
        """Name and family, of which a record holds each pair once."""
        return self.name, self.resources.family


def merge_costs(old: Iterable[Cost], new: Iterable[Cost]) -> list[Cost]:
    """Old results with the new ones in place of those they renew, in order of families.

    What has only been counted now keeps the placement that the same Verilog had before, in the same
    flow.
    """
    merged = {cost.key: cost for cost in old}
    for cost in new:
        before = merged.get(cost.key)
        if before and not cost.placement and _is_placed_alike(before, cost):
            cost = replace(cost, placement=before.placement)
        merged[cost.key] = cost
    order = list(FAMILIES)
    return sorted(merged.values(), key=lambda cost: order.index(cost.resources.family))


def _is_placed_alike(before: Cost, now: Cost) -> bool:
    """Whether a placement from before is one of the same design, placed as it is done now."""
    device = FAMILIES[now.resources.family].device
    return (
        before.placement is not None
        and device is not None
        and before.placement.device == device.flow(_kind(now))
        and before.resources.input_sha256 == now.resources.input_sha256
    )


def _kind(cost: Cost) -> str:
    """Only a macro's cost counts by operation."""
    return "macro" if cost.resources.binary_operations else "npu"


def to_cost_record(costs: Iterable[Cost]) -> dict[str, Any]:
    """Results as plain data."""
    return to_results(_to_mapping(cost) for cost in costs)


def read_costs(path: Path) -> list[Cost]:
    """The recorded results.

    Raises:
        CimpleError: the file cannot be read, or is no record.
    """
    return read_results(path, "costs", lambda rows: [_from_mapping(row) for row in rows])


def _to_mapping(cost: Cost) -> dict[str, Any]:
    found, placement = cost.resources, cost.placement
    sums = {"sites": found.sites, "block_rams": found.rams, "dsp_blocks": found.dsps}
    return {
        "name": cost.name,
        **found.to_mapping(),
        **sums,
        "cost_per_operation": found.cost_per_operation,
        "placement": placement.to_mapping() if placement else None,
    }


def _from_mapping(row: Mapping[str, Any]) -> Cost:
    placement = row["placement"]
    return Cost(
        row["name"],
        Resources.from_mapping(row),
        Placement.from_mapping(placement) if placement else None,
    )


def cost_table(costs: Iterable[Cost]) -> str:
    """Results as a page of Markdown."""
    rows = "\n".join(f"| {' | '.join(_row(cost))} |" for cost in costs)
    families = "\n".join(
        f"- {family.name}: `{family.synthesis.format(name='<name>')}`"
        + (f"; placed in {family.device.flow()}" if family.device else "; not placed")
        + _npu_effort(family)
        for family in FAMILIES.values()
    )
    return _PAGE.format(rows=rows, families=families)


def _npu_effort(family: Family) -> str:
    effort = family.device.npu_effort.words if family.device else ()
    return f", NPUs with `{' '.join(effort)}` too" if effort else ""


def _row(cost: Cost) -> list[str]:
    found, placement = cost.resources, cost.placement
    figure = found.cost_per_operation
    counts = found.taken
    tools = f"Yosys {found.yosys}"
    speed = ["", "", ""]
    if placement:
        tools += f", nextpnr {placement.nextpnr}"
        device = FAMILIES[found.family].device
        positions = placement.used.get(device.positions, 0) if device else 0
        each = ", ".join(f"{fmax:.1f}" for fmax in placement.fmax)
        speed = [f"{placement.median:.1f}", each, str(positions)]
    return [
        cost.name,
        found.family,
        *map(str, counts),
        "" if figure is None else f"{figure:.3f}",
        *speed,
        tools,
    ]


_PAGE = """\
# Cost and speed of macros and NPUs

Written by `cimple resources CONFIG... --place`. Counts are of the design alone, after synthesis
with the flow's defaults: sites (LUT4 positions), flip-flops (FF), blocks of RAM and DSP blocks. The
cost of a macro's binary operation, one weight bit times one input bit in a cycle, is the larger of
sites and FF for each of them.

Fmax is nextpnr's after place and route, the median over the seeds, which are all listed. For this
the design is put into a harness with a register at each port; its paths count, and its cells are in
the placed positions. On the ECP5 adders are mapped for that by `fpga/ecp5_chains.v`, as nextpnr
would add cells to the carry chains of the flow's defaults.

{families}

| design | family | sites | FF | RAM | DSP | max(sites, FF) / op | Fmax MHz | by seed | \
placed positions, with harness | tools |
|---|---|---:|---:|---:|---:|---:|---:|---|---:|---|
{rows}
"""
