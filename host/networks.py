# SPDX-License-Identifier: Apache-2.0
"""The record of how networks run on NPUs: cycles by layer, and what bounds each."""

from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler.bounds import PLANES
from ..verif.bench.simulators import find_simulator
from .client import Inference
from .manifest import Port
from .program import ProgramFile

__all__ = ["networks_page", "network_result", "random_batch"]


def random_batch(port: Port, images: int, seed: int) -> NDArray[Any]:
    """Images for a network's input, any values.

    An NPU takes as long for all of them, but for planes that it skips.
    """
    random = np.random.default_rng(seed)
    shape = (images, *port.shape)
    if port.dtype == "int8":
        return random.integers(-128, 128, shape).astype(np.int8)
    return random.random(shape, np.float32)


def network_result(
    program: ProgramFile, found: Inference, predicted: Inference, different: int,
    all_planes: Inference | None = None, *, is_random: bool = True,
) -> dict[str, Any]:
    """What a record keeps of a run on a simulator that has just ended.

    `predicted` is the golden device's, whose cycles are the cycle model's;
    `different` counts the outputs that are not the golden model's. `all_planes` is a run of the
    network on an NPU that could skip planes, and did not. `is_random`: so are the images.
    """
    manifest, report = program.manifest, program.manifest.report
    cycles, expected = _by_layer(found), _by_layer(predicted)
    layers = [
        {
            "name": layer.name, "kind": layer.kind, "shape": list(layer.shape),
            "macs": layer.macs, "windows": layer.windows, "macros": layer.macros,
            "passes": layer.passes, "channel_tiles": layer.channel_tiles,
            "ideal_cycles": layer.ideal_cycles, "bound_by": layer.bound_by,
            "cycles": cycles[index] if index < len(cycles) else None,
            "predicted_cycles": expected[index] if index < len(expected) else None,
        }
        for index, layer in enumerate(report.layers)
    ]  # fmt: skip
    return {
        "network": manifest.model_name,
        "network_sha256": manifest.model_sha256,
        "npu": program.config.name,
        "configuration": manifest.npu_digest,
        "images": len(found.outputs),
        "random_images": is_random,
        "cycles": round(float(found.cycles.mean())),
        "slowest_image_cycles": int(found.cycles.max()),
        "predicted_cycles": round(float(predicted.cycles.mean())),
        "macs": report.macs,
        "ideal_cycles": report.ideal_cycles,
        "peak_macs_per_cycle": report.peak_macs,
        "outputs": int(found.outputs.size),
        "outputs_that_differ": different,
        **_skipping(found, all_planes),
        "memories": {name: [use.used, use.available] for name, use in report.memories.items()},
        "layers": layers,
        "verilator": find_simulator("verilator").version,
        "cocotb": metadata.version("cocotb"),
    }


def _skipping(found: Inference, all_planes: Inference | None) -> dict[str, Any]:
    """What skipping planes has brought, if it was possible."""
    if all_planes is None:
        return {}
    share = float(found.planes.sum() / all_planes.planes.sum())
    return {
        "cycles_all_planes": round(float(all_planes.cycles.mean())),
        "planes_of_a_vector": round(PLANES * share, 2),
    }


def _by_layer(run: Inference) -> list[int]:
    return run.layer_cycles.mean(axis=0).round().astype(int).tolist()


def networks_page(results: dict[str, Any]) -> str:
    """The record as a page of Markdown; `results` as they are in the record."""
    rows, sections = [], []
    for _, found in sorted(results.items()):
        in_arrays = sum(layer["macs"] for layer in found["layers"] if layer["windows"])
        rate = in_arrays / found["cycles"]
        cells = (
            f"`{found['network']}`", f"`{found['npu']}`", f"{found['macs']:,}",
            f"{found['cycles']:,}", f"{found['predicted_cycles']:,}",
            f"{found['cycles_all_planes']:,}" if "cycles_all_planes" in found else "",
            f"{found['planes_of_a_vector']:.2f}" if "planes_of_a_vector" in found else "",
            f"{rate:.0f} of {found['peak_macs_per_cycle']:.0f}",
            f"{found['outputs_that_differ']} of {found['outputs']:,}",
            f"{found['images']}{' random' * found.get('random_images', True)}",
            f"Verilator {found['verilator']}",
        )  # fmt: skip
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
        sections.append(_section(found))
    return _PAGE.format(rows="\n".join(rows), sections="\n".join(sections))


def _section(found: dict[str, Any]) -> str:
    rows = []
    for layer in found["layers"]:
        split = f"{layer['windows']} x {layer['macros']}" if layer["windows"] else ""
        cut = f"{layer['passes']} x {layer['channel_tiles']}" if layer["windows"] else ""
        taken = layer["cycles"]
        in_arrays = layer["macs"] and layer["windows"] and taken
        use = f"{layer['macs'] / (taken * found['peak_macs_per_cycle']):.0%}" if in_arrays else ""
        cells = (
            layer["name"], layer["kind"], "x".join(map(str, layer["shape"])), f"{layer['macs']:,}",
            split, cut, f"{layer['ideal_cycles']:,}", layer["bound_by"],
            "" if taken is None else f"{taken:,}",
            "" if taken is None else f"{layer['predicted_cycles']:,}", use,
        )  # fmt: skip
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    memories = ", ".join(
        f"{name} {used:,} of {available:,}" for name, (used, available) in found["memories"].items()
    )
    return _SECTION.format(
        network=found["network"], npu=found["npu"], rows="\n".join(rows), memories=memories
    )


_PAGE = """\
# Networks on NPUs

Cycles of one image, from the start of the program to its end, with input, output and weights in the
NPU's memories: counted by the generated Verilog under Verilator, and predicted by the cycle
model. Outputs are compared with the golden model's. Written by `cimple networks`.

| network | NPU | MACs | cycles | by the model | all planes | planes of a vector \
| MACs of the arrays a cycle | outputs that differ | images | tool |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|
{rows}

*All planes* are the cycles of the same images on an NPU with `skip_zero_planes` when it skips none,
*planes of a vector* those of 8 that met the array when it did; their outputs are the same. Random
images have larger values than those that a network was trained for, and so have the layers behind.

In the tables below *split* is windows at once x macros of each, *cut* passes x channel tiles;
*ideal* are the cycles that the slowest part needs by the NPU's rates, with all weights loaded, *by*
says which part; *use* is that of the arrays' multipliers at all planes, so it may be over 100 %
where planes are skipped. What a layer takes is counted to the time stamp at its end, so loading of
weights that nothing hides is part of it.

{sections}"""

_SECTION = """\
## {network} on {npu}

| layer | operator | result | MACs | split | cut | ideal | by | cycles | model | use |
|---|---|---|---:|---|---|---:|---|---:|---:|---:|
{rows}

Memories: {memories}.
"""
