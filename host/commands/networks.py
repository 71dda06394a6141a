# SPDX-License-Identifier: Apache-2.0
"""`cimple networks`: cycles of networks on an NPU's Verilog by layer, and the record of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ...compiler.bounds import PLANES
from ...compiler.compile import compile_network
from ...hdl.errors import CimpleError
from ...hdl.npu.config import NpuConfig
from ..arrays import read_batch
from ..assemble import assemble
from ..client import Inference
from ..console import working
from ..manifest import Port
from ..networks import network_result, networks_page, random_batch
from ..program import ProgramFile
from ..records import read_results, write_results
from .compile import load_npu
from .run import EXIT_DIFFERENT, run_batch

__all__ = ["networks"]


def networks(
    files: Annotated[
        list[Path], typer.Argument(help="Int8 networks: ONNX or TFLite.")
    ],
    *,
    npu: Annotated[str, typer.Option(help="The NPU: YAML file or name of a preset.")],
    images: Annotated[int, typer.Option(min=1, help="Images to run.")] = 2,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--input", "-i", help=".npy file of images for each network. Default: random ones.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the images.")] = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the record.", metavar="DIR")
    ] = Path("docs/results"),
) -> None:
    """Run networks on an NPU's Verilog under Verilator, and record the cycles of their layers.

    Writes networks.json and networks.md; results of networks and NPUs of other names stay in them.
    Where the NPU can skip planes that are zero, networks run with all planes, too. An output that
    differs from the golden model's or between the two, or a number of cycles that is not the cycle
    model's, ends the command with exit code 1.
    """
    if inputs and len(inputs) != len(files):
        raise CimpleError(f"--input: one for each of {len(files)} networks, not {len(inputs)}")
    config, stem = load_npu(npu), output / "networks"
    results = read_results(output / "networks.json")
    different = 0
    for file, given in zip(files, inputs or [None] * len(files), strict=True):
        batch = partial(_batch, given, images, seed)
        compared = _compare(file, config, batch)
        here, late, found = compared.different, compared.late, compared.found
        whole = None
        if config.macro.skip_zero_planes:
            other = _compare(file, config, batch, all_planes=True)
            whole = other.found
            here += other.different + int(np.count_nonzero(found.outputs != whole.outputs))
            late += other.late
        different += here + late
        result = network_result(
            compared.program, found, compared.golden, here, whole, is_random=given is None
        )
        results[f"{file.name} on {config.name}"] = result
        write_results(stem, results, networks_page(results))
        _tell(f"{file.name} on {config.name}", result)
    typer.echo(f"written: {stem}.json, {stem}.md")
    if different:
        raise typer.Exit(EXIT_DIFFERENT)


@dataclass(frozen=True)
class _Compared:
    """A batch on the simulator and on the golden model."""

    program: ProgramFile
    found: Inference
    golden: Inference

    @property
    def different(self) -> int:
        """Outputs that differ."""
        return int(np.count_nonzero(self.found.outputs != self.golden.outputs))

    @property
    def late(self) -> int:
        """Images whose cycles or planes differ."""
        same_cycles = self.found.cycles == self.golden.cycles
        return int(np.count_nonzero(~(same_cycles & (self.found.planes == self.golden.planes))))


def _batch(given: Path | None, images: int, seed: int, port: Port) -> NDArray[Any]:
    return random_batch(port, images, seed) if given is None else read_batch(given, port)[:images]


def _compare(
    file: Path, config: NpuConfig, batch_for: Callable[[Port], NDArray[Any]], *,
    all_planes: bool = False,
) -> _Compared:
    with working(file.name) as say:
        compiled = compile_network(
            file, config, all_planes=all_planes,
            progress=lambda stage: say(f"{file.name}: {stage}"),
        )  # fmt: skip
    program = assemble(compiled)
    batch = batch_for(program.manifest.input)
    found, golden = (run_batch(on, config, program, batch) for on in ("verilator", "golden"))
    return _Compared(program, found, golden)


def _tell(name: str, result: dict[str, Any]) -> None:
    skipping = ""
    if "cycles_all_planes" in result:
        skipping = (
            f", {result['cycles_all_planes']:,} with all planes "
            f"({result['planes_of_a_vector']:.2f} of {PLANES} met the array)"
        )
    typer.echo(
        f"{name}: {result['cycles']:,} cycles an image, "
        f"{result['predicted_cycles']:,} by the cycle model{skipping}, "
        f"{result['outputs_that_differ']} of {result['outputs']:,} outputs differ from the golden "
        "model's"
    )
