# SPDX-License-Identifier: Apache-2.0
"""How the time of generation and synthesis, and the size of the Verilog, grow with a macro."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ..fpga.families import FAMILIES
from ..fpga.yosys import Yosys
from ..hdl.generate import Design, generate
from ..hdl.macro.config import MacroConfig
from .speed import machine

__all__ = ["FLOWS", "Times", "measure_generation", "measure_synthesis", "scale_page"]

#: Options of the ECP5 flow by the name of the way of synthesis.
FLOWS = {"whole": "", "by module": " -noflatten"}


@dataclass(frozen=True)
class Times:
    """How long something takes: medians of the runs."""

    seconds: float
    """As time went by."""
    processor_seconds: float
    """Of all processors, and of the programs that were started."""
    runs: int


def measure_generation(config: MacroConfig, runs: int) -> tuple[Design, dict[str, Any]]:
    """Generate a design several times; the design, and what a record keeps of it.

    Design rules are checked too, as `cimple generate` does.
    """
    designs: list[Design] = []
    times = _timed(lambda: designs.append(generate(config)), runs)
    modules = designs[0].manifest["contents"]["modules"]
    result = {
        "configuration": config.digest(),
        "verilog_bytes": len(designs[0].verilog.encode()),
        "modules": len(modules),
        "instances": sum(module["instances"] for module in modules),
    }
    return designs[0], result | asdict(times) | machine()


def measure_synthesis(design: Design, flow: str, yosys: Yosys, runs: int) -> dict[str, Any]:
    """Synthesise a design for ECP5 several times; what a record keeps of it.

    Raises:
        CimpleError: Yosys does not synthesise it.
    """
    synthesis = FAMILIES["ecp5"].synthesis.format(name=design.name) + FLOWS[flow]
    with tempfile.TemporaryDirectory(prefix="cimple-scale-") as scratch:
        (Path(scratch) / "design.v").write_text(design.verilog, encoding="utf-8")
        script = f"read_verilog design.v; {synthesis}"
        times = _timed(lambda: yosys.run(script, Path(scratch)), runs)
    return {"yosys": yosys.version} | asdict(times) | machine()


def _timed(work: Callable[[], object], runs: int) -> Times:
    walls, processors = [], []
    for _ in range(runs):
        before, began = os.times(), time.perf_counter()
        work()
        walls.append(time.perf_counter() - began)
        processors.append(sum(os.times()[:4]) - sum(before[:4]))
    return Times(round(median(walls), 2), round(median(processors), 2), runs)


def scale_page(results: dict[str, Any]) -> str:
    """The record as a page of Markdown; `results` as they are in the record."""
    generated = [
        f"| {name} | {found['verilog_bytes']:,} | {found['modules']} | {found['instances']} "
        f"| {_times(found)} |"
        for name, found in _sorted(results, "generate")
    ]
    synthesised = [
        f"| {name} | {found['yosys']} | {_times(found)} |"
        for name, found in _sorted(results, "synthesise")
    ]
    return _PAGE.format(generated="\n".join(generated), synthesised="\n".join(synthesised))


def _sorted(results: dict[str, Any], what: str) -> list[tuple[str, dict[str, Any]]]:
    """Entries of one kind by cell and size; the rest of each key as cells of a row."""

    def order(item: tuple[str, Any]) -> tuple[Any, ...]:
        cell, size, *rest = item[0].split(", ")
        return (cell, *map(int, size.split("x")), *rest)

    rows = [(key.removeprefix(f"{what} "), found) for key, found in results.items()
            if key.startswith(f"{what} ")]  # fmt: skip
    return [(key.replace(", ", " | "), found) for key, found in sorted(rows, key=order)]


def _times(found: dict[str, Any]) -> str:
    cells = (
        f"{found['seconds']:.2f}", f"{found['processor_seconds']:.2f}", found["runs"],
        f"{found['load']} on {found['cpus']}",
    )  # fmt: skip
    return " | ".join(str(cell) for cell in cells)


_PAGE = """\
# Time and size by the size of a macro

Written by `cimple scale`; times are medians of the runs. Processor seconds count all programs that
were started; on a busy computer they say more than the seconds that went by.

## Generation

With the design rules checked. What occurs many times, such as a column, is one module with many
instances, elaborated and written once.

| cell | rows x columns | bytes of Verilog | modules | instances | seconds | processor seconds \
| runs | load on CPUs |
|---|---|---:|---:|---:|---:|---:|---:|---|
{generated}

## Synthesis

`synth_ecp5` on macros that differ in the number of equal columns: whole, which flattens the design
first, and by module, with `-noflatten`, which maps each module once. The start of Yosys is in the
times.

| cell | rows x columns | way | Yosys | seconds | processor seconds | runs | load on CPUs |
|---|---|---|---|---:|---:|---:|---|
{synthesised}
"""
