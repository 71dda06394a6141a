# SPDX-License-Identifier: Apache-2.0
"""`cimple budget`: what NPUs take of a part, block by block, and the cycles of networks on them."""

from pathlib import Path
from typing import Annotated

import typer

from ...compiler.compile import compile_graph, read_network
from ...compiler.errors import ModelError
from ...compiler.ir import Graph
from ...fpga.breakdown import module_cells
from ...fpga.budget import Budget, block_counts, design_shape
from ...fpga.budget_record import (
    budgets_page,
    merge_budgets,
    read_budgets,
    to_budgets_record,
)
from ...fpga.families import Capacity, Family, family_of
from ...fpga.resources import count_cells, input_digest
from ...fpga.yosys import Yosys, find_yosys
from ...hdl.errors import CimpleError
from ...hdl.generate import generate
from ...hdl.npu.config import NpuConfig
from .compile import load_npu
from .resources_files import FamilyOption, Measuring, measuring, say_written, write_record

__all__ = ["budget"]

_STEM = "budget"


def budget(
    npus: Annotated[list[str], typer.Argument(help="YAML files or presets of NPUs.")],
    *,
    networks: Annotated[
        list[Path] | None,
        typer.Option(
            "--networks", "-n", help="Network whose cycles are counted; may be given again.",
            metavar="FILE", show_default=False,
        ),
    ] = None,
    family: FamilyOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Synthesise designs whose recorded counts hold, too.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Count what NPUs take of a part by block, and networks' cycles, for the frontier of both.

    Written to budget.json and budget.md after each NPU, so that an interruption loses one at most.
    Results of NPUs and networks that are not named stay in them. A design is synthesised twice,
    whole and block by block, which takes minutes; one whose recorded counts still hold is not.
    """
    configs = [load_npu(name) for name in npus]
    families = [family_of(config, family) for config in configs]
    _refuse_namesakes([config.name for config in configs], "name", "of the NPUs")
    graphs = {path.name: read_network(path) for path in networks or []}
    _refuse_namesakes([path.name for path in networks or []], "--networks", "of the files")
    record = output / f"{_STEM}.json"
    budgets = read_budgets(record) if record.exists() else []
    written: list[Path] = []
    with measuring(len(configs)) as display:
        yosys = find_yosys()
        for config, chosen in zip(configs, families, strict=True):
            known = None if again else next(
                (row for row in budgets if (row.name, row.family) == (config.name, chosen.name)),
                None,
            )
            found = _measure(config, chosen, graphs, yosys, known, display)
            budgets = merge_budgets(budgets, found)
            written = write_record(
                output, _STEM, to_budgets_record(budgets), budgets_page(budgets)
            )
        display.end(f"done with Yosys {yosys.version}")
    say_written(written)


def _measure(
    config: NpuConfig, family: Family, graphs: dict[str, Graph], yosys: Yosys,
    known: Budget | None, display: Measuring,
) -> Budget:
    """One NPU's budget; its counts are those that are known, if they hold."""
    say = display.steps_of(config.name)
    say("generation")
    design = generate(config)
    digest = input_digest(design, family)
    if known and (known.input_sha256, known.yosys) == (digest, yosys.version):
        whole, blocks, remark = known.whole, known.blocks, "; counts as recorded"
    else:
        say("synthesis of the whole")
        counted = count_cells(config, design, family, yosys)
        whole = Capacity(counted.sites, counted.ff, counted.rams, counted.dsps)
        say("synthesis block by block")
        blocks = block_counts(module_cells(design, family, yosys), design.name, family)
        remark = ""
    say("cycles")
    cycles = {name: _cycles(graph, config, name) for name, graph in graphs.items()}
    found = Budget(
        config.name, family.name, yosys.version, digest, design_shape(config), whole, blocks,
        cycles,
    )
    display.done(f"{_line(found)}{remark}")
    return found


def _cycles(graph: Graph, config: NpuConfig, name: str) -> int | None:
    """Of an image, by the cycle model; None where the network does not fit the NPU."""
    try:
        return compile_graph(graph, config, name, "0" * 64).report.cycles
    except ModelError as error:
        typer.echo(f"{config.name}: {name}: {error}", err=True)
        return None


def _line(found: Budget) -> str:
    sites, ff, rams, dsps = found.whole
    line = f"{found.name}: {sites:,} sites, {ff:,} FF, {rams} block RAMs, {dsps} DSP blocks"
    if found.binding:
        name, share = found.binding
        line += f"; {share:.0%} of {name}"
    times = [f"{name} {cycles:,}" for name, cycles in found.cycles.items() if cycles is not None]
    return line + (f"; cycles: {', '.join(times)}" if times else "")


def _refuse_namesakes(names: list[str], field: str, of_what: str) -> None:
    """The record holds designs, and networks, by name."""
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise CimpleError(
            f"{field}: several {of_what} are called {', '.join(twice)}; give each a name of its own"
        )
