# SPDX-License-Identifier: Apache-2.0
"""What is proven, by which method and on which configurations, from the table of properties."""

from md_pieces import code, escape, table

from cimple.hdl.macro.config import MacroConfig
from cimple.verif.formal.properties import PROPERTIES, SMALL, Property

__all__ = ["limits", "properties", "sizes"]


def properties() -> str:
    """Every property: what it says, how it is proven, on which small configurations."""
    rows = (
        (code(each.name), each.block, escape(each.claim), _method(each),
         ", ".join(code(size) for size in (*each.sizes, *each.longer)))
        for each in PROPERTIES
    )
    return table(["Property", "Block", "What is proven", "Method", "Configurations"], rows)


def _method(property_: Property) -> str:
    sizes = (*property_.sizes, *property_.longer)
    depths = sorted({property_.depth(SMALL[size]) for size in sizes})
    steps = f"{depths[0]} to {depths[-1]}" if len(depths) > 1 else str(depths[0])
    if property_.method == "induction":
        return f"induction over {steps} steps: runs of any length"
    return f"all runs of {steps} cycles"


def sizes() -> str:
    """The small configurations."""
    rows = (
        (code(name), code(config.cell.value), f"{config.rows} x {config.columns}",
         config.weight_bits, config.input_bits, config.banks, _others(config))
        for name, config in SMALL.items()
    )
    return table(
        ["Name", "Cell", "Rows x columns", "Weight bits", "Input bits", "Banks", "Other fields"],
        rows,
    )


def _others(config: MacroConfig) -> str:
    """The fields that have no column of their own, where they are not as by default."""
    named = {"name", "cell", "rows", "columns", "weight_bits", "input_bits", "banks", "weights"}
    fields = MacroConfig.model_fields
    values = config.to_mapping()
    return ", ".join(
        code(f"{name}: {str(value).lower()}") for name, value in values.items()
        if name not in named and getattr(config, name) != fields[name].default
    )


def limits() -> str:
    """How far each property is tried on a configuration of one's own."""
    rows = (
        (code(each.name), ", ".join(f"{code(name)} {most}" for name, most in each.most))
        for each in PROPERTIES
    )
    assert all(hasattr(MacroConfig, name) or name in MacroConfig.model_fields
               for each in PROPERTIES for name, _ in each.most)
    return table(["Property", "At most"], rows)
