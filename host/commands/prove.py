# SPDX-License-Identifier: Apache-2.0
"""`cimple prove`: formal proofs of the macro."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ...hdl.errors import CimpleError
from ...hdl.load import load_config
from ...hdl.macro.config import MacroConfig
from ...hdl.npu.config import NpuConfig
from ...verif.formal.properties import PROPERTIES, SMALL, Property, excluded
from ...verif.formal.run import Verdict
from ...verif.formal.run import prove as prove_property
from ...verif.formal.tools import find_tools

__all__ = ["prove"]

_NAMES = tuple(each.name for each in PROPERTIES)

#: What the outcomes other than `proven` mean.
_MEANING = {
    "failed": "there is a run that breaks",
    "unknown": "the induction does not close for",
    "empty": "no run reaches",
    "timeout": "not finished in time",
}


def prove(
    config: Annotated[
        str | None,
        typer.Argument(
            help="YAML file, or the name of a preset (`cimple presets`); without it the small "
            "configurations of the recorded proofs.",
            show_default=False,
        ),
    ] = None,
    *,
    property_: Annotated[
        list[str] | None,
        typer.Option(
            "--property", "-p", help=f"One of {', '.join(_NAMES)}; all of them without it.",
            metavar="NAME", show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds after which a proof is given up.")
    ] = 600,
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep netlists, jobs and traces there.", metavar="DIR"),
    ] = None,
) -> None:
    """Prove properties of a macro, or of an NPU's macro, with SymbiYosys and z3.

    Exit code 0: all were proven, but for those named as skipped; 1: one was not; 2: it could not
    be tried.
    """
    chosen = _chosen(property_ or [])
    jobs = list(_jobs(chosen, _macro(config) if config else None))
    tools = find_tools()
    proven, tried = 0, 0
    console = Console(highlight=False, soft_wrap=True, markup=False)
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as display:
        now = display.add_task("")
        for each, macro in jobs:
            display.reset(now, description=f"{each.name} of {macro.name}")
            if reason := excluded(each, macro):
                console.print(f"{each.name:<12} {macro.name:<16} skipped   {reason}")
                continue
            directory = keep / f"{each.name}_{macro.name}" if keep else None
            verdict = prove_property(each, macro, tools, timeout=timeout, keep=directory)
            console.print(_line(each, macro, verdict))
            tried += 1
            proven += verdict.proven
    if not tried:
        raise CimpleError("nothing could be proven: every property was skipped for this macro")
    console.print(f"{proven} of {tried} proven")
    if proven < tried:
        raise typer.Exit(1)


def _chosen(names: list[str]) -> list[Property]:
    for name in names:
        if name not in _NAMES:
            raise CimpleError(
                f"--property {name}: no such property; properties are: {', '.join(_NAMES)}"
            )
    return [each for each in PROPERTIES if not names or each.name in names]


def _macro(source: str) -> MacroConfig:
    config = load_config(source)
    macro = config.array if isinstance(config, NpuConfig) else config
    assert isinstance(macro, MacroConfig)
    return macro


def _jobs(
    chosen: list[Property], macro: MacroConfig | None
) -> Iterator[tuple[Property, MacroConfig]]:
    for each in chosen:
        if macro is not None:
            yield each, macro
        else:
            yield from ((each, SMALL[size]) for size in (*each.sizes, *each.longer))


def _line(property_: Property, macro: MacroConfig, verdict: Verdict) -> str:
    line = f"{property_.name:<12} {macro.name:<16} {verdict.outcome:<9} {verdict.seconds:.1f} s"
    if verdict.proven:
        return line
    return f"{line}: {_MEANING[verdict.outcome]} {', '.join(verdict.claims)}".rstrip()
