# SPDX-License-Identifier: Apache-2.0
"""`cimple resources --asic`: transistors of macros, and area and delay with a library."""

from pathlib import Path

from ...fpga.asic import AsicEstimate, asic_config, estimate
from ...fpga.asic_record import (
    estimate_table,
    merge_estimates,
    read_estimates,
    to_estimate_record,
)
from ...fpga.yosys import find_yosys
from ...hdl.config import Config
from ...hdl.errors import CimpleError
from .resources_files import measuring, say_written, write_record

__all__ = ["estimate_asic"]

_STEM = "asic_estimate"


def estimate_asic(configs: list[Config], liberty: Path | None, output: Path) -> None:
    """Estimate macros, and renew their rows in the record after each.

    Raises:
        CimpleError: a configuration is no macro, Yosys is missing or fails, or the library cannot
            be used.
    """
    macros = [asic_config(config) for config in configs]
    if liberty and not liberty.is_file():
        raise CimpleError(f"--liberty: {liberty}: there is no such file")
    record = output / f"{_STEM}.json"
    estimates = read_estimates(record) if record.exists() else []
    written: list[Path] = []
    with measuring(len(macros)) as display:
        yosys = find_yosys()
        for macro in macros:
            display.steps_of(macro.name)("synthesis to gates")
            found = estimate(macro, yosys, liberty)
            estimates = merge_estimates(estimates, [found])
            page = estimate_table(estimates)
            written = write_record(output, _STEM, to_estimate_record(estimates), page)
            display.done(_line(found))
        display.end(f"done with Yosys {yosys.version}")
    say_written(written)


def _line(found: AsicEstimate) -> str:
    line = (
        f"{found.name}: {found.transistors} transistors, "
        f"{found.transistors_per_weight_bit:.1f} a weight bit, "
        f"{found.transistors_per_operation:.1f} a binary operation"
    )
    if found.cells:
        line += f"; area {found.cells.area:.0f}, {found.cells.delay_ps:.0f} ps"
    return line
