# SPDX-License-Identifier: Apache-2.0
"""`cimple scale`: time of generation and synthesis by the size of a macro, and the record of it."""

import re
from pathlib import Path
from typing import Annotated

import typer

from ...fpga.yosys import find_yosys
from ...hdl.errors import CimpleError
from ...hdl.macro.config import Cell, MacroConfig
from ..records import read_results, write_results
from ..scale import FLOWS, measure_generation, measure_synthesis, scale_page

__all__ = ["scale"]

Size = tuple[int, int]


def scale(
    *,
    cells: Annotated[
        str, typer.Option(help="Cells, separated by commas.", metavar="NAMES")
    ] = "bitcell,lookup",
    generate: Annotated[
        str, typer.Option(help="Rows x columns to generate, separated by commas.", metavar="SIZES")
    ] = "72x16,72x32,72x64,1152x256",
    synthesise: Annotated[
        str, typer.Option(help="Rows x columns to synthesise for ECP5 too.", metavar="SIZES")
    ] = "72x4,72x16,72x64",
    runs: Annotated[int, typer.Option(min=1, max=100, help="Runs of each.")] = 3,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Measure how generation and synthesis of macros take longer with their size, and record it.

    Writes generation_speed.json and generation_speed.md; results of other cells and sizes stay in
    them.
    """
    names = [name.strip() for name in cells.split(",") if name.strip()]
    generated = _sizes(generate, "--generate")
    synthesised = _sizes(synthesise, "--synthesise")
    configs = {
        (cell, size): _config(cell, size)
        for cell in names
        for size in dict.fromkeys([*generated, *synthesised])
    }
    yosys = find_yosys() if synthesised else None
    stem = output / "generation_speed"
    results = read_results(output / "generation_speed.json")
    for (cell, size), config in configs.items():
        label = f"{cell}, {size[0]}x{size[1]}"
        design, result = measure_generation(config, runs)
        measured = {f"generate {label}": result}
        if yosys is not None and size in synthesised:
            for flow in FLOWS:
                found = measure_synthesis(design, flow, yosys, runs)
                measured[f"synthesise {label}, {flow}"] = found
        for name, found in measured.items():
            took, busy = found["seconds"], found["processor_seconds"]
            typer.echo(f"{name}: {took:.2f} s, {busy:.2f} s of processors")
        results |= measured
        write_results(stem, results, scale_page(results))
    typer.echo(f"written: {stem}.json, {stem}.md")


def _sizes(text: str, option: str) -> list[Size]:
    """Rows and columns of each size; no text means none."""
    sizes = []
    for word in filter(None, (word.strip() for word in text.split(","))):
        found = re.fullmatch(r"(\d+)x(\d+)", word)
        if found is None:
            raise CimpleError(f"{option}: a size is rows x columns, as in 72x16, not {word!r}")
        sizes.append((int(found[1]), int(found[2])))
    return sizes


def _config(cell: str, size: Size) -> MacroConfig:
    allowed = [each.value for each in Cell]
    if cell not in allowed:
        raise CimpleError(f"--cells must be some of {', '.join(allowed)}, not {cell!r}")
    rows, columns = size
    fields = {"name": f"scale_{cell}_{rows}x{columns}", "cell": cell}
    fields |= {"rows": rows, "columns": columns}
    return MacroConfig.from_mapping(fields, source=f"size {rows}x{columns}")
