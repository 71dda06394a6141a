# SPDX-License-Identifier: Apache-2.0
"""`cimple verify`: the benches of Cimple on one's own configuration."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ...fpga.netlist import NETLISTS
from ...hdl.errors import CimpleError
from ...hdl.link.config import DEFAULT_BAUD, DEFAULT_BUFFER, DEFAULT_CLOCK, DEFAULT_DEPTH, Protocol
from ...hdl.load import load_config
from ...verif.bench.simulators import SIMULATORS
from ...verif.bench.verify import Step, VerifyResult
from ...verif.bench.verify import verify as verify_config
from ..gates import netlister_for
from .wrapping import (
    BaudOption,
    BufferOption,
    ClockOption,
    DepthOption,
    WrapperOption,
    wrapper_of,
)

__all__ = ["VerifyDisplay", "print_result", "verify"]

_STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


def verify(
    config: Annotated[
        str, typer.Argument(help="YAML file, or the name of a preset (`cimple presets`).")
    ],
    *,
    sim: Annotated[
        str, typer.Option(help="Simulators, separated by commas.", metavar="NAMES")
    ] = ",".join(SIMULATORS),
    seeds: Annotated[
        int, typer.Option(min=1, max=10_000, help="Number of seeds to run with each simulator.")
    ] = 1,
    first_seed: Annotated[
        int, typer.Option(min=0, help="The first seed; the others follow it.")
    ] = 1,
    junit: Annotated[
        Path | None, typer.Option(help="Write the results as JUnit XML.", metavar="FILE")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds without progress after which a case has failed.")
    ] = 300,
    netlist: Annotated[
        str | None,
        typer.Option(
            help=f"Run the benches on the netlist for an FPGA family: {', '.join(NETLISTS)}. "
            "Needs the extra fpga.",
            metavar="FAMILY",
        ),
    ] = None,
    wrapper: WrapperOption = Protocol.NONE.value,
    fifo_depth: DepthOption = DEFAULT_DEPTH,
    clock_hz: ClockOption = DEFAULT_CLOCK,
    baud: BaudOption = DEFAULT_BAUD,
    buffer_words: BufferOption = DEFAULT_BUFFER,
) -> None:
    """Generate a design and run its test benches on it.

    Exit code 0: all passed; 1: something failed; 2: it could not be tried.
    """
    simulators = [name.strip() for name in sim.split(",") if name.strip()]
    if not simulators:
        raise CimpleError(f"--sim: name at least one simulator of {', '.join(SIMULATORS)}")
    chosen = load_config(config)
    around = wrapper_of(wrapper, fifo_depth, clock_hz, baud, buffer_words)
    netlister = netlister_for(netlist) if netlist is not None else None
    console = Console(highlight=False, soft_wrap=True)
    every = range(first_seed, first_seed + seeds)
    with VerifyDisplay(console) as display:
        result = verify_config(
            chosen, simulators, every, junit, display.show, timeout=timeout, netlister=netlister,
            wrapper=around,
        )
    print_result(console, result)
    if junit is not None:
        console.print(f"results written to {escape(str(junit))}")
    if not result.passed:
        raise typer.Exit(1)


class VerifyDisplay(Progress):
    """A line for every case that ended, and below them what is running."""

    def __init__(self, console: Console) -> None:
        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        super().__init__(*columns, console=console, transient=True)
        self._now = self.add_task("generate")

    def show(self, step: Step) -> None:
        """Take note of a step."""
        case = step.case
        seed = "" if step.seed is None else f"seed {step.seed}"
        where = f"{step.simulator:<9}  {seed:<7}  {escape(case.name)}"
        if case.outcome == "started":
            self.reset(self._now, description=where)
            return
        style = _STYLES[case.outcome]
        self.console.print(f"[{style}]{case.outcome}[/]  {where}  {case.seconds:.1f} s")


def print_result(console: Console, result: VerifyResult) -> None:
    """The failures, then a line for each simulation."""
    for each in result.runs:
        for case in each.run.cases:
            if case.outcome == "failed":
                where = f"{each.simulator.name}, seed {each.seed}, {case.name}"
                console.print(f"[bold red]{escape(where)}[/]\n{escape(case.message)}")
    netlist = f", netlist for {result.netlist}" if result.netlist else ""
    table = Table(title=result.name + netlist, title_justify="left")
    for heading in ("simulator", "seed", "passed", "failed", "seconds"):
        table.add_column(heading, justify="left" if heading == "simulator" else "right")
    for each in result.runs:
        cases = each.run.cases
        passed = sum(case.outcome == "passed" for case in cases)
        table.add_row(
            f"{each.simulator.name} {each.simulator.version}",
            str(each.seed),
            str(passed),
            str(len(cases) - passed),
            f"{sum(case.seconds for case in cases):.1f}",
        )
    console.print(table)
    console.print("[green]passed[/]" if result.passed else "[bold red]failed[/]")
