# SPDX-License-Identifier: Apache-2.0
"""`cimple noise`: faults on the serial line of an NPU's Verilog, and the record of them."""

from pathlib import Path
from typing import Annotated

import typer

from ...verif.bench.simulators import SIMULATORS, find_simulator
from ..console import progress_bar
from ..noise import noise_page, run_noise
from ..records import read_results, write_results
from .compile import load_npu

__all__ = ["noise"]

#: Exit code of a run in which something was lost, changed or carried out twice.
EXIT_FAILED = 1


def noise(
    npu: Annotated[
        str, typer.Argument(help="The NPU: YAML file or name of a preset.")
    ] = "npu_tiny",
    *,
    events: Annotated[int, typer.Option(min=1, help="Faults on the line.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of requests and faults.")] = 1,
    deviation: Annotated[
        float,
        typer.Option(min=-3, max=3, help="By how many per cent the host's bits are too long."),
    ] = 0.0,
    sim: Annotated[
        str, typer.Option(help=f"Simulator: {' or '.join(SIMULATORS)}.", metavar="NAME")
    ] = SIMULATORS[0],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Put faults on the serial line between a host and an NPU's Verilog; all must be made good.

    Writes serial_noise.json and serial_noise.md; results of other NPUs and simulators stay in them.
    A packet that is carried out twice or not at all, or a wrong answer, ends the command with exit
    code 1; nothing is written then.
    """
    config, stem = load_npu(npu), output / "serial_noise"
    find_simulator(sim)
    results = read_results(output / "serial_noise.json")
    with progress_bar(events) as bar:
        found = run_noise(
            config, sim, seed, events, deviation=deviation, progress=bar.advance,
            say=lambda message: bar.announce(f"{config.name}: {message}"),
        )
    name = f"{config.name} under {sim}"
    if found.failure:
        typer.echo(f"{name}, seed {seed}: {found.failure}")
        raise typer.Exit(EXIT_FAILED)
    typer.echo(
        f"{name}, seed {seed}: {found.found['events']:,} faults on the line, "
        f"{found.found['packets_carried_out']:,} packets carried out once, in "
        f"{found.found['cycles']:,} cycles and {found.seconds:.0f} s"
    )
    results[name] = found.to_record()
    write_results(stem, results, noise_page(results))
    typer.echo(f"written: {stem}.json, {stem}.md")
