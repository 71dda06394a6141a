# SPDX-License-Identifier: Apache-2.0
"""`cimple resources`: what designs take of an FPGA or of silicon, and the records of it."""

from collections import Counter
from itertools import compress
from pathlib import Path
from typing import Annotated

import typer

from ...fpga.families import family_of, suits_fpgas
from ...fpga.resources import (
    Resources,
    count_cells,
    growth,
    input_digest,
    measure,
    read_record,
    record_table,
    to_record,
)
from ...fpga.yosys import find_yosys
from ...hdl.config import Config
from ...hdl.errors import CimpleError
from ...hdl.generate import generate
from ...hdl.load import load_config, preset_files
from .resources_asic import estimate_asic
from .resources_cost import measure_cost
from .resources_files import FamilyOption, measuring, say_written, write_record
from .resources_modules import show_modules

__all__ = ["resources"]

_CHECK_IS_PLAIN = (
    "--check compares plain counts of presets with their record: "
    "omit --place, --asic, --modules, --family and YAML files"
)


def resources(
    configs: Annotated[
        list[str] | None,
        typer.Argument(
            help="YAML files, or names of presets (`cimple presets`).", show_default=False
        ),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All presets; only --asic takes those of latches.")
    ] = False,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Directory of the records.", metavar="DIR"),
    ] = Path("docs/results"),
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; fail where a count is over 1 % above."),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Count presets whose recorded counts still hold, too.")
    ] = False,
    family: FamilyOption = None,
    place: Annotated[
        bool, typer.Option("--place", help="Place and route as well, for the clock frequency.")
    ] = False,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Placements whose median is taken.")
    ] = 3,
    modules: Annotated[
        bool,
        typer.Option("--modules", help="Show and record how counts divide among modules."),
    ] = False,
    asic: Annotated[
        bool, typer.Option("--asic", help="Estimate the transistors of macros instead.")
    ] = False,
    liberty: Annotated[
        Path | None,
        typer.Option(help="With --asic: map to the cells of this library.", metavar="FILE"),
    ] = None,
) -> None:
    """Count what designs take of an FPGA after synthesis by Yosys; time or estimate them.

    Counts of presets are kept in resources.json and resources.md. Those of YAML files, of another
    family and with clock frequencies go to macro_cost.json and macro_cost.md, those by module to
    module_counts.json and module_counts.md, estimates to asic_estimate.json and asic_estimate.md.
    Results of designs that are not named stay in them.

    A preset is counted where its Verilog, the flow or Yosys is another than at its recorded count.
    """
    known = preset_files()
    names = list(known) if every else list(dict.fromkeys(configs or []))
    if not names:
        raise CimpleError(
            "nothing to measure: name YAML files or presets (cimple presets lists them), "
            "or say --all"
        )
    of_family = family is not None
    plain = not (place or asic or modules or of_family) and all(name in known for name in names)
    _refuse(
        (check and not plain, _CHECK_IS_PLAIN),
        (asic and (place or of_family), "--asic is of no FPGA family: omit --place and --family"),
        (modules and (place or asic), "--modules counts nothing else: omit --place and --asic"),
        (again and not plain, "--again is for plain counts of presets, others are never kept"),
        (liberty is not None and not asic, "--liberty is for --asic: add --asic"),
    )
    chosen = [load_config(name) for name in names]
    if every and not asic:
        names, chosen = _without_latches(names, chosen)
    elif not asic:
        # Refused before anything long is begun.
        for config in chosen:
            family_of(config, family)
    _refuse_namesakes(chosen)
    if modules:
        show_modules(chosen, family, output)
    elif asic:
        estimate_asic(chosen, liberty, output)
    elif plain:
        presets = dict(zip(names, chosen, strict=True))
        if check:
            _check(presets, output)
        else:
            _count(presets, output, again)
    else:
        measure_cost(chosen, family, seeds if place else 0, output)


def _without_latches(
    names: list[str], configs: list[Config]
) -> tuple[list[str], list[Config]]:
    """Those of the presets that an FPGA can hold."""
    suited = [suits_fpgas(config) for config in configs]
    left = [name for name, suits in zip(names, suited, strict=True) if not suits]
    typer.echo(f"left out, as FPGAs have no latches: {', '.join(left)}", err=True)
    return list(compress(names, suited)), list(compress(configs, suited))


def _refuse(*faults: tuple[bool, str]) -> None:
    """Raise the message of the first fault that is there."""
    for is_there, message in faults:
        if is_there:
            raise CimpleError(message)


def _refuse_namesakes(configs: list[Config]) -> None:
    """Records hold designs by name."""
    count = Counter(str(config.to_mapping()["name"]) for config in configs)
    if twice := [name for name, times in count.items() if times > 1]:
        raise CimpleError(
            f"name: several of the designs are called {', '.join(twice)}; give each a name of its "
            "own, or measure them one by one"
        )


def _check(configs: dict[str, Config], output: Path) -> None:
    """Count presets and compare them with the record."""
    record = output / "resources.json"
    recorded = read_record(record)
    if missing := [name for name in configs if name not in recorded]:
        raise CimpleError(f"{record}: does not hold {', '.join(missing)}; measure without --check")
    grown = []
    with measuring(len(configs)) as display:
        yosys = find_yosys()
        for name, config in configs.items():
            display.steps_of(name)("synthesis")
            found = measure(config, yosys)
            grown += growth(name, recorded[name], found)
            display.done(_line(name, found))
        display.end(f"done with Yosys {yosys.version}")
    if grown:
        raise CimpleError("\n".join(grown))
    typer.echo(f"no growth in {', '.join(configs)}")


def _count(configs: dict[str, Config], output: Path, again: bool) -> None:
    """Count presets into the record; unless `again` is set, only those whose counts are outdated.

    The record is written after each preset, so that an interruption loses one at most.
    """
    record = output / "resources.json"
    results = read_record(record) if record.exists() else {}
    written: list[Path] = []
    with measuring(len(configs)) as display:
        yosys = find_yosys()
        for name, config in configs.items():
            say = display.steps_of(name)
            say("generation")
            design, family = generate(config), family_of(config)
            current = (input_digest(design, family), yosys.version)
            old = results.get(name)
            if old and (old.input_sha256, old.yosys) == current and not again:
                display.done(f"{_line(name, old)}; as recorded")
            else:
                say("synthesis")
                results[name] = count_cells(config, design, family, yosys)
                display.done(_line(name, results[name]))
            ordered = {each: results[each] for each in preset_files() if each in results}
            written = write_record(output, "resources", to_record(ordered), record_table(ordered))
        display.end(f"done with Yosys {yosys.version}")
    say_written(written)


def _line(name: str, found: Resources) -> str:
    line = f"{name}: {found.sites} sites, {found.ff} FF"
    if found.rams or found.dsps:
        line += f", {found.rams} block RAMs, {found.dsps} DSP blocks"
    if found.sites_per_operation is not None:
        line += f"; {found.sites_per_operation:.3f} sites and {found.ff_per_operation:.3f} FF"
        line += " for each binary operation"
    return line
