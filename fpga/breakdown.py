# SPDX-License-Identifier: Apache-2.0
"""Where in a design its sites and flip-flops are: a count by module.

Synthesised without flattening, so that modules stay what they are. Nothing is then optimised across
their borders, and the sum is some percent above the count of the whole design.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..hdl.generate import Design
from .families import Family
from .resources import Resources
from .yosys import Yosys

__all__ = ["ModuleShare", "breakdown", "module_cells", "module_shares"]

#: Cells and modules by name and number, in each module.
Cells = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class ModuleShare:
    """What one module takes, without the modules inside it."""

    name: str
    instances: int
    sites: int
    """Of all instances together, as the rest."""
    ff: int
    rams: int
    dsps: int

    def to_mapping(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def breakdown(design: Design, family: Family, yosys: Yosys) -> tuple[ModuleShare, ...]:
    """Synthesise a design module by module, the modules with most sites first.

    Raises:
        CimpleError: Yosys does not synthesise it.
    """
    return module_shares(module_cells(design, family, yosys), design.name, family)


def module_cells(design: Design, family: Family, yosys: Yosys) -> Cells:
    """Synthesise a design module by module: the cells and modules inside each.

    Raises:
        CimpleError: Yosys does not synthesise it.
    """
    flow = f"{family.synthesis.format(name=design.name)} -noflatten"
    script = f"read_verilog design.v; {flow}; tee -q -o stat.json stat -json -top {design.name}"
    with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
        (Path(scratch) / "design.v").write_text(design.verilog, encoding="utf-8")
        yosys.run(script, Path(scratch))
        statistics = json.loads((Path(scratch) / "stat.json").read_text(encoding="utf-8"))
    return {
        name.removeprefix("\\"): found["num_cells_by_type"]
        for name, found in statistics["modules"].items()
    }


def module_shares(modules: Cells, top: str, family: Family) -> tuple[ModuleShare, ...]:
    """Shares of modules whose cells are given by name; other modules are among the cells."""
    instances: Counter[str] = Counter()

    def visit(name: str, times: int) -> None:
        instances[name] += times
        for cell, number in modules[name].items():
            if cell in modules:
                visit(cell, times * number)

    visit(top, 1)
    shares = []
    for name, times in instances.items():
        one = Resources(family.count(modules[name]), "", family=family.name)
        shares.append(
            ModuleShare(
                name, times, times * one.sites, times * one.ff, times * one.rams, times * one.dsps
            )
        )
    return tuple(sorted(shares, key=lambda share: (-share.sites, share.name)))
