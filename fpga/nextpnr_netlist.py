# SPDX-License-Identifier: Apache-2.0
"""What nextpnr is told in its netlist, having no options for it: settings, and places of cells."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ..hdl.errors import CimpleError

__all__ = ["fix_cells", "has_cells", "set_in_netlist"]


def set_in_netlist(netlist: Path, settings: Sequence[str]) -> None:
    """Put settings, as ``name=value``, into a netlist: nextpnr takes them from its top module.

    Raises:
        CimpleError: it is no netlist with a top module.
    """
    if not settings:
        return
    content, top = _read(netlist)
    top["settings"] = dict(setting.split("=", 1) for setting in settings)
    netlist.write_text(json.dumps(content), encoding="utf-8")


def has_cells(netlist: Path, types: Collection[str]) -> bool:
    """Whether a netlist has cells of some types.

    Raises:
        CimpleError: it is no netlist with a top module.
    """
    return bool(types) and any(
        cell["type"] in types for cell in _read(netlist)[1]["cells"].values()
    )


def fix_cells(netlist: Path, placed: Path, types: Collection[str]) -> int:
    """Give cells of some types the places that they have in a netlist which nextpnr wrote.

    Cells that nextpnr has another name for stay free.

    Returns:
        How many are fixed.

    Raises:
        CimpleError: one of the two is no netlist with a top module.
    """
    content, top = _read(netlist)
    cells = _read(placed)[1]["cells"]
    fixed = 0
    for name, cell in top["cells"].items():
        place = cells.get(name, {}).get("attributes", {}).get("NEXTPNR_BEL")
        if cell["type"] in types and place:
            cell["attributes"]["BEL"] = place
            fixed += 1
    netlist.write_text(json.dumps(content), encoding="utf-8")
    return fixed


def _read(netlist: Path) -> tuple[Any, Any]:
    """A netlist, and its top module."""
    try:
        content = json.loads(netlist.read_text(encoding="utf-8"))
        (top,) = (
            module for module in content["modules"].values() if "top" in module["attributes"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CimpleError(f"{netlist.name} is no netlist with a top module: {error}") from None
    return content, top
