# SPDX-License-Identifier: Apache-2.0
"""Everything that follows from the parameters, against brute force and examples by hand."""

import itertools

import pytest
from amaranth.hdl import Fragment, Shape

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.adder_tree import BinaryTree, CarrySaveTree, adder_tree
from cimple.hdl.macro.config import Storage, Table, Target, Tree
from cimple.hdl.packing import field_table

LOOKUP = {"cell": Cell.LOOKUP}
BLOCKRAM = {"cell": Cell.LOOKUP, "table": Table.BLOCKRAM}
ICE40 = BLOCKRAM | {"target": Target.ICE40}


def holds(bits, values):
    """Whether two's complement numbers of `bits` bits hold all values, and fewer bits do not."""
    fits, spare = (
        all(-1 << n <= 2 * value < 1 << n for value in values) for n in (bits, bits - 1)
    )
    return fits and not spare


def numbers(bits):
    """Every value that so many bits can have, unsigned and signed."""
    return range(-1 << bits - 1, 1 << bits)


def columns_of(weight_bits, fusion):
    """What a column can hold: alone and as the highest of fused ones, signed; else unsigned."""
    lowest = -1 << weight_bits - 1
    return range(lowest, 1 << weight_bits) if fusion > 1 else range(lowest, -lowest)


@pytest.mark.parametrize(
    ("weight_bits", "fusion"), [(1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (2, 4), (4, 4), (8, 2)]
)
@pytest.mark.parametrize("input_bits", [1, 2, 5])
@pytest.mark.parametrize(("rows", "accumulations"), [(1, 1), (3, 5), (72, 16)])
def test_widths_hold_every_sum_and_no_more(weight_bits, fusion, input_bits, rows, accumulations):
    config = MacroConfig(
        rows=rows, columns=4, weight_bits=weight_bits, input_bits=input_bits, fusion=fusion,
        cell=Cell.BITCELL, accumulations=accumulations,
    )
    weights = columns_of(weight_bits, fusion)
    fused = weight_bits * fusion
    # Sums of equal terms have the extremes of one term, times the number of terms.
    products = [weight * value for weight in weights for value in numbers(input_bits)]
    wide = [
        weight * value
        for weight in (-1 << fused - 1, (1 << fused - 1) - 1, *weights)
        for value in (-1 << input_bits - 1, (1 << input_bits - 1) - 1, (1 << input_bits) - 1, 0)
    ]
    column = [rows * product for product in (min(products), max(products))]
    output = [rows * product for product in (min(wide), max(wide))]
    assert holds(config.leaf_bits, weights)
    assert holds(config.plane_sum_bits, [rows * weight for weight in weights])
    assert holds(config.column_bits, column)
    assert holds(config.dot_bits, output)
    assert holds(config.output_bits, [accumulations * total for total in output])
    assert config.plane_sum_range == (rows * weights[0], rows * weights[-1])


@pytest.mark.parametrize("bits_per_cycle", [1, 2, 4, 8])
@pytest.mark.parametrize("fusion", [1, 2])
@pytest.mark.parametrize(("rows", "weight_bits"), [(1, 1), (1, 4), (5, 2), (72, 8)])
def test_the_planes_of_a_step_fit_together(bits_per_cycle, fusion, rows, weight_bits):
    config = MacroConfig(
        rows=rows, columns=2, weight_bits=weight_bits, cell=Cell.BITCELL, fusion=fusion,
        bits_per_cycle=bits_per_cycle,
    )
    digits = [0] if bits_per_cycle == 1 else []
    digits += range(-1 << bits_per_cycle - 1 if bits_per_cycle > 1 else 0, 1 << bits_per_cycle)
    sums = [
        rows * weight * digit for weight in columns_of(weight_bits, fusion) for digit in digits
    ]
    assert holds(config.step_sum_bits, sums)


@pytest.mark.parametrize("fields", [LOOKUP, BLOCKRAM, LOOKUP | {"banks": 8}, {"cell": Cell.ROM}])
@pytest.mark.parametrize("weight_bits", [1, 8])
def test_a_table_holds_every_subset_sum(fields, weight_bits):
    config = MacroConfig(rows=23, columns=2, weight_bits=weight_bits, **fields)
    lowest = -1 << weight_bits - 1
    size = config.rows_per_group
    assert holds(config.leaf_bits, [size * lowest, size * (-lowest - 1)])
    assert len(config.leaf_ranges) == config.leaves == config.groups
    last = 23 - (config.groups - 1) * size
    assert config.leaf_ranges[-1] == (last * lowest, last * (-lowest - 1))
    assert sum(low for low, _ in config.leaf_ranges) == config.plane_sum_range[0]


def test_a_near_macro_adds_whole_products():
    config = MacroConfig(rows=7, columns=2, weight_bits=4, input_bits=5, cell=Cell.NEAR)
    products = [weight * value for weight in range(-8, 8) for value in numbers(5)]
    assert config.leaves == 1
    assert config.leaf_ranges == ((min(products), max(products)),)
    assert holds(config.leaf_bits, products)
    assert config.plane_sum_bits == config.step_sum_bits == config.leaf_bits


@pytest.mark.parametrize(
    ("target", "leaf_bits", "ranges"),
    [
        (Target.GENERIC, 4, ((-8, 7),) * 9),
        # Two rows are added in the cells that multiply them, or eight one after the other.
        (Target.ECP5, 5, ((-16, 14),) * 4 + ((-8, 7),)),
        (Target.ICE40, 7, ((-64, 56), (-8, 7))),
    ],
)
def test_rows_that_are_added_in_cells_of_a_family(target, leaf_bits, ranges):
    config = MacroConfig(rows=9, columns=2, weight_bits=4, cell=Cell.BITCELL, target=target)
    assert config.rows_per_group == 1, "rows are written one by one all the same"
    assert config.leaf_ranges == ranges
    assert config.leaf_bits == leaf_bits
    assert config.leaves == len(ranges)
    assert config.replace(cell=Cell.LOOKUP).rows_per_leaf == 4


@pytest.mark.parametrize(
    ("fields", "rows", "rows_per_group", "groups", "write", "fill", "interval"),
    [
        (LOOKUP, 72, 4, 18, 4, 17, 16),
        (LOOKUP, 73, 4, 19, 4, 17, 16),
        (LOOKUP | {"banks": 2}, 72, 3, 24, 3, 9, 8),
        (LOOKUP | {"banks": 4}, 72, 2, 36, 2, 5, 4),
        (LOOKUP | {"banks": 8}, 72, 1, 72, 1, 3, 2),
        (LOOKUP, 1, 4, 1, 4, 17, 16),
        (BLOCKRAM, 72, 9, 8, 9, 513, 522),
        (BLOCKRAM | {"banks": 2}, 72, 8, 9, 8, 257, 256),
        (BLOCKRAM | {"banks": 8}, 72, 6, 12, 6, 65, 64),
        (ICE40, 64, 8, 8, 8, 257, 256),
        (ICE40 | {"banks": 8}, 64, 5, 13, 5, 33, 32),
        ({"cell": Cell.ROM}, 72, 4, 18, 4, 0, 4),
        ({"cell": Cell.BITCELL}, 72, 1, 72, 1, 0, 1),
        ({"cell": Cell.BITCELL, "banks": 16, "storage": Storage.LUTRAM}, 1, 1, 1, 1, 0, 1),
        ({"cell": Cell.NEAR, "banks": 16}, 72, 1, 72, 1, 0, 1),
    ],
)
def test_row_groups(fields, rows, rows_per_group, groups, write, fill, interval):
    config = MacroConfig(rows=rows, columns=2, **fields)
    assert config.rows_per_group == rows_per_group
    assert config.groups == groups
    assert config.write_cycles == write
    assert config.fill_cycles == fill
    assert config.write_interval == interval
    assert 1 << config.member_bits >= rows_per_group > (1 << config.member_bits) // 2
    assert 1 << config.group_bits >= groups
    assert 1 << config.row_bits >= rows
    assert config.has_fill == (config.cell is Cell.LOOKUP)
    assert config.is_writable == (config.cell is not Cell.ROM)


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        (LOOKUP, 4),
        # Three sums of 12 bits fill a block RAM's 36; with 1-bit weights and 8 rows there are more.
        (BLOCKRAM, 3),
        (ICE40 | {"weight_bits": 1}, 9),
        ({"cell": Cell.BITCELL}, 1),
        ({"cell": Cell.BITCELL, "fusion": 4, "weight_bits": 4}, 4),
        ({"cell": Cell.ROM}, 8),
        ({"cell": Cell.NEAR}, 1),
    ],
)
def test_columns_of_a_block(fields, columns):
    assert MacroConfig(rows=72, columns=16, **fields).columns_per_block == columns
    assert MacroConfig(rows=72, columns=4, **fields).columns_per_block == min(columns, 4)


def test_payloads_of_an_example():
    config = MacroConfig(rows=5, columns=3, input_bits=6, banks=2, accumulations=2)
    widths = {
        "w": config.write_layout, "i": config.input_layout, "o": config.output_layout,
        "read_request": config.read_request_layout, "read_data": config.read_data_layout,
    }
    assert {name: Shape.cast(layout).width for name, layout in widths.items()} == {
        "w": 3 * 8 + 2 + 1 + 1,  # one of three rows, two groups, two banks
        "i": 5 * 6 + 3 + 1 + 1 + 1 + 1,  # six planes need three bits
        "o": 3 * 18,  # 2 * 5 * -128 * 63 needs 18
        "read_request": 3 + 1,
        "read_data": 3 * 8,
    }
    fused = MacroConfig(rows=5, columns=4, weight_bits=2, cell=Cell.BITCELL, fusion=4)
    names = [(row["field"], row["width"]) for row in field_table(fused.input_layout)]
    assert names[-1] == ("fused", 2)
    assert [row["field"] for row in field_table(fused.write_layout)] == ["weights", "group", "bank"]


BITCELL = {"cell": Cell.BITCELL}


@pytest.mark.parametrize(
    ("fields", "latencies"),
    [
        # From valid to valid: steps, product registers, tree, joining of planes, output registers.
        (BITCELL | {"rows": 1}, {1: 1 + 0 + 0 + 0 + 1, 8: 8 + 1}),
        (BITCELL | {"rows": 64}, {8: 8 + 0 + 6 + 1}),
        (BITCELL | {"rows": 64, "pipeline": 4}, {8: 8 + 0 + 2 + 1}),
        (BITCELL | {"rows": 65, "pipeline": 7}, {8: 8 + 0 + 1 + 1}),
        # Two rows, with a register after their level of adders or counted with the tree's.
        (BITCELL | {"rows": 64, "target": Target.ECP5}, {8: 8 + 1 + 5 + 1}),
        (BITCELL | {"rows": 64, "target": Target.ECP5, "pipeline": 2}, {8: 8 + 0 + 3 + 1}),
        (BITCELL | {"rows": 65, "target": Target.ECP5, "pipeline": 2}, {8: 8 + 0 + 4 + 1}),
        (BITCELL | {"rows": 2, "target": Target.ECP5, "pipeline": 2}, {8: 8 + 0 + 0 + 1}),
        # Eight rows, a register, a tree of eight leaves.
        (BITCELL | {"rows": 64, "target": Target.ICE40}, {8: 8 + 1 + 3 + 1}),
        (BITCELL | {"rows": 64, "bits_per_cycle": 4}, {8: 2 + 6 + 2 + 1, 5: 2 + 6 + 2 + 1}),
        (BITCELL | {"rows": 64, "fusion": 2}, {8: 8 + 6 + 2}),
        (BITCELL | {"rows": 64, "fusion": 4, "weight_bits": 4}, {8: 8 + 6 + 3}),
        (BITCELL | {"rows": 64, "accumulations": 2}, {8: 8 + 6 + 2}),
        # 64, 43, 29, 20, 14, 10, 7, 5, 4, 3, 2: ten compressors, then an adder.
        (BITCELL | {"rows": 64, "tree": Tree.CARRY_SAVE}, {8: 8 + 11 + 1}),
        (BITCELL | {"rows": 64, "tree": Tree.CARRY_SAVE, "pipeline": 4}, {8: 8 + 3 + 1}),
        (BITCELL | {"rows": 2, "tree": Tree.CARRY_SAVE}, {8: 8 + 1 + 1}),
        (BITCELL | {"rows": 1, "tree": Tree.CARRY_SAVE}, {8: 8 + 0 + 1}),
        (LOOKUP | {"rows": 4}, {1: 1 + 1 + 0 + 1}),
        (LOOKUP | {"rows": 72}, {8: 8 + 1 + 5 + 1}),
        (LOOKUP | {"rows": 72, "pipeline": 12}, {8: 8 + 1 + 1 + 1}),
        (BLOCKRAM | {"rows": 72}, {8: 8 + 1 + 3 + 1}),
        (BLOCKRAM | {"rows": 72, "target": Target.ECP5}, {8: 8 + 2 + 3 + 1}),
        ({"cell": Cell.ROM, "rows": 72}, {8: 8 + 1 + 5 + 1}),
        # A row a cycle, whatever the bits.
        ({"cell": Cell.NEAR, "rows": 72}, {1: 72 + 2 + 0 + 1, 8: 72 + 2 + 1}),
    ],
)
def test_latency(fields, latencies):
    config = MacroConfig(columns=4, **fields)
    assert {bits: config.vector_latency(bits) for bits in latencies} == latencies
    if config.cell is not Cell.NEAR:
        # The request is registered first.
        assert config.read_latency == 1 + config.vector_latency(1)
        interval = [config.vector_interval(bits) for bits in (1, 8)]
        assert interval == [1, 8 // config.bits_per_cycle]
    else:
        assert config.read_latency == 1 + 1 + 2 + 1
        assert config.vector_interval(1) == config.rows


@pytest.mark.parametrize(
    ("tree", "kind"), [(Tree.CARRY, BinaryTree), (Tree.CARRY_SAVE, CarrySaveTree)]
)
@pytest.mark.parametrize("target", [Target.GENERIC, Target.ECP5])
@pytest.mark.parametrize("pipeline", [1, 2, 3, 12])
def test_registers_are_those_of_the_tree(tree, kind, target, pipeline):
    for rows in (*range(1, 14), 100):
        config = MacroConfig(
            rows=rows, columns=1, pipeline=pipeline, tree=tree, cell=Cell.BITCELL, target=target
        )
        built = adder_tree(config, config.leaf_ranges)
        assert type(built) is kind
        Fragment.get(built, None)
        assert (config.tree_levels, config.tree_registers) == (built.levels, built.registers)


def test_binary_operations():
    base = MacroConfig(rows=72, columns=16, weight_bits=4)
    assert base.binary_operations == 72 * 16 * 4
    parallel = base.replace(cell=Cell.BITCELL, bits_per_cycle=8)
    assert parallel.binary_operations == 72 * 16 * 4 * 8
    assert base.replace(cell=Cell.NEAR).binary_operations == 16 * 4 * 8


def test_weights_of_a_rom():
    given = MacroConfig(rows=2, columns=3, cell=Cell.ROM, weights=((1, -2, 3), (4, 5, -128)))
    assert given.rom_weights == ((1, -2, 3), (4, 5, -128))
    assert MacroConfig.from_mapping(given.to_mapping(), source="a test") == given
    size = {"rows": 40, "columns": 50, "cell": Cell.ROM}
    for weight_bits, seed in itertools.product((1, 2, 4, 8), (0, 1)):
        config = MacroConfig(weight_bits=weight_bits, weights_seed=seed, **size)
        values = list(itertools.chain(*config.rom_weights))
        half = 1 << weight_bits - 1
        assert (min(values), max(values), len(values)) == (-half, half - 1, 2000)
        # Uniform: the mean of 2000 is near -1/2, with eight standard deviations of room.
        assert abs(sum(values) / 2000 + 0.5) < 8 * 2 * half / 12**0.5 / 2000**0.5
        other = config.replace(weights_seed=seed + 1)
        assert other.rom_weights != config.rom_weights
        assert config.replace(name="other").rom_weights == config.rom_weights
    # The same on every machine and in every version: results are quoted by seed.
    assert MacroConfig(rows=2, columns=3, cell=Cell.ROM, weights_seed=7).rom_weights == (
        (-46, 114, -90), (-27, 38, -116)
    )
