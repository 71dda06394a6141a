# SPDX-License-Identifier: Apache-2.0
"""The record of the boards: what each bitstream takes, how fast it is, and digits a second."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..compiler.compile import compile_network
from ..compiler.errors import ModelError
from ..fpga.boards import BOARDS
from ..fpga.build import BoardReport
from ..hdl.npu.config import NpuConfig
from .records import read_results, write_results

__all__ = ["COUNTED", "DIGITS", "digits_cycles", "record_boards", "record_page"]

#: What is counted of a part.
COUNTED = {"lut": "LUT4", "ff": "flip-flops", "ram": "block RAMs", "dsp": "DSP blocks"}
#: The network whose images a second are given.
DIGITS = Path("examples/digits/digits.onnx")


def digits_cycles(config: NpuConfig, network: Path = DIGITS) -> int | None:
    """Cycles of one image by the cycle model; None where the network does not fit the NPU.

    Raises:
        CimpleError: the network cannot be read.
    """
    if not network.is_file():
        raise ModelError(f"{network}: no such file; run from the project's folder")
    try:
        return compile_network(network, config).report.cycles
    except ModelError:
        return None


def record_boards(
    directory: Path, reports: Iterable[BoardReport], npus: Mapping[str, NpuConfig]
) -> list[Path]:
    """Add reports to boards.json and boards.md in a directory; results of other boards stay."""
    stem = directory / "boards"
    found: dict[str, Any] = read_results(stem.with_suffix(".json"))
    for report in reports:
        cycles = digits_cycles(npus[report.board])
        found[report.board] = report.to_mapping() | {"digits_cycles": cycles}
    ordered = {name: found[name] for name in BOARDS if name in found}
    return write_results(stem, ordered, record_page(ordered))


def record_page(results: Mapping[str, Any]) -> str:
    """The record as a page of Markdown."""
    fitting = [row for row in results.values() if row["fmax_mhz"] is not None]
    others = [row for row in results.values() if row["fmax_mhz"] is None]
    page = _PAGE.format(rows="\n".join(map(_row, fitting)))
    if others:
        page += _TOO_SMALL.format(rows="\n".join(map(_too_small, others)))
    return page


def _row(row: Mapping[str, Any]) -> str:
    used, there = row["used"], row["available"]
    counts = [f"{used[what]:,} of {there[what]:,}" if what in there else f"{used[what]:,}"
              for what in COUNTED]
    cycles = row["digits_cycles"]
    rate = f"{row['clock_mhz'] * 1e6 / cycles:,.0f}" if cycles else ""
    cells = [
        row["board"], row["part"], row["preset"], *counts, f"{row['clock_mhz']:g}",
        f"{row['fmax_mhz']:.1f}", str(row["seed"]), f"{cycles:,}" if cycles else "", rate,
    ]
    return f"| {' | '.join(cells)} |"


def _too_small(row: Mapping[str, Any]) -> str:
    used, there = row["used"], row["available"]
    sizes = [f"{used[what]:,} of {there[what]:,}" if what in there else f"{used[what]:,}"
             for what in COUNTED]
    cells = [row["board"], row["part"], row["preset"], *sizes]
    return f"| {' | '.join(cells)} |"


_PAGE = """\
# Boards

Bitstreams after place and route: an NPU, its serial link and its self-test. Written by
`cimple build --board NAME --record docs/results`. Counts are those of nextpnr, and of Yosys where
nextpnr has none. Cycles are those of one image of the digits network by the cycle model, and images
a second those of the NPU alone: the serial link is slower.

| board | FPGA | NPU | LUT4 | FF | RAM | DSP | clock MHz | Fmax MHz | seed | cycles | images/s |
|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{rows}
"""

_TOO_SMALL = """
## Parts that are too small

Counted after synthesis, with multipliers in DSP blocks; where that would fit, after packing, as a
flip-flop of Gowin's parts is reached through a LUT, which is then taken.

| board | FPGA | NPU | LUT4 | FF | block RAM | DSP |
|---|---|---|---:|---:|---:|---:|
{rows}
"""
