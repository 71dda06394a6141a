# SPDX-License-Identifier: Apache-2.0
"""The macro's parameters: what is accepted, every message, and every formula against examples."""

import itertools

import pytest
from amaranth.hdl import Shape

from cimple.hdl.config import ConfigError
from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.config import LEGAL_BANKS

NAMES = "name, rows, columns, weight_bits, input_bits, cell, banks, accumulations, pipeline"
PATTERN = "^[a-z][a-z0-9_]{0,47}$"


def bounds(low, high, value):
    return f"must be at least {low} and at most {high}, not {value}"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 0}, f"rows: {bounds(1, 4096, 0)}"),
        ({"rows": 4097}, f"rows: {bounds(1, 4096, 4097)}"),
        ({"columns": 0}, f"columns: {bounds(1, 1024, 0)}"),
        ({"columns": 1025}, f"columns: {bounds(1, 1024, 1025)}"),
        ({"input_bits": 0}, f"input_bits: {bounds(1, 16, 0)}"),
        ({"input_bits": 17}, f"input_bits: {bounds(1, 16, 17)}"),
        ({"accumulations": 0}, f"accumulations: {bounds(1, 256, 0)}"),
        ({"accumulations": 257}, f"accumulations: {bounds(1, 256, 257)}"),
        ({"pipeline": 0}, f"pipeline: {bounds(1, 12, 0)}"),
        ({"pipeline": 13}, f"pipeline: {bounds(1, 12, 13)}"),
        ({"weight_bits": 2}, "weight_bits: must be one of 4, 8, not 2"),
        ({"weight_bits": "8"}, "weight_bits: must be one of 4, 8, not '8'"),
        ({"banks": 3}, "banks: must be one of 1, 2, 4, 8, not 3"),
        ({"cell": "rom"}, "cell: must be one of 'bitcell', 'lookup', not 'rom'"),
        ({"name": "Cim"}, f"name: must be text, of the form {PATTERN}, not 'Cim'"),
        ({"name": ""}, f"name: must be text, of the form {PATTERN}, not ''"),
        ({"name": "1st"}, f"name: must be text, of the form {PATTERN}, not '1st'"),
        ({"colums": 3}, f"colums: no such field; did you mean 'columns'? fields are: {NAMES}"),
        (
            {"rows": 2.0},
            "rows: must be an integer, at least 1 and at most 4096, not 2.0",
        ),
        (
            {"banks": 8, "cell": "lookup"},
            (
                "banks must be one of 1, 2, 4 with cell: lookup, not 8; "
                "the banks and the rows of a table share the 4 address bits of a LUT-RAM"
            ),
        ),
    ],
)
def test_refused(fields, message):
    with pytest.raises(ConfigError) as caught:
        MacroConfig(**({"rows": 4, "columns": 2} | fields))
    assert str(caught.value) == f"MacroConfig: {message}"


def test_required_fields():
    with pytest.raises(ConfigError) as caught:
        MacroConfig.from_mapping({}, source="my.yaml")
    assert str(caught.value).splitlines() == [
        "my.yaml: rows: is required: an integer, at least 1 and at most 4096",
        "my.yaml: columns: is required: an integer, at least 1 and at most 1024",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"rows": 1}, {"rows": 4096}, {"columns": 1}, {"columns": 1024}, {"input_bits": 1},
        {"input_bits": 16}, {"accumulations": 256}, {"pipeline": 12}, {"weight_bits": 4},
        {"name": "a" + 47 * "0"},
    ],
)
def test_ends_of_the_ranges_are_accepted(fields):
    config = MacroConfig(**({"rows": 4, "columns": 2} | fields))
    assert {name: getattr(config, name) for name in fields} == fields


def test_every_pair_of_cell_and_banks_is_either_legal_or_refused():
    legal = []
    for cell, banks in itertools.product(Cell, (1, 2, 4, 8)):
        try:
            legal.append((cell, MacroConfig(rows=4, columns=2, cell=cell, banks=banks).banks))
        except ConfigError:
            continue
    assert legal == [(cell, banks) for cell in Cell for banks in LEGAL_BANKS[cell]]
    assert len(legal) == 7


@pytest.mark.parametrize(
    ("cell", "banks", "rows", "rows_per_group", "groups", "write_cycles"),
    [
        ("lookup", 1, 72, 4, 18, 16),
        ("lookup", 1, 73, 4, 19, 16),
        ("lookup", 2, 72, 3, 24, 8),
        ("lookup", 2, 73, 3, 25, 8),
        ("lookup", 4, 72, 2, 36, 4),
        ("lookup", 1, 1, 4, 1, 16),
        ("bitcell", 1, 72, 1, 72, 1),
        ("bitcell", 8, 1, 1, 1, 1),
    ],
)
def test_row_groups(cell, banks, rows, rows_per_group, groups, write_cycles):
    config = MacroConfig(rows=rows, columns=2, cell=Cell(cell), banks=banks)
    assert config.rows_per_group == rows_per_group
    assert config.groups == groups
    assert config.write_cycles == write_cycles


def holds(bits, *values):
    """Whether two's complement numbers of `bits` bits hold all values, and fewer bits do not."""
    fits = all(-1 << bits - 1 <= value < 1 << bits - 1 for value in values)
    return fits and not all(-1 << bits - 2 <= value < 1 << bits - 2 for value in values)


@pytest.mark.parametrize("weight_bits", [4, 8])
@pytest.mark.parametrize("input_bits", [1, 2, 5, 8, 16])
@pytest.mark.parametrize(("rows", "accumulations"), [(1, 1), (3, 5), (72, 16), (4096, 256)])
def test_widths_hold_the_extremes_and_no_more(weight_bits, input_bits, rows, accumulations):
    config = MacroConfig(
        rows=rows, columns=1, weight_bits=weight_bits, input_bits=input_bits,
        accumulations=accumulations,
    )
    weights = -1 << weight_bits - 1, (1 << weight_bits - 1) - 1
    inputs = 0, (1 << input_bits) - 1, -1 << input_bits - 1, (1 << input_bits - 1) - 1
    products = [weight * value for weight in weights for value in inputs]
    extremes = min(products), max(products)
    assert holds(config.dot_bits, *[rows * product for product in extremes])
    assert holds(config.output_bits, *[rows * accumulations * product for product in extremes])
    assert holds(config.plane_sum_bits, *[rows * weight for weight in weights])
    assert 1 << config.row_bits >= rows
    assert 1 << config.group_bits >= config.groups
    assert 1 << config.plane_bits >= input_bits


def test_payloads_of_an_example():
    config = MacroConfig(rows=5, columns=3, input_bits=6, banks=2, accumulations=2)
    widths = {
        "w": config.write_layout, "i": config.input_layout, "o": config.output_layout,
        "read_request": config.read_request_layout, "read_data": config.read_data_layout,
    }
    assert {name: Shape.cast(layout).width for name, layout in widths.items()} == {
        "w": 3 * 3 * 8 + 1 + 1,  # two groups of three rows, two banks
        "i": 5 * 6 + 3 + 1 + 1 + 1 + 1,  # six planes need three bits
        "o": 3 * 18,  # 2 * 5 * -128 * 63 needs 18
        "read_request": 3 + 1,
        "read_data": 3 * 8,
    }


@pytest.mark.parametrize(
    ("cell", "rows", "pipeline", "latencies"),
    [
        # From valid to valid: planes, product register, tree registers, dot product, output.
        ("bitcell", 1, 1, {1: 1 + 0 + 0 + 2, 8: 8 + 0 + 0 + 2}),
        ("bitcell", 64, 1, {8: 8 + 0 + 6 + 2}),
        ("bitcell", 64, 4, {8: 8 + 0 + 2 + 2}),
        ("bitcell", 65, 7, {8: 8 + 0 + 1 + 2}),
        ("lookup", 4, 1, {1: 1 + 1 + 0 + 2}),
        ("lookup", 72, 1, {8: 8 + 1 + 5 + 2}),
        ("lookup", 72, 2, {8: 8 + 1 + 3 + 2}),
        ("lookup", 72, 12, {8: 8 + 1 + 1 + 2}),
    ],
)
def test_latency(cell, rows, pipeline, latencies):
    config = MacroConfig(rows=rows, columns=1, cell=Cell(cell), pipeline=pipeline)
    assert {bits: config.vector_latency(bits) for bits in latencies} == latencies
    assert config.read_latency == config.vector_latency(1)
    assert [config.vector_interval(bits) for bits in (1, 8)] == [1, 8]


def test_binary_operations():
    assert MacroConfig(rows=72, columns=16, weight_bits=4).binary_operations == 72 * 16 * 4
