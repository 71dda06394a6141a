# SPDX-License-Identifier: Apache-2.0
"""`cimple gates`: the benches on netlists of presets, and the record of it."""

from itertools import product
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ...fpga.netlist import NETLISTS
from ...hdl.errors import CimpleError
from ...hdl.load import load_config, preset_files
from ...verif.bench.simulators import SIMULATORS
from ...verif.bench.verify import verify
from ..gates import gate_page, netlister_for, results_of
from ..records import read_results, write_results
from .verify import VerifyDisplay, print_result

__all__ = ["gates"]


def gates(
    presets: Annotated[list[str], typer.Argument(help="Names of presets (`cimple presets`).")],
    *,
    netlist: Annotated[
        str, typer.Option(help="FPGA families, separated by commas.", metavar="FAMILIES")
    ] = ",".join(NETLISTS),
    sim: Annotated[
        str, typer.Option(help="Simulators, separated by commas.", metavar="NAMES")
    ] = ",".join(SIMULATORS),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the stimuli.")] = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Run the benches of presets on their netlists for FPGA families, and record it.

    Writes gate_level.json and gate_level.md; results of other presets, families and simulators stay
    in them. A case that fails ends the command with exit code 1; what passed before it is kept.
    """
    known = preset_files()
    for name in presets:
        if name not in known:
            raise CimpleError(f"{name}: no such preset; presets are: {', '.join(known)}")
    families = [name.strip() for name in netlist.split(",") if name.strip()]
    simulators = [name.strip() for name in sim.split(",") if name.strip()]
    if not families or not simulators:
        raise CimpleError("--netlist and --sim: name at least one family and one simulator")
    console = Console(highlight=False, soft_wrap=True)
    stem = output / "gate_level"
    results = read_results(output / "gate_level.json")
    for name, family in product(presets, families):
        with VerifyDisplay(console) as display:
            verdict = verify(
                load_config(name), simulators, [seed], progress=display.show,
                netlister=netlister_for(family),
            )
        if not verdict.passed:
            print_result(console, verdict)
            raise typer.Exit(1)
        results |= results_of(name, verdict)
        write_results(stem, results, gate_page(results))
    typer.echo(f"written: {stem}.json, {stem}.md")
