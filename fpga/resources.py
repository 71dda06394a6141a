# SPDX-License-Identifier: Apache-2.0
"""What a design takes of an FPGA, counted after synthesis, and the record of it.

Counts are those of the family's flow in Yosys with its defaults, which flattens the design: block
RAM and DSP blocks are used where they fit. A *site* is a LUT4 position; `families` says how many of
them each cell takes.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..hdl.config import Config
from ..hdl.errors import CimpleError
from ..hdl.generate import Design, generate
from ..hdl.macro.config import MacroConfig
from .capacity import Capacity
from .families import FAMILIES, Family, family_of
from .records import read_results
from .yosys import Yosys

__all__ = [
    "Resources", "count_cells", "growth", "input_digest", "measure", "read_record", "record_table",
    "to_record",
]  # fmt: skip

#: How much worse a count may get unnoticed.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Resources:
    """Cells of one design in one family."""

    cells: Mapping[str, int]
    """Number of cells by the columns of the family."""
    yosys: str
    """Version of the Yosys that counted."""
    binary_operations: int | None = None
    """Of a macro: weight bits that meet an input bit each cycle."""
    family: str = "ecp5"
    input_sha256: str = ""
    """`input_digest` of what was counted."""

    def _total(self, what: str) -> int:
        columns = FAMILIES[self.family].counts
        return sum(self.cells[column.name] for column in columns if column.what == what)

    @property
    def sites(self) -> int:
        """LUT4 positions."""
        columns = FAMILIES[self.family].counts
        return sum(self.cells[column.name] * column.sites for column in columns)

    @property
    def ff(self) -> int:
        """Flip-flops."""
        return self._total("ff")

    @property
    def rams(self) -> int:
        """Blocks of RAM, of all kinds."""
        return self._total("ram")

    @property
    def dsps(self) -> int:
        """DSP blocks."""
        return self._total("dsp")

    @property
    def taken(self) -> Capacity:
        """All four in one."""
        return Capacity(self.sites, self.ff, self.rams, self.dsps)

    @property
    def sites_per_operation(self) -> float | None:
        """LUT4 positions for each binary operation a cycle."""
        return self._per_operation(self.sites)

    @property
    def ff_per_operation(self) -> float | None:
        """Flip-flops for each binary operation a cycle."""
        return self._per_operation(self.ff)

    @property
    def cost_per_operation(self) -> float | None:
        """The scarcer of the two, as an FPGA has a flip-flop for each LUT4 position."""
        return self._per_operation(max(self.sites, self.ff))

    def _per_operation(self, count: int) -> float | None:
        return count / self.binary_operations if self.binary_operations else None

    def to_mapping(self) -> dict[str, Any]:
        """As plain data, one key a column in small letters."""
        cells = {name.lower(): number for name, number in self.cells.items()}
        rest = {"yosys": self.yosys, "binary_operations": self.binary_operations}
        return cells | rest | {"family": self.family, "input_sha256": self.input_sha256}

    @classmethod
    def from_mapping(cls, found: Mapping[str, Any]) -> "Resources":
        """What `to_mapping` gave; where it names no family, ECP5; where no digest, none.

        Raises:
            KeyError: a column is missing.
            TypeError: a count is no number.
        """
        family = FAMILIES[found.get("family", "ecp5")]
        cells = {column.name: found[column.name.lower()] for column in family.counts}
        if not all(isinstance(number, int) for number in cells.values()):
            raise TypeError("a count is no number")
        digest = found.get("input_sha256", "")
        return cls(cells, found["yosys"], found["binary_operations"], family.name, digest)


def measure(config: Config, yosys: Yosys, family: str | None = None) -> Resources:
    """Generate and synthesise a configuration, for a named family or that of its cells.

    Raises:
        CimpleError: Yosys does not synthesise it, or the family does not suit it.
    """
    chosen = family_of(config, family)
    return count_cells(config, generate(config), chosen, yosys)


def input_digest(design: Design, family: Family) -> str:
    """Digest of a design's Verilog and of the flow for it: equal ones give equal counts."""
    text = f"{_flow(design, family)}\n{design.verilog}"
    return hashlib.sha256(text.encode()).hexdigest()


def _flow(design: Design, family: Family) -> str:
    return family.synthesis.format(name=design.name)


def count_cells(config: Config, design: Design, family: Family, yosys: Yosys) -> Resources:
    """Synthesise the design of a configuration for a family.

    Raises:
        CimpleError: Yosys does not synthesise it.
    """
    flow = _flow(design, family)
    script = f"read_verilog design.v; {flow}; tee -q -o stat.json stat -json -top {design.name}"
    with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
        (Path(scratch) / "design.v").write_text(design.verilog, encoding="utf-8")
        yosys.run(script, Path(scratch))
        statistics = json.loads((Path(scratch) / "stat.json").read_text(encoding="utf-8"))
    return Resources(
        cells=family.count(statistics["design"]["num_cells_by_type"]),
        yosys=yosys.version,
        binary_operations=config.binary_operations if isinstance(config, MacroConfig) else None,
        family=family.name,
        input_sha256=input_digest(design, family),
    )


def growth(name: str, old: Resources, new: Resources) -> list[str]:
    """A line for each count that is more than 1 % above the recorded one.

    Raises:
        CimpleError: the two are counts of different families.
    """
    if old.family != new.family:
        raise CimpleError(
            f"{name}: is recorded for {old.family}, not {new.family}; measure without --check"
        )
    counts = {"sites": (old.sites, new.sites), "flip-flops": (old.ff, new.ff)}
    counts["block RAMs"] = (old.rams, new.rams)
    counts["DSP blocks"] = (old.dsps, new.dsps)
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
        "flow": "; ".join(family.synthesis.format(name="<name>") for family in _families(results)),
        "results": {name: found.to_mapping() for name, found in results.items()},
    }


def read_record(path: Path) -> dict[str, Resources]:
    """The recorded results, by the name of the configuration.

    Raises:
        CimpleError: the file cannot be read, or is no record.
    """
    return read_results(
        path,
        "resources",
        lambda rows: {name: Resources.from_mapping(row) for name, row in rows.items()},
    )


def record_table(results: Mapping[str, Resources]) -> str:
    """Results as a page of Markdown, a table a family."""
    return _PAGE + "".join(_section(family, results) for family in _families(results))


def _families(results: Mapping[str, Resources]) -> list[Family]:
    """The families that occur; ECP5 where there is no result at all."""
    present = {found.family for found in results.values()} or {"ecp5"}
    return [family for family in FAMILIES.values() if family.name in present]


def _section(family: Family, results: Mapping[str, Resources]) -> str:
    rows = {name: found for name, found in results.items() if found.family == family.name}
    versions = sorted({found.yosys for found in rows.values()})
    columns = [column.name for column in family.counts]
    heading = ["preset", "sites", *columns, "sites / op", "FF / op", "max / op"]
    return _SECTION.format(
        title=family.title,
        yosys=" and ".join(versions),
        flow=family.synthesis.format(name="<name>"),
        sites=" + ".join(
            f"{column.sites} {column.name}" if column.sites > 1 else column.name
            for column in family.counts
            if column.sites
        ),
        heading=" | ".join(heading),
        rule="|".join(["---", *["---:"] * (len(heading) - 1)]),
        rows="\n".join(_row(name, found) for name, found in rows.items()),
    )


def _row(name: str, found: Resources) -> str:
    ratios = (found.sites_per_operation, found.ff_per_operation, found.cost_per_operation)
    cells = [
        name,
        *(str(count) for count in (found.sites, *found.cells.values())),
        *("" if ratio is None else f"{ratio:.3f}" for ratio in ratios),
    ]
    return f"| {' | '.join(cells)} |"


_PAGE = """\
# FPGA resources of the presets

After synthesis by Yosys with the flow's defaults: flattened, with block RAM and DSP blocks allowed.
Written by `cimple resources`; presets of latches are for chips, and not here.

A site is a LUT4 position. A binary operation is one weight bit times one input bit, added in; an
8 x 8 bit multiplication takes 64. The last columns count for each binary operation that a macro
does in a cycle: sites, flip-flops, and the larger of the two.
"""

_SECTION = """
## {title}

Yosys {yosys}, `{flow}`. Sites: {sites}.

| {heading} |
|{rule}|
{rows}
"""
