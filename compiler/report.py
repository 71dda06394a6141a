# SPDX-License-Identifier: Apache-2.0
"""What compiling came to: for each layer its work, its pieces, and the cycles it cannot beat.

Two numbers of cycles stand beside each other: a bound (`bounds`), and what a run takes by the cycle
model (`verif.timing`), which is exact.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, computed_field
from rich import box
from rich.markup import escape
from rich.table import Table

from ..hdl.npu.config import NpuConfig
from ..verif.timing.npu import RunTiming
from .bounds import PLANES, bounds, descriptors, load_cycles
from .emit import Program
from .layers import AverageLayer, DepthwiseLayer, Layer, MatrixLayer, Network
from .schedule import MatrixStep, Schedule, Step, TapSet, WeightSet
from .tiling import row_phases
from .weights import WeightImage, set_bytes

__all__ = ["HostReport", "LayerReport", "MemoryUse", "Report", "build_report", "report_table"]

_LEGEND = (
    "K: bytes of a window; cut: passes x channel tiles x areas; load: cycles that loading the "
    "weights takes; ideal: cycles that no run can beat once they are loaded, by what; use: of the "
    "array, at best; cycles: from the end of the layer before, exactly"
)
_PLANES_LEGEND = "; ideal, use and cycles: with all planes; a run skips those that are zero"
_SPLIT_LEGEND = "; split: windows at once x macros of each"
_FETCH_LEGEND = "; fetched: bytes from external memory"


class LayerReport(BaseModel):
    """One layer."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    #: Result's rows, columns, channels.
    shape: tuple[int, int, int]
    macs: int
    #: Bytes of a window; sets of weights it takes to cover them.
    depth: int = 0
    passes: int = 0
    channel_tiles: int = 1
    areas: int = 1
    #: Windows that are computed at once, and macros of each; 0: the macros have no part in it.
    windows: int = 0
    macros: int = 0
    descriptors: int = 1
    weight_bytes: int = 0
    load_cycles: int = 0
    #: Bytes that come from external memory, those that come again included.
    fetched_bytes: int = 0
    #: Cycles each rate alone allows: `array`, `feeder`, `requantisers`, `taps`, `pool` or `add`.
    bounds: dict[str, int]
    #: Cycles from the end of the layer before, by the cycle model; None: it leaves no time stamp.
    cycles: int | None = None

    @computed_field
    @property
    def bound_by(self) -> str:
        """The slowest part, loading left out."""
        return max(self.bounds, key=lambda part: self.bounds[part])

    @computed_field
    @property
    def ideal_cycles(self) -> int:
        """Cycles below which the layer cannot be, with all weights loaded."""
        return self.bounds[self.bound_by]


class HostReport(BaseModel):
    """An operator that the host computes, as the NPU has none."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    #: Result's shape, one image.
    shape: tuple[int, ...]


class MemoryUse(BaseModel):
    """How full a memory is, in its own unit."""

    model_config = ConfigDict(frozen=True)

    used: int
    available: int


class Report(BaseModel):
    """All layers and memories; `to_json` gives it as plain data."""

    model_config = ConfigDict(frozen=True)

    layers: tuple[LayerReport, ...]
    #: What follows on the host, in order.
    host: tuple[HostReport, ...] = ()
    #: Activations and weights in bytes, parameters in channels, the program in descriptors.
    memories: dict[str, MemoryUse]
    #: Multiplications of all rows and columns in a cycle.
    peak_macs: float
    #: Cycles of one image, by the cycle model, with all planes.
    cycles: int | None = None
    #: Whether runs skip planes that are zero, so that they take fewer cycles.
    skips_planes: bool = False

    @computed_field
    @property
    def macs(self) -> int:
        """Multiplications of one image."""
        return sum(layer.macs for layer in self.layers)

    @computed_field
    @property
    def ideal_cycles(self) -> int:
        """Cycles below which an image cannot be."""
        return sum(layer.ideal_cycles for layer in self.layers)

    def utilisation(self, layer: LayerReport) -> float:
        """Share of the array's multiplications that the layer could use at best."""
        return layer.macs / (layer.ideal_cycles * self.peak_macs)

    def to_json(self) -> dict[str, Any]:
        """Plain data, derived numbers included."""
        return self.model_dump(mode="json")


def build_report(
    network: Network, plan: Schedule, weights: WeightImage, memories: dict[str, MemoryUse],
    times: RunTiming, program: Program, config: NpuConfig, *, skips_planes: bool = False,
) -> Report:
    """The report of a compiled network."""
    layers = []
    spent = _spent(times, program.stamps)
    for index, layer in enumerate(network.layers):
        steps = [step for step in plan.steps if step.layer == index]
        brought = [load.weights for load in plan.loads if load.weights.layer == index]
        made = _layer(layer, steps, brought, weights, spent.get(index), config)
        fetches = program.fetched.get(index, ())
        more = {"descriptors": made.descriptors + len(fetches), "fetched_bytes": sum(fetches)}
        layers.append(made.model_copy(update=more) if fetches else made)
    peak = config.macro.rows * config.columns / PLANES
    host = tuple(
        HostReport(name=node.name, kind=node.kind, shape=node.result.shape)
        for node in network.host
    )
    return Report(
        layers=tuple(layers), host=host, memories=memories, peak_macs=peak, cycles=times.cycles,
        skips_planes=skips_planes,
    )


def _spent(times: RunTiming, stamps: Mapping[int, int]) -> dict[int, int]:
    """Cycles of each layer that leaves a time stamp, from the end of the one before."""
    ends = {layer: times.stamps[stamps[layer]] for layer in sorted(stamps)}
    before = [0, *ends.values()]
    return {layer: end - start for (layer, end), start in zip(ends.items(), before, strict=False)}


def _layer(
    layer: Layer, steps: list[Step], brought: list[WeightSet | TapSet], weights: WeightImage,
    cycles: int | None, config: NpuConfig,
) -> LayerReport:
    """A layer that the NPU computes; `brought` are the sets of its loads."""
    counts = {each: weights.place(each)[0] for each in brought}
    return LayerReport(
        name=layer.name, kind=layer.kind,
        shape=(layer.result.height, layer.result.width, layer.result.channels), macs=layer.macs,
        descriptors=len(brought) + descriptors(layer, steps),
        load_cycles=sum(load_cycles(each, counts[each], config) for each in brought),
        weight_bytes=sum(set_bytes(each, count, config) for each, count in counts.items()),
        bounds=bounds(layer, steps, config), cycles=cycles, **_cut(layer, steps, config),
    )


def _cut(layer: Layer, steps: list[Step], config: NpuConfig) -> dict[str, int]:
    """Into how many pieces a layer is cut, and how many windows of it are computed at once."""
    if isinstance(layer, MatrixLayer):
        matrix_steps = [step for step in steps if isinstance(step, MatrixStep)]
        split = matrix_steps[0].weights.split
        return {
            "depth": layer.matrix.shape[0],
            "passes": len({step.weights.rows for step in matrix_steps}),
            "channel_tiles": len({step.weights.channels for step in matrix_steps}),
            "areas": len({step.area for step in matrix_steps}),
            "windows": 1 << split,
            "macros": config.macros >> split,
        }
    if isinstance(layer, DepthwiseLayer):
        return {
            "depth": layer.kernels.shape[0], "passes": 1,
            "areas": len(row_phases(layer)), "channel_tiles": len(steps) // len(row_phases(layer)),
        }
    return {"areas": len(layer.parts)} if isinstance(layer, AverageLayer) else {}


def report_table(report: Report, measured: Sequence[int] | None = None) -> Table:
    """The report for a terminal; `measured` gives what the first layers took, in order.

    Splits are shown where the NPU has several macros, fetched bytes where any are.
    """
    fetches = any(layer.fetched_bytes for layer in report.layers)
    split = any(layer.windows * layer.macros > 1 for layer in report.layers)
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False,
        caption=(
            _LEGEND + _SPLIT_LEGEND * split + _FETCH_LEGEND * fetches
            + _PLANES_LEGEND * report.skips_planes
        ),
        caption_justify="left",
    )
    headings = (
        "layer", "result", "MACs", "K", "cut", *["split"] * split, "weights",
        *["fetched"] * fetches, "load", "ideal",
        "by", "use", "cycles", *["measured"] * (measured is not None),
    )
    for heading in headings:
        justify = "left" if heading in ("layer", "by") else "right"
        table.add_column(heading, justify=justify, no_wrap=heading != "layer")
    for index, layer in enumerate(report.layers):
        row = [
            escape(layer.name), "x".join(str(size) for size in layer.shape), f"{layer.macs:,}",
            str(layer.depth), f"{layer.passes}x{layer.channel_tiles}x{layer.areas}",
            *[f"{layer.windows}x{layer.macros}" if layer.windows else ""] * split,
            f"{layer.weight_bytes:,}", *[f"{layer.fetched_bytes:,}"] * fetches,
            f"{layer.load_cycles:,}", f"{layer.ideal_cycles:,}",
            layer.bound_by, f"{report.utilisation(layer):.0%}" if layer.windows else "",
            "" if layer.cycles is None else f"{layer.cycles:,}",
        ]
        if measured is not None:
            row.append(f"{measured[index]:,}" if index < len(measured) else "")
        table.add_row(*row)
    for operator in report.host:
        shape = "x".join(str(size) for size in operator.shape)
        table.add_row(escape(operator.name), shape, *[""] * (6 + split + fetches), "host")
    return table
