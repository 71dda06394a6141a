# SPDX-License-Identifier: Apache-2.0
"""Every property: what it claims, of which block, how it is proven, on which configurations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ...hdl.macro.config import MacroConfig
from .fill import Fill
from .macro_alignment import Alignment
from .macro_streams import Delivery, OutputRules
from .macro_turns import Turns
from .planes import Planes
from .product import Product
from .proof import Proof
from .small import SMALL
from .storage import Storage
from .sums import FusionSums, JoinSums, TreeSums
from .totals import AccumulatorSums, VectorSums

__all__ = ["PROPERTIES", "SMALL", "Property", "excluded"]

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
    longer: tuple[str, ...] = ()
    """Those that take minutes: proven by the command by default, not by each run of the tests."""
    method: Literal["induction", "bounded"] = "induction"
    """By induction for runs of any length, or for all runs of `depth` cycles."""
    most: tuple[tuple[str, int], ...] = ()
    """Properties of a configuration and the most that a solver can do in reasonable time."""
    without: Callable[[MacroConfig], str] | None = None
    """Why there is nothing of the kind in a configuration; empty where there is."""


def _whole_depth(config: MacroConfig) -> int:
    """Cycles in which a row group is written, and a vector multiplied by it leaves as an output."""
    writing = config.write_cycles + config.fill_cycles if config.is_writable else 0
    return writing + config.vector_latency(config.input_bits) + 2


def excluded(property_: Property, config: MacroConfig) -> str:
    """Why a property is not for a configuration; empty where it can be proven."""
    if property_.without and (reason := property_.without(config)):
        return f"nothing to prove: {reason}"
    for name, most in property_.most:
        if (size := getattr(config, name)) > most:
            return f"beyond a solver: {name} is {size}, and up to {most} is practical"
    return ""


def _no_writer(config: MacroConfig) -> str:
    return "" if config.is_writable else "the weights of a rom are not written"


def _no_tree(config: MacroConfig) -> str:
    return "" if config.leaves > 1 else "a tree of one leaf is a wire"


def _no_join(config: MacroConfig) -> str:
    return "" if config.bits_per_cycle > 1 else "a cycle has one plane with bits_per_cycle: 1"


def _no_fusion(config: MacroConfig) -> str:
    return "" if config.fusion > 1 else "columns cannot be fused with fusion: 1"


def _no_vector_sum(config: MacroConfig) -> str:
    return "" if config.accumulations > 1 else "each vector is an output with accumulations: 1"


_MACRO = (("rows", 64), ("columns", 64))

PROPERTIES: tuple[Property, ...] = (
    Property(
        "streams", "macro",
        "Once `o` or `read_data` is valid, it and its payload stay until they are taken.",
        OutputRules, lambda c: 2, lambda c: c.read_latency + 9,
        ("bitcell_banks", "fused_pairs"), ("fused_quads", "lookup", "lookup_banks", "rom", "near"),
        most=_MACRO,
    ),
    Property(
        "delivery", "macro",
        "One output for each accumulation, one row for each request, none lost, none twice, each "
        "offered within the latency.",
        Delivery, lambda c: c.read_latency + 2, lambda c: c.read_latency + 6,
        ("bitcell_banks", "lookup"), ("fused_pairs", "fused_quads", "rom", "near"),
        most=_MACRO,
    ),
    Property(
        "turns", "macro",
        "No weight changes while a vector of its bank is under way, and no step meets a table that "
        "is being filled; vectors, reads and row groups of a bank take turns.",
        Turns, lambda c: 4, lambda c: c.write_cycles + c.fill_cycles + 8,
        ("bitcell", "bitcell_banks", "lookup_banks"), ("lookup", "lookup_halves", "near"),
        most=_MACRO, without=_no_writer,
    ),
    Property(
        "planes", "serialiser",
        "Each step of a vector once, the most significant first, with its tag, but for leading "
        "zero steps where they are skipped, which are counted; each row to read once, never within "
        "an accumulation; nothing moves in a stall.",
        Planes, lambda c: 3, lambda c: c.input_bits + 5,
        ("bitcell_banks", "latch", "near"), ("lookup_banks", "rom", "fused_quads"),
        most=_MACRO,
    ),
    Property(
        "alignment", "macro",
        "All columns get the same operand, their weights, and each tag with the sum it belongs to; "
        "outputs keep the order of columns.",
        Alignment, lambda c: 2, lambda c: c.read_latency + 4,
        ("bitcell_banks", "fused_quads", "rom_ice40"), ("lookup", "latch", "rom", "near"),
        most=_MACRO,
    ),
    Property(
        "fill", "cell writer and array",
        "A row is taken in each cycle, and a group in `write_interval`; its bank is named for "
        "`fill_cycles`, and each table entry is stored once, with the sum of its subset.",
        Fill, lambda c: 4, lambda c: c.write_cycles + c.fill_cycles + 4,
        ("bitcell", "lookup_banks"), ("near", "lookup_halves", "lookup", "blockram"),
        most=(("rows", 64), ("rows_per_group", 5)), without=_no_writer,
    ),
    Property(
        "storage", "cell writer and array",
        "A step meets the weights that were written last, in each bank; a write into one bank "
        "does not disturb another that computes.",
        Storage, lambda c: 4 + min(c.rows, c.rows_per_leaf // c.rows_per_group),
        lambda c: c.write_cycles + c.fill_cycles + 7,
        ("bitcell_banks", "latch", "lutram", "fused_pairs", "near", "lookup_banks"),
        ("rom", "summed_rows", "fused_quads", "lookup_halves", "lookup", "blockram"),
        most=(("rows", 64), ("weight_bits", 8), ("rows_per_group", 5)),
    ),
    Property(
        "tree", "adder tree",
        "The result is the sum of the leaves, stalls included.",
        TreeSums, lambda c: 2 * c.tree_registers + 2, lambda c: c.tree_registers + 3,
        ("tree_pipeline", "rom", "rom_ice40"), ("tree", "tree_carry_save", "lutram"),
        most=(("leaves", 9), ("leaf_bits", 7)), without=_no_tree,
    ),
    Property(
        "join", "column block",
        "The planes of a cycle are added, each times its power of two, that of the sign negative.",
        JoinSums, lambda c: 2 * c.join_registers + 2, lambda c: c.join_registers + 3,
        ("fused_quads",), ("latch",),
        most=(("bits_per_cycle", 8), ("plane_sum_bits", 12)), without=_no_join,
    ),
    Property(
        "accumulator", "accumulator",
        "A dot product is the sum over the steps of its vector, each times its power of two, the "
        "plane of the sign negative; nothing is left of the vector before.",
        AccumulatorSums, lambda c: 2, lambda c: max(c.steps(c.input_bits), 2) + 4,
        ("bitcell", "latch", "rom_ice40"), ("near", "fused_quads"),
        most=(("input_bits", 8), ("column_bits", 23)),
    ),
    Property(
        "fusion", "column block",
        "Dot products of fused columns are added, each times its power of two; others stay alone.",
        FusionSums, lambda c: 2 * c.fused_bits + 2, lambda c: c.fused_bits + 3,
        ("fused_quads",), ("fused_pairs",),
        most=(("dot_bits", 32),), without=_no_fusion,
    ),
    Property(
        "vectors", "column block",
        "An output is the sum of the dot products of its accumulation.",
        VectorSums, lambda c: 2, lambda c: c.accumulations + 4,
        ("bitcell_banks",), ("fused_quads",),
        most=(("accumulations", 4), ("output_bits", 32)), without=_no_vector_sum,
    ),
    Property(
        "product", "macro",
        "Outputs are the sums over rows and input bits with the weights transferred before, in "
        "order; rows read back are those weights.",
        Product, _whole_depth, lambda c: _whole_depth(c) + 5,
        ("product_fused", "product_skip"),
        ("product_planes", "product_near", "product_bitcell", "product_lookup"),
        "bounded",
        most=(("rows", 2), ("columns", 2), ("input_bits", 2), ("weight_bits", 4), ("banks", 4),
              ("fill_cycles", 5), ("accumulations", 2)),
    ),
)
