# SPDX-License-Identifier: Apache-2.0
"""`cimple fuzz`: hostile packets for an NPU's Verilog, and the record of them."""

from pathlib import Path
from typing import Annotated

import typer

from ...verif.bench.simulators import SIMULATORS, find_simulator
from ..console import progress_bar
from ..fuzz import again, fuzz_page, run_fuzz
from ..records import read_results, write_results
from .compile import load_npu

__all__ = ["fuzz"]

#: Exit code of a run in which the NPU did what it must not.
EXIT_FAILED = 1


def fuzz(
    npu: Annotated[
        str, typer.Argument(help="The NPU: YAML file or name of a preset.")
    ] = "npu_tiny",
    *,
    packets: Annotated[int, typer.Option(min=1, help="Hostile packets to send.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the packets.")] = 1,
    sim: Annotated[
        str, typer.Option(help=f"Simulator: {' or '.join(SIMULATORS)}.", metavar="NAME")
    ] = SIMULATORS[0],
    skip: Annotated[
        int,
        typer.Option(min=0, help="Rounds of 250 packets to leave out; then nothing is recorded."),
    ] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Send hostile packets to an NPU's Verilog, and compare it with the golden model all the while.

    Writes fuzz.json and fuzz.md; results of other NPUs and simulators stay in them. A wrong or
    missing answer, a memory that has changed, or an inference that is not exact ends the command
    with exit code 1, the packets, and how to come there again; nothing is written then.
    """
    config, stem = load_npu(npu), output / "fuzz"
    find_simulator(sim)
    results = read_results(output / "fuzz.json")
    with progress_bar(packets) as bar:
        found = run_fuzz(
            config, sim, seed, packets, skip=skip, progress=bar.advance,
            say=lambda message: bar.announce(f"{config.name}: {message}"),
        )
    if found.failure is not None:
        typer.echo(f"{config.name} under {sim}, seed {seed}: {found.failure}")
        typer.echo(f"again: {again(found, npu)}")
        raise typer.Exit(EXIT_FAILED)
    tally = found.tally
    typer.echo(
        f"{config.name} under {sim}, seed {seed}: {tally.packets.total():,} hostile packets and "
        f"{tally.checks:,} of checks in {tally.cycles:,} cycles and {found.seconds:.0f} s, "
        f"{tally.inferences} inferences exact"
    )
    if not skip:
        results[f"{config.name} under {sim}"] = found.to_record()
        write_results(stem, results, fuzz_page(results))
        typer.echo(f"written: {stem}.json, {stem}.md")
