# SPDX-License-Identifier: Apache-2.0
"""The record of how fast simulations run: a macro's bench that is idle, and a C++ program."""

import os
import platform
from importlib import metadata
from statistics import median
from typing import Any

from ..hdl.macro.config import MacroConfig
from ..verif.bench.simulators import find_simulator
from ..verif.bench.speed import Speed

__all__ = ["machine", "speed_page", "speed_result"]


def speed_result(config: MacroConfig, found: Speed) -> dict[str, Any]:
    """What a record keeps of a measurement that has just ended."""
    return {
        "configuration": config.digest(),
        "vectors": found.vectors,
        "pause": found.pause,
        "runs": len(found.cpp),
        "cpp_cycles_per_second": round(median(found.cpp)),
        "cocotb_cycles_per_second": round(median(found.cocotb)),
        "ratio": round(found.ratio, 2),
        "vector_milliseconds": round(found.vector_seconds * 1e3, 2),
        "verilator": find_simulator("verilator").version,
        "cocotb": metadata.version("cocotb"),
        **machine(),
    }


def machine() -> dict[str, Any]:
    """Python's version, and the computer and how busy it is, as far as it says so."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": None if load is None else round(load, 1),
    }


def speed_page(results: dict[str, Any]) -> str:
    """The record as a page of Markdown; `results` as they are in the record."""
    rows = []
    for name, found in sorted(results.items()):
        cells = (
            name, f"{found['cpp_cycles_per_second'] / 1e3:.0f}",
            f"{found['cocotb_cycles_per_second'] / 1e3:.0f}", f"{found['ratio']:.2f}",
            f"{found['vector_milliseconds']:.1f}",
            f"{found['runs']} of {found['vectors']} x {found['pause']}",
            f"Verilator {found['verilator']}, cocotb {found['cocotb']}, Python {found['python']}",
            f"{found['load']} on {found['cpus']}",
        )  # fmt: skip
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return _PAGE.format(rows="\n".join(rows))


_PAGE = """\
# Speed of idle simulations

What it costs to have cocotb attached to a macro while its bench pauses between vectors: clock
cycles a second of processor time in the pauses, against a C++ program that drives the same compiled
model through the same cycles. Written by `cimple speed`; the two run in turns, rates are medians of
the runs, and the ratio is the median of the pairs.

The bench is the one of `cimple verify`, with monitors, model and scoreboards. The C++ program
replays it, and ends with an error where a transfer comes in another cycle or with another payload.
A vector's own time is Python's: to make it, to follow its handshakes and to check its output.

| design | C++, 1000 cycles / s | cocotb, 1000 cycles / s | cocotb takes times | a vector, ms \
| runs of vectors x cycles of pause | versions | load on CPUs |
|---|---:|---:|---:|---:|---|---|---|
{rows}
"""
