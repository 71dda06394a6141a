# SPDX-License-Identifier: Apache-2.0
"""The demonstration: handwritten digits, classified by the generated hardware.

    python -P -m cimple.host.digits

Generates the NPU's Verilog, compiles the network, runs held-back images on the Verilog under
Verilator, and compares every value of every layer with the golden model and with onnxruntime. The
exit code is 0 only if nothing differs and the accuracy is as it should be. Verilog and simulation
are kept for the next time.
"""

import importlib.util
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from ..compiler.compile import compile_network
from ..hdl.errors import CimpleError
from ..hdl.npu.config import NpuConfig
from .arrays import check_batch
from .assemble import assemble
from .client import Inference
from .commands.compile import load_npu
from .commands.run import run_batch
from .console import result_console, working
from .devices.build import verilog_of
from .digits_report import Count, Results, write_report
from .oracle import LayerOracle, run_network
from .program import ProgramFile

__all__ = ["main"]

#: The least share of images that must be classified rightly.
ACCURACY = 0.97
#: Exit codes: a difference or too low an accuracy; bad input or surroundings.
EXIT_WRONG, EXIT_ERROR = 1, 2


@dataclass(frozen=True)
class _Images:
    images: NDArray[Any]
    labels: NDArray[np.int64]


def digits(
    network: Annotated[
        Path, typer.Option(help="ONNX file; data.py beside it gives the images.")
    ] = Path("examples/digits/digits.onnx"),
    npu: Annotated[str, typer.Option(help="YAML file or preset.")] = "npu_digits",
    images: Annotated[int, typer.Option(min=1, help="Held-back images to run.")] = 100,
    on: Annotated[str, typer.Option(help="Device to run on.")] = "verilator",
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write to.")] = Path(
        "build/digits"
    ),
) -> None:
    """Generate an NPU, compile the digits network, run it, and compare everything."""
    out = result_console()
    config = load_npu(npu)
    held_back = _held_back(network.parent / "data.py", images)
    verilog = _write_verilog(config, output)
    out.print(f"Verilog:     {verilog} ({verilog.stat().st_size / 1e6:.1f} MB)")
    program = assemble(compile_network(network, config, keep_all=True))
    program.save(output / "digits.cim")
    batch = check_batch(held_back.images, program.manifest.input, str(network.parent / "data.py"))

    started = time.perf_counter()
    run = run_batch(on, config, program, batch)
    seconds = time.perf_counter() - started
    golden = run_batch("golden", config, program, batch)
    results = _judge(network, program, held_back, run, golden, seconds)
    _print(out, results, run.cycles_by)
    report = write_report(results, program.manifest.report, output)
    out.print(f"report:      {report}")
    if not results.right:
        raise typer.Exit(EXIT_WRONG)


def _write_verilog(config: NpuConfig, directory: Path) -> Path:
    """Write the Verilog that is going to run."""
    with working("") as say:
        text = verilog_of(config, say)
    path = directory / f"{config.name}.v"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CimpleError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def _held_back(path: Path, images: int) -> _Images:
    """The first held-back images and their labels, from the module at `path`."""
    if not path.is_file():
        raise CimpleError(f"{path}: no such file; run from the project's folder, or give --network")
    spec = importlib.util.spec_from_file_location("digits_data", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    batch, labels = module.held_back()
    if images > len(batch):
        raise CimpleError(
            f"--images must be at most {len(batch)}, the images held back, not {images}"
        )
    return _Images(batch[:images], labels[:images])


def _judge(
    network: Path, program: ProgramFile, held_back: _Images, run: Inference, golden: Inference,
    seconds: float,
) -> Results:
    with working("comparing with onnxruntime, layer by layer"):
        by_oracle = LayerOracle(network).compare(held_back.images, run.tensors)
        logits = run_network(network, held_back.images)
    by_golden = {
        name: (int(np.count_nonzero(values != golden.tensors[name])), values.size)
        for name, values in run.tensors.items()
    }
    names = {layer.result.name: layer.name for layer in program.manifest.layers}
    names[program.manifest.input.tensor.name] = "input"
    return Results(
        images=held_back.images[:, 0],
        labels=held_back.labels,
        predictions=run.outputs.argmax(axis=1),
        cycles=run.cycles,
        layers=run.layers,
        layer_cycles=run.layer_cycles,
        golden={names[name]: count for name, count in by_golden.items()},
        onnxruntime={names[name]: count for name, count in by_oracle.items()},
        times=_times_that_differ(run, golden),
        logits=(int(np.count_nonzero(run.outputs != logits)), logits.size),
        needed_accuracy=ACCURACY,
        seconds=seconds,
    )


def _times_that_differ(run: Inference, golden: Inference) -> Count:
    """Cycles of images and layers that are not those of the cycle model."""
    pairs = ((run.cycles, golden.cycles), (run.layer_cycles, golden.layer_cycles))
    different = sum(int(np.count_nonzero(found != predicted)) for found, predicted in pairs)
    return different, run.cycles.size + run.layer_cycles.size


def _print(out: Console, results: Results, cycles_by: str) -> None:
    right = int(np.count_nonzero(results.predictions == results.labels))
    out.print(
        f"accuracy:    {right} of {len(results.labels)} held-back images ({results.accuracy:.1%})"
    )
    out.print(f"cycles:      {results.cycles.mean():,.0f} an image, by {cycles_by}")
    out.print(f"time:        {results.seconds:.1f} s, building the simulation included")
    out.print(results.table())
    for name, (different, of) in results.totals().items():
        out.print(f"{name + ':':31}{different} of {of:,} values differ")


def main() -> None:
    """Run, with errors as one clear message."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(digits)
    try:
        app()
    except CimpleError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
