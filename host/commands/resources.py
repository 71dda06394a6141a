# SPDX-License-Identifier: Apache-2.0
"""`cimple resources`: synthesise presets, and keep or check the record of what they take."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ...fpga.resources import Resources, growth, measure, read_record, record_table, to_record
from ...fpga.yosys import find_yosys
from ...hdl.errors import CimpleError
from ...hdl.load import load_config, preset_files

__all__ = ["resources"]


def resources(
    presets: Annotated[
        list[str] | None,
        typer.Argument(help="Names of presets (`cimple presets`).", show_default=False),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All presets.")] = False,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR"),
    ] = Path("docs/results"),
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; fail where a count is over 1 % above."),
    ] = False,
) -> None:
    """Count the FPGA resources of presets (ECP5, after synthesis by Yosys).

    Writes resources.md and resources.json; results of presets that are not named stay in them.
    """
    known = preset_files()
    names = list(known) if every else list(presets or [])
    if not names:
        raise CimpleError("no presets named; name some (cimple presets lists them) or say --all")
    for name in names:
        if name not in known:
            raise CimpleError(f"{name}: no such preset; presets are: {', '.join(known)}")
    record = output / "resources.json"
    recorded = read_record(record) if check or record.exists() else {}
    if check and (missing := [name for name in names if name not in recorded]):
        raise CimpleError(f"{record}: does not hold {', '.join(missing)}; measure without --check")
    results = _measure(names)
    if check:
        _compare(results, recorded)
    else:
        merged = {name: (recorded | results)[name] for name in known if name in recorded | results}
        _write(output, merged)


def _measure(names: list[str]) -> dict[str, Resources]:
    results = {}
    columns = (
        SpinnerColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(
            "starting Yosys (a new WebAssembly wheel first compiles itself, about a minute)",
            total=len(names),
        )
        yosys = find_yosys()
        for name in names:
            progress.update(task, description=f"{name}: synthesis")
            results[name] = found = measure(load_config(name), yosys)
            progress.advance(task)
            progress.console.print(_line(name, found), highlight=False, soft_wrap=True)
        progress.update(task, description=f"done with Yosys {yosys.version}")
    return results


def _line(name: str, found: Resources) -> str:
    line = f"{name}: {found.sites} sites, {found.ff} FF"
    if found.dp16kd or found.mult18x18d:
        line += f", {found.dp16kd} block RAMs, {found.mult18x18d} DSP blocks"
    if found.sites_per_operation is not None:
        line += f"; {found.sites_per_operation:.3f} sites and {found.ff_per_operation:.3f} FF"
        line += " for each binary operation"
    return line


def _compare(results: dict[str, Resources], recorded: dict[str, Resources]) -> None:
    grown = [line for name in results for line in growth(name, recorded[name], results[name])]
    if grown:
        raise CimpleError("\n".join(grown))
    typer.echo(f"no growth in {', '.join(results)}")


def _write(directory: Path, results: dict[str, Resources]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    record = json.dumps(to_record(results), indent=2) + "\n"
    for name, text in (("resources.json", record), ("resources.md", record_table(results))):
        unfinished = directory / f"{name}.new"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(directory / name)
        typer.echo(f"written: {directory / name}")
