# SPDX-License-Identifier: Apache-2.0
"""`cimple speed`: what cocotb costs while a bench is idle, and the record of it."""

from pathlib import Path
from typing import Annotated

import typer

from ...hdl.errors import CimpleError
from ...hdl.load import load_config
from ...hdl.macro.config import MacroConfig
from ...verif.bench.speed import measure_speed
from ..records import read_results, write_results
from ..speed import speed_page, speed_result

__all__ = ["speed"]


def speed(
    configs: Annotated[
        list[str], typer.Argument(help="YAML files, or names of presets (`cimple presets`).")
    ],
    *,
    vectors: Annotated[
        int, typer.Option(min=1, max=100_000, help="Vectors of a run, a pause after each.")
    ] = 20,
    pause: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Clock cycles of a pause.")
    ] = 10_000,
    runs: Annotated[
        int, typer.Option(min=1, max=1000, help="Runs of each, under cocotb and from C++ in turns.")
    ] = 5,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Measure how fast macros are simulated under an idle bench and from C++, and record it.

    Both drive the same model by Verilator through the same cycles. Writes simulation_speed.json and
    simulation_speed.md; results of other designs stay in them.
    """
    loaded = [load_config(name) for name in configs]
    for name, config in zip(configs, loaded, strict=True):
        if not isinstance(config, MacroConfig):
            raise CimpleError(f"{name}: speed is measured for macros; name a configuration of one")
    stem = output / "simulation_speed"
    results = read_results(output / "simulation_speed.json")
    for config in loaded:
        assert isinstance(config, MacroConfig)
        found = measure_speed(
            config, vectors=vectors, pause=pause, runs=runs,
            progress=lambda message, name=config.name: typer.echo(f"{name}: {message}"),
        )  # fmt: skip
        results[config.name] = result = speed_result(config, found)
        write_results(stem, results, speed_page(results))
        typer.echo(
            f"{config.name}: {result['cpp_cycles_per_second']:,} cycles/s from C++, "
            f"{result['cocotb_cycles_per_second']:,} under cocotb, {result['ratio']} times as long"
        )
    typer.echo(f"written: {stem}.json, {stem}.md")
