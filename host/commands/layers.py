# SPDX-License-Identifier: Apache-2.0
"""`cimple layers`: a network's layers alone on a device, against golden model and runtime."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from ...compiler.compile import read_network
from ...compiler.engines import engine_choices
from ...compiler.legalise import legalise
from ...compiler.single import layer_programs
from ..client import NpuClient
from ..console import progress_bar, result_console
from ..devices.pipe import DEFAULT_TIMEOUT
from ..devices.table import DEVICES, open_device
from ..layers import judged, kinds, random_image, run_all, run_alone
from .compile import load_npu
from .run import EXIT_DIFFERENT

__all__ = ["layers"]


def layers(
    network: Annotated[
        Path, typer.Argument(help="Int8 network: ONNX (.onnx), or TFLite (.tflite).")
    ],
    *,
    npu: Annotated[str, typer.Option(help="The NPU: YAML file or name of a preset.")],
    on: Annotated[str, typer.Option(help=f"Device: {', '.join(DEVICES)}.")] = "icarus",
    every: Annotated[
        bool, typer.Option("--every", help="All layers, not one of each kind and window.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the image, which is random.")] = 1,
) -> None:
    """Run single layers of a network on a device, and compare each with three judges.

    The golden model goes through the whole network, and each of its tensors is compared with those
    of the runtime that the network comes from: onnxruntime, or LiteRT's reference kernels. Then one
    layer of each operator and size of window, the one of least work, runs alone on the device. Its
    result must be the golden model's, and its cycles the cycle model's; a difference ends the
    command with exit code 1.
    """
    config, graph = load_npu(npu), read_network(network)
    whole = next(engine_choices(legalise(graph), config))
    programs = list(layer_programs(whole, config))
    inside, image = random_image(graph, seed)
    with open_device("golden", config) as device:
        values, golden = run_all(NpuClient(device), whole, programs, inside)
    differences = judged(network, whole, image, values)
    chosen = list(range(len(programs)) if every else kinds(whole.layers))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("layer", "operator", "result", "bytes", "wrong", "cycles", "by the model"):
        table.add_column(heading, justify="left" if heading in ("layer", "operator") else "right")
    wrong = sum(bad for bad, _ in differences.values())
    with progress_bar(len(chosen)) as bar, open_device(
        on, config, timeout=DEFAULT_TIMEOUT, progress=lambda what: bar.announce(f"{on}: {what}")
    ) as device:
        client = NpuClient(device)
        for place in chosen:
            layer, expected = programs[place].layer, golden[place]
            bar.say(f"{on}: {layer.name}")
            found = run_alone(client, programs[place], values)
            bad = int(np.count_nonzero(found.result != expected.result))
            wrong += bad + (found.cycles != expected.cycles)
            sizes = (layer.result.height, layer.result.width, layer.result.channels)
            table.add_row(
                escape(layer.name), layer.kind, "x".join(map(str, sizes)),
                f"{found.result.size:,}", str(bad), f"{found.cycles:,}", f"{expected.cycles:,}",
            )
            bar.advance()
    out = result_console()
    compared, bad = (sum(pair[side] for pair in differences.values()) for side in (1, 0))
    out.print(
        f"golden against the runtime: {bad} of {compared:,} values of {len(differences)} tensors "
        "differ"
    )
    out.print(table)
    if wrong:
        raise typer.Exit(EXIT_DIFFERENT)
