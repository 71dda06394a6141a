# SPDX-License-Identifier: Apache-2.0
"""Netlists that can be simulated: a design after synthesis for an FPGA family, with its cells.

The top level keeps its name and its ports, so that the bench of the design runs on the netlist.
"""

import tempfile
from pathlib import Path
from typing import NamedTuple

from ..hdl.errors import CimpleError
from .cell_models import models_for, share_directory
from .yosys import Yosys

__all__ = ["NETLISTS", "NetlistFlow", "netlist"]


class NetlistFlow(NamedTuple):
    """How a family's netlist is made, and made fit for simulators."""

    synthesis: str
    """Yosys commands; `{name}` is the top-level module."""
    library: str
    """The cells' models, below Yosys's share directory."""
    defines: tuple[str, ...]
    """Macros to define before the models."""
    reason: str
    """Why the commands and macros are not just the family's defaults."""


#: Every family whose netlists can be simulated.
NETLISTS: dict[str, NetlistFlow] = {
    "ecp5": NetlistFlow(
        "synth_ecp5 -top {name}",
        "ecp5/cells_sim.v",
        (),
        "No pads are put in by default. Some models that no netlist here uses hold `$error` as a "
        "module item, which Icarus 11 does not read; only models that are used are taken along.",
    ),
    "ice40": NetlistFlow(
        # On selected memories: whoever needs LUT-RAM cannot have it here.
        "setattr -unset ram_style */m:*; synth_ice40 -top {name}",
        "ice40/cells_sim.v",
        ("NO_ICE40_DEFAULT_ASSIGNMENTS",),
        "The family has no LUT-RAM, which `lookup` asks for: without the attribute `ram_style` its "
        "tables become block RAM, with the product register as their read port. The models give "
        "ports default values, which Icarus 11 does not read.",
    ),
    "gowin": NetlistFlow(
        "synth_gowin -noiopads -top {name}",
        "gowin/cells_sim.v",
        (),
        "By default a pad is put at every port, which splits buses into bits at the top level.",
    ),
}


def netlist(verilog: str, name: str, family: str, yosys: Yosys) -> str:
    """The netlist of `verilog` with models of all its cells, as one Verilog text.

    Parameters
    ----------
    verilog : str
        A generated design.
    name : str
        Its top-level module.
    family : str
        One of `NETLISTS`.
    yosys : Yosys

    Raises
    ------
    CimpleError
        The family is unknown, Yosys does not synthesise the design, or its models are missing.
    """
    if family not in NETLISTS:
        raise CimpleError(f"netlist must be one of {', '.join(NETLISTS)}, not {family!r}")
    flow = NETLISTS[family]
    library = share_directory(yosys) / flow.library
    script = (
        f"read_verilog design.v; {flow.synthesis.format(name=name)}; "
        "write_verilog -noattr netlist.v"
    )
    with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
        (Path(scratch) / "design.v").write_text(verilog, encoding="utf-8")
        yosys.run(script, Path(scratch))
        text = (Path(scratch) / "netlist.v").read_text(encoding="utf-8")
    defines = [f"`define {macro}" for macro in flow.defines]
    return "\n".join([*defines, models_for(text, library), text])
