# SPDX-License-Identifier: Apache-2.0
"""The demonstration's results: a table, pictures, and a page that shows them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from ..compiler.report import Report
from .templates import render

__all__ = ["Results", "write_report"]

#: Values that differ, and values compared.
Count = tuple[int, int]

_COLUMNS = 10
_SHOWN = 100
#: Pixels above an image for its title, and beside it.
_TITLE, _GAP = 3, 2
#: Two hues that are also told apart by those who do not see red and green.
_RIGHT, _WRONG = "#0072b2", "#d55e00"


@dataclass(frozen=True)
class Results:
    """What a run came to. `golden` and `onnxruntime` count by layer, `logits` the whole network's;
    `times` the cycles of images and layers, against the cycle model.

    `images` is [N, rows, columns]; `layer_cycles` has a row an image.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    cycles: NDArray[np.int64]
    layers: tuple[str, ...]
    layer_cycles: NDArray[np.int64]
    times: Count
    golden: dict[str, Count]
    onnxruntime: dict[str, Count]
    logits: Count
    needed_accuracy: float
    seconds: float

    @property
    def accuracy(self) -> float:
        """Share of images classified rightly."""
        return float(np.mean(self.predictions == self.labels))

    @property
    def right(self) -> bool:
        """Whether nothing differs and the accuracy is high enough."""
        same = all(different == 0 for different, _ in self.totals().values())
        return same and self.accuracy >= self.needed_accuracy

    def totals(self) -> dict[str, Count]:
        """Counts over all layers, by what they were compared with."""
        return {
            "against the golden model": _total(self.golden),
            "against onnxruntime's layers": _total(self.onnxruntime),
            "against onnxruntime's logits": self.logits,
            "cycles, by the cycle model": self.times,
        }

    def mean_cycles(self) -> dict[str, int]:
        """Cycles of each layer, over all images."""
        means = self.layer_cycles.mean(axis=0).round().astype(int).tolist()
        return dict(zip(self.layers, means, strict=True))

    def table(self) -> Table:
        """Cycles and differences by layer, for a terminal."""
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
        headings = ("layer", "cycles", "differ from golden", "differ from onnxruntime", "values")
        for heading in headings:
            table.add_column(heading, justify="left" if heading == "layer" else "right")
        cycles = self.mean_cycles()
        for name, (different, of) in self.golden.items():
            spent = f"{cycles[name]:,}" if name in cycles else ""
            judged = str(self.onnxruntime[name][0]) if name in self.onnxruntime else ""
            table.add_row(name, spent, str(different), judged, f"{of:,}")
        return table

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "images": len(self.labels),
            "accuracy": self.accuracy,
            "cycles_an_image": float(self.cycles.mean()),
            "cycles_a_layer": self.mean_cycles(),
            "seconds": round(self.seconds, 2),
            "right": self.right,
            "differences": {
                name: {"different": different, "of": of}
                for name, (different, of) in self.totals().items()
            },
            "differences_by_layer": {
                name: {"golden": different, "onnxruntime": self.onnxruntime.get(name, (0, 0))[0],
                       "of": of}
                for name, (different, of) in self.golden.items()
            },
            "labels": self.labels.tolist(),
            "predictions": self.predictions.tolist(),
        }


def _total(counts: dict[str, Count]) -> Count:
    return sum(count[0] for count in counts.values()), sum(count[1] for count in counts.values())


def write_report(results: Results, compiled: Report, directory: Path) -> Path:
    """Write `report.html` with its pictures, and `report.json`; the path of the page."""
    directory.mkdir(parents=True, exist_ok=True)
    _picture_images(results).savefig(directory / "images.png", dpi=110)
    _picture_cycles(results, compiled).savefig(directory / "cycles.png", dpi=110)
    data = results.to_json() | {"compiled": compiled.to_json()}
    (directory / "report.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    page = render(
        "digits", results=results, layers=compiled.layers, cycles=results.mean_cycles(),
        shown=_SHOWN,
    )
    path = directory / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _picture_images(results: Results) -> Figure:
    """The first images, each below what it was taken for."""
    count = min(_SHOWN, len(results.labels))
    rows = -(-count // _COLUMNS)
    height, width = results.images.shape[1] + _TITLE, results.images.shape[2] + _GAP
    # One picture of all images: a hundred axes take seconds.
    mosaic = np.zeros((rows * height, _COLUMNS * width))
    figure = Figure(figsize=(_COLUMNS * 0.9, rows * 1.05))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    for index in range(count):
        y, x = index // _COLUMNS * height, index % _COLUMNS * width
        mosaic[y + _TITLE : y + height, x : x + width - _GAP] = results.images[index]
        label, prediction = results.labels[index], results.predictions[index]
        said = f"{prediction}" if label == prediction else f"{prediction}, is {label}"
        color = _RIGHT if label == prediction else _WRONG
        middle = x + (width - _GAP - 1) / 2
        axis.text(middle, y + _TITLE / 2, said, ha="center", va="center", color=color, fontsize=10)
    axis.imshow(mosaic, cmap="gray_r", aspect="auto")
    return figure


def _picture_cycles(results: Results, compiled: Report) -> Figure:
    """Cycles of each layer, and what its rates alone would allow."""
    cycles = results.mean_cycles()
    figure = Figure(figsize=(8, 0.7 + 0.5 * len(cycles)), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(cycles))
    ideal = [layer.ideal_cycles for layer in compiled.layers if layer.name in cycles]
    axis.barh(places, list(cycles.values()), color=_RIGHT, label="measured")
    axis.barh(places, ideal, height=0.3, color="#a6cee3", label="bound, weights loaded")
    axis.set_yticks(places, list(cycles))
    axis.invert_yaxis()
    axis.set_xlabel("cycles an image")
    axis.legend()
    return figure
