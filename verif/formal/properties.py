# SPDX-License-Identifier: Apache-2.0
"""Every property: what it claims, of which block, how it is proven, on which configurations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ...hdl.macro.config import Cell, MacroConfig
from .fill import Fill
from .macro_alignment import Alignment
from .macro_streams import Delivery, OutputRules
from .macro_turns import Turns
from .planes import Planes
from .product import Product
from .proof import Proof
from .storage import Storage
from .sums import AccumulatorSums, TreeSums

__all__ = ["PROPERTIES", "SMALL", "Property", "excluded"]

#: What the proofs know about: the cells, and the fields that may have any value.
_CELLS = (Cell.BITCELL, Cell.LOOKUP)
_FIELDS = (
    "name", "rows", "columns", "weight_bits", "input_bits", "cell", "banks", "accumulations",
    "pipeline",
)


@dataclass(frozen=True)
class Property:
    """A set of claims that are proven together."""

    name: str
    block: str
    """The block they are about."""
    claim: str
    """What is proven, in a sentence."""
    build: Callable[[MacroConfig], Proof]
    depth: Callable[[MacroConfig], int]
    """Steps of the induction; of a bounded check, all its steps."""
    cover: Callable[[MacroConfig], int]
    """Steps in which everything to be reached is reached."""
    sizes: tuple[str, ...]
    """Names in `SMALL` of the configurations that it is proven on by default."""
    method: Literal["induction", "bounded"] = "induction"
    """By induction for runs of any length, or for all runs of `depth` cycles."""
    most: tuple[tuple[str, int], ...] = ()
    """Properties of a configuration and the most that a solver can do in reasonable time."""


def excluded(property_: Property, config: MacroConfig) -> str:
    """Why a property is not for a configuration; empty where it can be proven."""
    if config.cell not in _CELLS:
        return f"there are no proofs for cell: {config.cell.value}"
    plain = MacroConfig(**{name: getattr(config, name) for name in _FIELDS})
    for name in MacroConfig.model_fields:
        if getattr(plain, name) != getattr(config, name):
            return f"there are no proofs for {name}: {config.to_mapping()[name]}"
    for name, most in property_.most:
        if (size := getattr(config, name)) > most:
            return f"beyond a solver: {name} is {size}, and up to {most} is practical"
    return ""


#: The configurations of the recorded proofs: small, as what is proven is the same for all sizes.
SMALL: dict[str, MacroConfig] = {
    "bitcell": MacroConfig(
        name="bitcell", rows=3, columns=2, weight_bits=4, input_bits=3, cell=Cell.BITCELL
    ),
    "bitcell_banks": MacroConfig(
        name="bitcell_banks", rows=3, columns=2, weight_bits=4, input_bits=3, cell=Cell.BITCELL,
        banks=2, accumulations=2, pipeline=2,
    ),
    "lookup": MacroConfig(
        name="lookup", rows=3, columns=2, weight_bits=4, input_bits=3, cell=Cell.LOOKUP,
        accumulations=2,
    ),
    "lookup_banks": MacroConfig(
        name="lookup_banks", rows=4, columns=2, weight_bits=4, input_bits=3, cell=Cell.LOOKUP,
        banks=2,
    ),
    "tree": MacroConfig(name="tree", rows=5, columns=1, weight_bits=4, cell=Cell.BITCELL),
    "tree_pipeline": MacroConfig(
        name="tree_pipeline", rows=5, columns=1, weight_bits=4, cell=Cell.BITCELL, pipeline=2
    ),
    "product_bitcell": MacroConfig(
        name="product_bitcell", rows=2, columns=1, weight_bits=4, input_bits=2, cell=Cell.BITCELL,
        banks=2, accumulations=2,
    ),
    "product_lookup": MacroConfig(
        name="product_lookup", rows=2, columns=1, weight_bits=4, input_bits=1, cell=Cell.LOOKUP,
        banks=4,
    ),
}

_EACH_CELL = ("bitcell", "bitcell_banks", "lookup", "lookup_banks")

PROPERTIES: tuple[Property, ...] = (
    Property(
        "streams", "macro",
        "Once `o` or `read_data` is valid, it and its payload stay until they are taken.",
        OutputRules, lambda c: 2, lambda c: c.read_latency + 8,
        ("bitcell_banks", "lookup"),
        most=(("rows", 64), ("columns", 64)),
    ),
    Property(
        "delivery", "macro",
        "One output for each accumulation, one row for each request, none lost, none twice, each "
        "offered within the latency.",
        Delivery, lambda c: c.read_latency + 2, lambda c: c.read_latency + 4,
        ("bitcell_banks", "lookup"),
        most=(("rows", 64), ("columns", 64)),
    ),
    Property(
        "turns", "macro",
        "No row group is written while a plane or an unfinished vector meets its bank; vectors and "
        "row groups of a bank take turns.",
        Turns, lambda c: 3, lambda c: 8, _EACH_CELL,
        most=(("rows", 64), ("columns", 64)),
    ),
    Property(
        "planes", "serialiser",
        "Each plane of a vector once, the most significant first, with its tag; each row to read "
        "once, never within an accumulation; nothing moves in a stall.",
        Planes, lambda c: 3, lambda c: c.input_bits + 3, ("bitcell", "bitcell_banks"),
        most=(("rows", 64), ("columns", 64)),
    ),
    Property(
        "alignment", "macro",
        "All columns get the same plane, their weights, and each tag with the sum it belongs to; "
        "outputs keep the order of columns.",
        Alignment, lambda c: 2, lambda c: c.read_latency + 3, ("bitcell_banks", "lookup"),
        most=(("rows", 64), ("columns", 64)),
    ),
    Property(
        "fill", "cell writer and array",
        "Writing a row group takes `write_cycles`; each table entry is stored once, with the sum "
        "of its subset.",
        Fill, lambda c: 3, lambda c: c.write_cycles + 2, ("bitcell", "lookup", "lookup_banks"),
        most=(("rows", 64),),
    ),
    Property(
        "storage", "cell writer and array",
        "A plane meets the weights that were written last, in each bank; a write into one bank "
        "does not disturb another that computes.",
        Storage, lambda c: 4, lambda c: c.write_cycles + 4,
        ("bitcell_banks", "lookup", "lookup_banks"),
        most=(("rows", 64), ("weight_bits", 8)),
    ),
    Property(
        "tree", "adder tree",
        "The result is the sum of the leaves, stalls included.",
        TreeSums, lambda c: 2 * c.tree_registers + 2, lambda c: c.tree_registers + 3,
        ("tree", "tree_pipeline"),
        most=(("groups", 5), ("leaf_bits", 5)),
    ),
    Property(
        "accumulator", "accumulator",
        "The output is the sum over vectors and planes, each times its power of two, the plane of "
        "the sign negative.",
        AccumulatorSums, lambda c: 2, lambda c: c.input_bits * c.accumulations + 4,
        ("bitcell", "bitcell_banks"),
        most=(("input_bits", 8), ("accumulations", 2), ("output_bits", 23)),
    ),
    Property(
        "product", "macro",
        "Outputs are the sums over rows and input bits with the weights transferred before, in "
        "order; rows read back are those weights.",
        Product, lambda c: 9, lambda c: 14,
        ("product_bitcell", "product_lookup"), "bounded",
        most=(("rows", 2), ("columns", 1), ("input_bits", 2), ("weight_bits", 4), ("banks", 4),
              ("write_cycles", 4)),
    ),
)
