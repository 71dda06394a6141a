# SPDX-License-Identifier: Apache-2.0
"""What a design takes of an ECP5, counted after synthesis, and the record of it.

Counts are those of Yosys's `synth_ecp5` with its defaults, which flattens the design: block RAM and
DSP blocks are used where they fit. A *site* is a LUT4 position: one for a LUT4, two for a CCU2C
(a carry chain's pair of positions), six for a TRELLIS_DPR16X4 (four LUTs that hold data, and the
two that their write port takes).
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..hdl.config import Config
from ..hdl.errors import CimpleError
from ..hdl.generate import generate
from ..hdl.macro.config import MacroConfig
from .yosys import Yosys

__all__ = ["FLOW", "Resources", "growth", "measure", "read_record", "record_table", "to_record"]

#: The synthesis command; `{name}` is the top-level module.
FLOW = "synth_ecp5 -top {name}"

#: How much worse a count may get unnoticed.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Resources:
    """Cells of one design, by the names of the ECP5 library."""

    lut4: int
    ccu2c: int
    dpr16x4: int
    ff: int
    dp16kd: int
    mult18x18d: int
    yosys: str
    """Version of the Yosys that counted."""
    binary_operations: int | None = None
    """Of a macro: weight bits that meet an input bit each cycle."""

    @property
    def sites(self) -> int:
        """LUT4 positions."""
        return self.lut4 + 2 * self.ccu2c + 6 * self.dpr16x4

    @property
    def sites_per_operation(self) -> float | None:
        """LUT4 positions for each binary operation a cycle."""
        return self.sites / self.binary_operations if self.binary_operations else None

    @property
    def ff_per_operation(self) -> float | None:
        """Flip-flops for each binary operation a cycle."""
        return self.ff / self.binary_operations if self.binary_operations else None


def measure(config: Config, yosys: Yosys) -> Resources:
    """Generate and synthesise a configuration.

    Raises:
        CimpleError: Yosys does not synthesise it.
    """
    design = generate(config)
    flow = FLOW.format(name=design.name)
    script = f"read_verilog design.v; {flow}; tee -q -o stat.json stat -json -top {design.name}"
    with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
        (Path(scratch) / "design.v").write_text(design.verilog, encoding="utf-8")
        yosys.run(script, Path(scratch))
        statistics = json.loads((Path(scratch) / "stat.json").read_text(encoding="utf-8"))
    cells = statistics["design"]["num_cells_by_type"]
    return Resources(
        lut4=cells.get("LUT4", 0),
        ccu2c=cells.get("CCU2C", 0),
        dpr16x4=cells.get("TRELLIS_DPR16X4", 0),
        ff=cells.get("TRELLIS_FF", 0),
        dp16kd=cells.get("DP16KD", 0),
        mult18x18d=cells.get("MULT18X18D", 0),
        yosys=yosys.version,
        binary_operations=config.binary_operations if isinstance(config, MacroConfig) else None,
    )


def growth(name: str, old: Resources, new: Resources) -> list[str]:
    """A line for each count that is more than 1 % above the recorded one."""
    counts = {"sites": (old.sites, new.sites), "flip-flops": (old.ff, new.ff)}
    counts["block RAMs"] = (old.dp16kd, new.dp16kd)
    counts["DSP blocks"] = (old.mult18x18d, new.mult18x18d)
    return [
        f"{name}: {after} {what} by Yosys {new.yosys}, where {before} by Yosys {old.yosys} are "
        f"recorded: {after - before} more"
        for what, (before, after) in counts.items()
        if after > before * (1 + _TOLERANCE)
    ]


def to_record(results: Mapping[str, Resources]) -> dict[str, Any]:
    """Results as plain data, as `resources.json` holds them."""
    return {
        "format_version": 1,
        "flow": FLOW.format(name="<name>"),
        "results": {name: asdict(found) for name, found in results.items()},
    }


def read_record(path: Path) -> dict[str, Resources]:
    """The recorded results, by the name of the configuration.

    Raises:
        CimpleError: the file cannot be read, or is no record.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {name: Resources(**found) for name, found in record["results"].items()}
    except OSError as error:
        raise CimpleError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CimpleError(
            f"{path}: is no record of resources; remove it and measure anew"
        ) from None


def record_table(results: Mapping[str, Resources]) -> str:
    """Results as a page of Markdown."""
    rows = [_row(name, found) for name, found in results.items()]
    versions = sorted({found.yosys for found in results.values()})
    return _PAGE.format(
        yosys=" and ".join(versions), flow=FLOW.format(name="<name>"), rows="\n".join(rows)
    )


def _row(name: str, found: Resources) -> str:
    cells = [
        name,
        *(str(count) for count in (found.sites, found.lut4, found.ccu2c, found.dpr16x4, found.ff)),
        str(found.dp16kd),
        str(found.mult18x18d),
        _ratio(found.sites_per_operation),
        _ratio(found.ff_per_operation),
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


_PAGE = """\
# FPGA resources of the presets

Lattice ECP5, after synthesis by Yosys {yosys} with `{flow}`: the flow's defaults, flattened, with
block RAM and DSP blocks allowed. Written by `cimple resources --all`.

A site is a LUT4 position: LUT4 + 2 CCU2C + 6 TRELLIS_DPR16X4. A binary operation is one weight bit
times one input bit, added in; an 8 x 8 bit multiplication takes 64. The last two columns count for
each binary operation that a macro does in a cycle.

| preset | sites | LUT4 | CCU2C | DPR16X4 | FF | DP16KD | MULT18X18D | sites / op | FF / op |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{rows}
"""
