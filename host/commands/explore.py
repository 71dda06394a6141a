# SPDX-License-Identifier: Apache-2.0
"""`cimple explore`: variants of an NPU, placed in a part, and the cycles of networks on them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ...compiler.compile import compile_graph, read_network
from ...compiler.errors import ModelError
from ...compiler.ir import Graph
from ...fpga.explore import DesignPoint, changes_text, measure_point, point_digest
from ...fpga.explore_record import merge_points, points_page, read_points, to_points_record
from ...fpga.families import Family, family_of
from ...fpga.nextpnr import Nextpnr, find_nextpnr
from ...fpga.place import device_of
from ...fpga.yosys import Yosys, find_yosys
from ...hdl.errors import CimpleError
from ...hdl.generate import generate
from ...hdl.npu.config import NpuConfig
from ...hdl.yaml_text import parse_yaml
from .compile import load_npu
from .resources_files import (
    FamilyOption,
    Measuring,
    measuring,
    refuse_namesakes,
    say_written,
    write_record,
)

__all__ = ["explore"]

_STEM = "explore"


def explore(
    npu: Annotated[str, typer.Argument(help="YAML file or preset of an NPU.")],
    *,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="A point: the NPU with these fields changed, as `macros=4 macro.columns=16`; may "
            "be given again.",
            metavar="FIELD=VALUE ...", show_default=False,
        ),
    ] = None,
    networks: Annotated[
        list[Path] | None,
        typer.Option(
            "--networks", "-n", help="Network whose cycles are counted; may be given again.",
            metavar="FILE", show_default=False,
        ),
    ] = None,
    family: FamilyOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Place points whose record holds, too.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Place an NPU and variants of it, and count networks' cycles, for the frontier of both.

    The first point is the NPU as it is. Each is synthesised and placed once, without routing, which
    takes a quarter of an hour for a large one. Written to explore.json and explore.md after each,
    so that an interruption loses one at most; other points stay in them, and a point whose record
    holds is not placed again.
    """
    variants = [{}, *(_changes(text) for text in vary or [])]
    configs = [load_npu(npu, changes) for changes in variants]
    chosen = family_of(configs[0], family)
    families = [family_of(config, chosen.name) for config in configs]
    tool = device_of(chosen).tool
    graphs = {path.name: read_network(path) for path in networks or []}
    refuse_namesakes([path.name for path in networks or []], "--networks", "of the files")
    points_named = [changes_text(changes) for changes in variants]
    refuse_namesakes(points_named, "--vary", "of the points", "give it once")
    record = output / f"{_STEM}.json"
    points = read_points(record) if record.exists() else []
    written: list[Path] = []
    with measuring(len(configs)) as display:
        yosys, nextpnr = find_yosys(), find_nextpnr(tool)
        for changes, config, each in zip(variants, configs, families, strict=True):
            known = [] if again else points
            found = _measure(config, changes, each, yosys, nextpnr, known, display)
            said = f"{config.name}, {found.name}"
            found = found.with_cycles(
                {name: _cycles(graph, config, name, said) for name, graph in graphs.items()}
            )
            points = merge_points(points, found)
            written = write_record(output, _STEM, to_points_record(points), points_page(points))
            display.done(_line(found))
        display.end(f"done with Yosys {yosys.version}, nextpnr {nextpnr.version}")
    say_written(written)


def _changes(text: str) -> dict[str, Any]:
    """Fields and their values, read as YAML."""
    words = [word.partition("=") for word in text.split()]
    if not words or any(not name or not equals for name, equals, _ in words):
        raise CimpleError(
            f"--vary must be fields with values, as 'macros=4 macro.columns=16', not {text!r}"
        )
    names = [name for name, _, _ in words]
    refuse_namesakes(names, "--vary", f"fields of {text!r}", "give it once")
    return {name: parse_yaml(value, source=f"--vary {name}") for name, _, value in words}


def _measure(
    config: NpuConfig, changes: dict[str, Any], family: Family, yosys: Yosys, nextpnr: Nextpnr,
    known: list[DesignPoint], display: Measuring,
) -> DesignPoint:
    """One point; what it takes and its placement are those that are known, if they hold."""
    say = display.steps_of(f"{config.name}, {changes_text(changes)}")
    say("generation")
    design = generate(config)
    digest = point_digest(design, family)
    tools = f"Yosys {yosys.version}, nextpnr {nextpnr.version}"
    for row in known:
        if (row.npu, row.changes, row.input_sha256, row.tools) == (
            config.name, changes, digest, tools
        ):
            return row
    taken, estimate = measure_point(design, family, yosys, nextpnr, say)
    return DesignPoint(config.name, changes, family.name, tools, digest, taken, estimate)


def _cycles(graph: Graph, config: NpuConfig, name: str, point: str) -> int | None:
    """Of an image, by the cycle model; None where the network does not fit the NPU."""
    try:
        return compile_graph(graph, config, name, "0" * 64).report.cycles
    except ModelError as error:
        typer.echo(f"{point}: {name}: {error}", err=True)
        return None


def _line(point: DesignPoint) -> str:
    resource, share = point.binding
    placed, times = point.estimate, point.cycles.items()
    words = [
        f"{point.npu}, {point.name}: {share:.0%} of {resource}",
        f"wire {placed.wire:,}, {placed.fmax:.1f} MHz before routing"
        if placed else "does not fit",
        *(f"{network} {cycles:,}" for network, cycles in times if cycles is not None),
    ]
    return "; ".join(words)
