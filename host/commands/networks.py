# SPDX-License-Identifier: Apache-2.0
"""`cimple networks`: cycles of networks on an NPU's Verilog by layer, and the record of it."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ...compiler.compile import compile_network
from ..assemble import assemble
from ..console import working
from ..networks import network_result, networks_page, random_batch
from ..records import read_results, write_results
from .compile import load_npu
from .run import EXIT_DIFFERENT, run_batch

__all__ = ["networks"]


def networks(
    files: Annotated[
        list[Path], typer.Argument(help="Int8 networks: ONNX in QDQ form, or TFLite.")
    ],
    *,
    npu: Annotated[str, typer.Option(help="The NPU: YAML file or name of a preset.")],
    images: Annotated[int, typer.Option(min=1, help="Random images to run.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the images.")] = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Run networks on an NPU's Verilog under Verilator, and record the cycles of their layers.

    Writes networks.json and networks.md; results of networks and NPUs of other names stay in them.
    An output that differs from the golden model's, or a number of cycles that is not the cycle
    model's, ends the command with exit code 1.
    """
    config, stem = load_npu(npu), output / "networks"
    results = read_results(output / "networks.json")
    different = 0
    for file in files:
        with working(file.name) as say:
            compiled = compile_network(
                file, config,
                progress=lambda stage, name=file.name: say(f"{name}: {stage}"),
            )  # fmt: skip
        program = assemble(compiled)
        batch = random_batch(program.manifest.input, images, seed)
        found = run_batch("verilator", config, program, batch)
        golden = run_batch("golden", config, program, batch)
        here = int(np.count_nonzero(found.outputs != golden.outputs))
        late = found.cycles[found.cycles != golden.cycles]
        different += here + len(late)
        result = network_result(program, found, golden, here)
        results[f"{file.name} on {config.name}"] = result
        write_results(stem, results, networks_page(results))
        typer.echo(
            f"{file.name} on {config.name}: {result['cycles']:,} cycles an image, "
            f"{result['predicted_cycles']:,} by the cycle model, {here} of "
            f"{found.outputs.size:,} outputs differ from the golden model's"
        )
    typer.echo(f"written: {stem}.json, {stem}.md")
    if different:
        raise typer.Exit(EXIT_DIFFERENT)
