# SPDX-License-Identifier: Apache-2.0
"""`cimple cover`: the macro's bench on every legal pair of field values, and the record of it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ...hdl.errors import CimpleError
from ...verif.bench.macro_space import covering_array
from ...verif.bench.simulators import SIMULATORS
from ...verif.bench.verify import verify
from ..cover import cover_page, result_of
from ..records import write_results
from .verify import VerifyDisplay, print_result

__all__ = ["cover"]


def cover(
    *,
    sim: Annotated[
        str, typer.Option(help="Simulators, separated by commas.", metavar="NAMES")
    ] = ",".join(SIMULATORS),
    seed: Annotated[int, typer.Option(min=0, help="Seed of configurations and stimuli.")] = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Run the macro's bench on configurations that cover every legal pair of field values.

    Writes macro_coverage.json and macro_coverage.md after each configuration. A case that fails
    ends the command with exit code 1; what passed before it is kept.
    """
    simulators = [name.strip() for name in sim.split(",") if name.strip()]
    if not simulators:
        raise CimpleError(f"--sim: name at least one simulator of {', '.join(SIMULATORS)}")
    console = Console(highlight=False, soft_wrap=True)
    stem = output / "macro_coverage"
    configs = covering_array(seed)
    results: dict[str, Any] = {}
    for number, config in enumerate(configs, start=1):
        fields = config.model_dump(mode="json", exclude_defaults=True)
        console.print(f"{number} of {len(configs)}: {fields}", markup=False)
        with VerifyDisplay(console) as display:
            verdict = verify(config, simulators, [seed], progress=display.show)
        if not verdict.passed:
            print_result(console, verdict)
            raise typer.Exit(1)
        results[config.digest()] = result_of(config, verdict, seed)
        write_results(stem, results, cover_page(results))
    typer.echo(f"written: {stem}.json, {stem}.md")
