# SPDX-License-Identifier: Apache-2.0
"""What macros cost on the ECP5, from the record of the results, for each 8 x 8 bit MAC a cycle."""

from pathlib import Path

from md_pieces import code, table

from cimple.fpga.cost import read_costs

__all__ = ["BINARY_OPERATIONS", "macro_costs"]

#: An 8 x 8 bit multiplication takes one for each pair of bits.
BINARY_OPERATIONS = 64


def macro_costs(record: Path) -> str:
    """A row for each macro that was placed in the ECP5."""
    rows = []
    for cost in read_costs(record):
        found, placement = cost.resources, cost.placement
        each = found.sites_per_operation
        if placement is None or each is None or found.family != "ecp5":
            continue
        sites, fmax = BINARY_OPERATIONS * each, placement.median
        rows.append(
            (code(cost.name), f"{sites:.0f}", found.rams, f"{fmax:.0f}", f"{fmax / sites:.2f}")
        )
    return table(
        ["Macro", "Sites for a MAC a cycle", "Block RAM", "Fmax MHz", "GMAC/s for 1,000 sites"],
        rows,
    )
