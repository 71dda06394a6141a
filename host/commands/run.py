# SPDX-License-Identifier: Apache-2.0
"""`cimple run`: a program file and a batch of images in, results out."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ...compiler.report import report_table
from ...hdl.link.config import DEFAULT_BAUD
from ...hdl.npu.config import NpuConfig
from ..arrays import read_batch, write_array
from ..client import Inference, NpuClient
from ..console import progress_bar, result_console
from ..devices.pipe import DEFAULT_TIMEOUT
from ..devices.table import DEVICES, open_device
from ..program import ProgramFile
from .compile import load_npu

__all__ = ["run", "run_batch"]

#: Exit code of a comparison that found a difference.
EXIT_DIFFERENT = 1


def run(
    program: Annotated[Path, typer.Argument(help="Program file.")],
    *,
    on: Annotated[
        str, typer.Option(help=f"Device: {', '.join(DEVICES)}, or a serial port.")
    ] = "golden",
    input_: Annotated[
        Path, typer.Option("--input", "-i", help=".npy file of images, the batch first.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=".npy file for the results.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most images to run.", show_default=False)
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Print a table of all layers.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Run on the golden model too, and compare bit by bit."),
    ] = False,
    npu: Annotated[
        str | None,
        typer.Option(
            help="The device's NPU: YAML file or preset.", show_default="the program's"
        ),
    ] = None,
    timeout: Annotated[
        int, typer.Option(min=1, help="Most clock cycles that an answer may take.")
    ] = DEFAULT_TIMEOUT,
    baud: Annotated[
        int, typer.Option(min=1, help="Bits a second of a serial port.")
    ] = DEFAULT_BAUD,
) -> None:
    """Run a network on a device and write its outputs, in the network's own format."""
    file = ProgramFile.load(program)
    batch = read_batch(input_, file.manifest.input)[:limit]
    config = load_npu(npu) if npu is not None else file.config
    started = time.perf_counter()
    result = run_batch(on, config, file, batch, timeout=timeout, baud=baud)
    seconds = time.perf_counter() - started
    if output is not None:
        write_array(output, result.outputs)
    _print(file, result, seconds, layers=layers)
    if check:
        golden = run_batch("golden", file.config, file, batch)
        _compare(result, golden)


def run_batch(
    on: str, config: NpuConfig, program: ProgramFile, batch: NDArray[Any], *,
    timeout: int = DEFAULT_TIMEOUT, keep_tensors: bool | None = None, baud: int = DEFAULT_BAUD,
) -> Inference:
    """Run a batch with a progress display.

    Results of layers are kept if the program keeps them, unless `keep_tensors` says otherwise.
    """
    keep = program.manifest.keep_all if keep_tensors is None else keep_tensors
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar(len(batch)))
        bar.say(f"{on}: starting")
        device = stack.enter_context(
            open_device(
                on, config, timeout=timeout, baud=baud,
                progress=lambda what: bar.announce(f"{on}: {what}"),
            )
        )
        client = NpuClient(device)
        bar.say(f"{on}: loading the program")
        client.load(program)
        bar.say(f"{on}: running")
        return client.infer(batch, keep_tensors=keep, progress=bar.advance)


def _print(
    program: ProgramFile, result: Inference, seconds: float, *, layers: bool
) -> None:
    out = result_console()
    images = len(result.outputs)
    out.print(f"images: {images}")
    low, high = result.cycles.min(), result.cycles.max()
    spread = f" ({low:,} to {high:,})" if low != high else ""
    out.print(f"cycles an image: {result.cycles.mean():,.0f}{spread}, by {result.cycles_by}")
    out.print(f"time: {seconds:.2f} s")
    for note in result.notes:
        typer.echo(note, err=True)
    if layers:
        means = result.layer_cycles.mean(axis=0).round().astype(int).tolist()
        out.print(report_table(program.manifest.report, means))


def _compare(result: Inference, golden: Inference) -> None:
    """Print how many values differ from the golden model's; exit with 1 if any does."""
    differences = {"outputs": _different(result.outputs, golden.outputs)}
    for name, values in golden.tensors.items():
        differences[name] = _different(result.tensors[name], values)
    total = sum(differences.values())
    values = golden.outputs.size + sum(tensor.size for tensor in golden.tensors.values())
    typer.echo(f"against golden: {total} of {values:,} values differ")
    for name, count in differences.items():
        if count:
            typer.echo(f"  {name}: {count}")
    if total:
        raise typer.Exit(EXIT_DIFFERENT)


def _different(a: NDArray[Any], b: NDArray[Any]) -> int:
    bits = f"u{a.dtype.itemsize}"
    return int(np.count_nonzero(a.view(bits) != b.view(bits)))
