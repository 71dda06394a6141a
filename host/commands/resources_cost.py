# SPDX-License-Identifier: Apache-2.0
"""`cimple resources` with clock frequencies, in chosen families, or of one's own files."""

from dataclasses import replace
from pathlib import Path

from ...fpga.cost import Cost, cost_table, merge_costs, read_costs, to_cost_record
from ...fpga.families import family_of
from ...fpga.nextpnr import find_nextpnr
from ...fpga.place import device_of, place
from ...fpga.resources import count_cells
from ...fpga.yosys import find_yosys
from ...hdl.config import Config
from ...hdl.generate import generate
from .resources_files import measuring, say_written, write_record

__all__ = ["measure_cost"]

_STEM = "macro_cost"


def measure_cost(configs: list[Config], family: str | None, seeds: int, output: Path) -> None:
    """Count designs, place each with some seeds, and renew their rows in the record.

    The record is written after each design, so that an interruption loses one at most. With no
    seeds nothing is placed.

    Raises:
        CimpleError: a tool is missing or fails, or a family does not suit a design.
    """
    families = [family_of(config, family) for config in configs]
    tools = {device_of(each).tool for each in families} if seeds else set()
    record = output / f"{_STEM}.json"
    costs = read_costs(record) if record.exists() else []
    written: list[Path] = []
    with measuring(len(configs)) as display:
        # Found before anything long is begun.
        yosys = find_yosys()
        nextpnr = {tool: find_nextpnr(tool) for tool in sorted(tools)}
        for config, chosen in zip(configs, families, strict=True):
            design = generate(config)
            say = display.steps_of(f"{design.name} in {chosen.name}")
            say("synthesis")
            cost = Cost(design.name, count_cells(config, design, chosen, yosys))
            if seeds:
                tool = nextpnr[device_of(chosen).tool]
                placement = place(design, chosen, yosys, tool, seeds, say)
                cost = replace(cost, placement=placement)
            costs = merge_costs(costs, [cost])
            written = write_record(output, _STEM, to_cost_record(costs), cost_table(costs))
            display.done(_line(cost))
        display.end(f"done with Yosys {yosys.version}")
    say_written(written)


def _line(cost: Cost) -> str:
    found = cost.resources
    line = f"{cost.name} in {found.family}: {found.sites} sites, {found.ff} FF"
    if found.cost_per_operation is not None:
        line += f", {found.cost_per_operation:.3f} for each binary operation"
    if cost.placement:
        line += f"; {cost.placement.median:.1f} MHz"
    return line
