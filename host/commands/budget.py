# SPDX-License-Identifier: Apache-2.0
"""`cimple budget`: what NPUs take of a part, block by block."""

from pathlib import Path
from typing import Annotated

import typer

from ...fpga.breakdown import module_cells
from ...fpga.budget import Budget, block_counts
from ...fpga.budget_record import (
    budgets_page,
    merge_budgets,
    read_budgets,
    to_budgets_record,
)
from ...fpga.families import Family, family_of
from ...fpga.resources import count_cells, input_digest
from ...fpga.yosys import Yosys, find_yosys
from ...hdl.generate import generate
from ...hdl.npu.config import NpuConfig
from .compile import load_npu
from .resources_files import (
    FamilyOption,
    Measuring,
    measuring,
    refuse_namesakes,
    say_written,
    write_record,
)

__all__ = ["budget"]

_STEM = "budget"


def budget(
    npus: Annotated[list[str], typer.Argument(help="YAML files or presets of NPUs.")],
    *,
    family: FamilyOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Synthesise designs whose recorded counts hold, too.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Count what NPUs take of a part by block, and what is left of it.

    Written to budget.json and budget.md after each NPU, so that an interruption loses one at most.
    Results of NPUs that are not named stay in them. A design is synthesised twice, whole and block
    by block, which takes minutes; one whose recorded counts still hold is not.
    """
    configs = [load_npu(name) for name in npus]
    families = [family_of(config, family) for config in configs]
    refuse_namesakes([config.name for config in configs], "name", "of the NPUs")
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
            found = _measure(config, chosen, yosys, known, display)
            budgets = merge_budgets(budgets, found)
            written = write_record(
                output, _STEM, to_budgets_record(budgets), budgets_page(budgets)
            )
        display.end(f"done with Yosys {yosys.version}")
    say_written(written)


def _measure(
    config: NpuConfig, family: Family, yosys: Yosys, known: Budget | None, display: Measuring
) -> Budget:
    """One NPU's budget; its counts are those that are known, if they hold."""
    say = display.steps_of(config.name)
    say("generation")
    design = generate(config)
    digest = input_digest(design, family)
    if known and (known.input_sha256, known.yosys) == (digest, yosys.version):
        display.done(f"{_line(known)}; as recorded")
        return known
    say("synthesis of the whole")
    whole = count_cells(config, design, family, yosys).taken
    say("synthesis block by block")
    blocks = block_counts(module_cells(design, family, yosys), design.name, family)
    found = Budget(config.name, family.name, yosys.version, digest, whole, blocks)
    display.done(_line(found))
    return found


def _line(found: Budget) -> str:
    sites, ff, rams, dsps = found.whole
    line = f"{found.name}: {sites:,} sites, {ff:,} FF, {rams} block RAMs, {dsps} DSP blocks"
    if found.binding:
        name, share = found.binding
        line += f"; {share:.0%} of {name}"
    return line
