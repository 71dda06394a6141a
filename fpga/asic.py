# SPDX-License-Identifier: Apache-2.0
"""What a macro would take of silicon: transistors, or area and delay with a cell library.

An estimate for comparing one macro with another, not for a floor plan: gates alone, with no wires,
clock tree, scan chain or layout. It lies beside the FPGA counts as it is the same synthesis tool on
the same Verilog.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..hdl.config import Config
from ..hdl.errors import CimpleError
from ..hdl.generate import generate
from ..hdl.macro.config import MacroConfig
from .families import target_of
from .yosys import Yosys

__all__ = ["AsicEstimate", "CellArea", "asic_config", "estimate"]

# No flip-flop of a chip has a value at power-up. The marks of flattened modules are no cells.
_FRONT = (
    "read_verilog design.v; synth -flatten -top {top}; delete t:$scopeinfo; "
    "setattr -unset init w:*; "
)

# An enable or a synchronous reset becomes gates in front of the flip-flop.
_GATES = _FRONT + (
    "dfflegalize -cell $_DFF_P_ x -cell $_DLATCH_P_ x; abc -g cmos2; opt_clean; "
    "tee -q -o stat.json stat -tech cmos -json -top {top}; tee -q -o depth.txt ltp -noff"
)

# ABC's part of Yosys's own flow for libraries, in the form with sizing. `stime -d` writes the delay
# to a file, as what ABC prints does not come through from every build of Yosys.
_MAPPING = (
    "strash;&get,-n;&fraig,-x;&put;scorr;dc2;dch,-f;&get,-n;&nf;&put;buffer;upsize;dnsize;topo;"
    "stime,-d"
)
_CELLS = _FRONT + (
    "dfflibmap -liberty cells.lib; abc -liberty cells.lib -script +{mapping}; opt_clean; "
    "tee -q -o stat.json stat -liberty cells.lib -json -top {top}"
)

#: Transistors of a latch: half of the 16 that Yosys's CMOS figures give a flip-flop.
_LATCH = 8


@dataclass(frozen=True)
class CellArea:
    """A macro in the cells of a library."""

    library: str
    """Name of the liberty file."""
    area: float
    """In the library's unit, most often square micrometres."""
    delay_ps: float
    """Picoseconds of the longest path of gates, without flip-flops and wires."""


@dataclass(frozen=True)
class AsicEstimate:
    """Transistors of a macro as flip-flops, latches and two-input gates."""

    name: str
    weight_bits: int
    """Bits of all weights in all banks."""
    binary_operations: int
    """Weight bits that meet an input bit each cycle."""
    transistors: int
    flip_flops: int
    latches: int
    gates: int
    """NAND, NOR and NOT."""
    levels: int
    """Gates in a row on the longest path."""
    yosys: str
    cells: CellArea | None = None
    """None where no library was given."""

    @property
    def transistors_per_weight_bit(self) -> float:
        """All transistors, not only those that store, for each weight bit."""
        return self.transistors / self.weight_bits

    @property
    def transistors_per_operation(self) -> float:
        """All transistors for each binary operation a cycle."""
        return self.transistors / self.binary_operations

    def to_mapping(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, found: Mapping[str, Any]) -> "AsicEstimate":
        """What `to_mapping` gave.

        Raises:
            KeyError: something is missing.
            TypeError: something is of another kind.
        """
        cells = found["cells"]
        return cls(**{**found, "cells": CellArea(**cells) if cells else None})


def asic_config(config: Config) -> MacroConfig:
    """A configuration that can be estimated.

    Raises:
        CimpleError: it is no macro, or one made of the cells of an FPGA.
    """
    if not isinstance(config, MacroConfig):
        name = config.to_mapping()["name"]
        raise CimpleError(f"{name}: is no macro, and only macros are estimated; leave it out")
    if (target := target_of(config)) != "generic":
        raise CimpleError(
            f"{config.name}: target: {target} makes a design of FPGA cells; "
            "an estimate needs target: generic"
        )
    return config


def estimate(config: MacroConfig, yosys: Yosys, liberty: Path | None = None) -> AsicEstimate:
    """Generate a macro and count its transistors; with a library also map it to its cells.

    Raises:
        CimpleError: Yosys does not synthesise it, or the library cannot be used.
    """
    design = generate(config)
    with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
        directory = Path(scratch)
        (directory / "design.v").write_text(design.verilog, encoding="utf-8")
        mapped = _map(design.name, liberty, yosys, directory) if liberty else None
        yosys.run(_GATES.format(top=design.name), directory)
        found = _statistics(directory)
        depth = (directory / "depth.txt").read_text(encoding="utf-8")
    cells = found["num_cells_by_type"]
    latches = cells.get("$_DLATCH_P_", 0)
    return AsicEstimate(
        name=design.name,
        weight_bits=config.rows * config.columns * config.weight_bits * config.banks,
        binary_operations=config.binary_operations,
        # Yosys puts a `+` behind the number where it has no figure for a cell: for a latch.
        transistors=int(found["estimated_num_transistors"].rstrip("+")) + _LATCH * latches,
        flip_flops=cells.get("$_DFF_P_", 0),
        latches=latches,
        gates=sum(cells.get(gate, 0) for gate in ("$_NAND_", "$_NOR_", "$_NOT_")),
        levels=max((int(length) for length in re.findall(r"\(length=(\d+)\)", depth)), default=0),
        yosys=yosys.version,
        cells=mapped,
    )


def _map(top: str, liberty: Path, yosys: Yosys, directory: Path) -> CellArea:
    try:
        # Beside the design, as a WebAssembly program sees little else of the file system.
        shutil.copyfile(liberty, directory / "cells.lib")
    except OSError as error:
        raise CimpleError(f"--liberty: {liberty}: cannot be read: {error.strerror}") from None
    try:
        yosys.run(_CELLS.format(top=top, mapping=_MAPPING), directory)
    except CimpleError as error:
        raise CimpleError(f"--liberty: {liberty}: {error}") from None
    found = _statistics(directory)
    if left := [cell for cell in found["num_cells_by_type"] if cell.startswith("$")]:
        raise CimpleError(f"--liberty: {liberty}: has no cells for {', '.join(left)}")
    return CellArea(liberty.name, float(found["area"]), _delay(liberty, directory))


def _delay(liberty: Path, directory: Path) -> float:
    """What ABC wrote: name, inputs, outputs, gates, area, delay in picoseconds."""
    try:
        return float((directory / "stats.txt").read_text(encoding="utf-8").split()[5])
    except (OSError, ValueError, IndexError):
        raise CimpleError(
            f"--liberty: {liberty}: no delay came of it; its cells need tables of delays "
            "(cell_rise, cell_fall)"
        ) from None


def _statistics(directory: Path) -> dict[str, Any]:
    """What `stat -json` wrote of the whole design."""
    return json.loads((directory / "stat.json").read_text(encoding="utf-8"))["design"]
