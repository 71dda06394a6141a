# SPDX-License-Identifier: Apache-2.0
"""What a macro can be asked for: every legal combination, and every message for the others."""

import re
from typing import Any

import pytest

from cimple.hdl.config import ConfigError, field_table
from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.parameters import LEGAL, STORAGE_BANKS, Storage, Table, Target, Tree

NAMES = ", ".join(row.name for row in field_table(MacroConfig))
PATTERN = "^[a-z][a-z0-9_]{0,47}$"

#: A macro with which every value of every other field goes, where the cell allows it.
BASE: dict[str, Any] = {"rows": 4, "columns": 4, "weight_bits": 4, "input_bits": 16}

#: All values of the fields that do not go with every cell.
VALUES = {
    "banks": (1, 2, 4, 8, 16),
    "bits_per_cycle": (1, 2, 4, 8, 16),
    "fusion": (1, 2, 4),
    "storage": tuple(Storage),
    "table": tuple(Table),
    "tree": tuple(Tree),
    "skip_zero_planes": (False, True),
    "broadcast_registers": (0, 1),
    "output_buffer": (1, 2),
    "target": tuple(Target),
    "weight_bits": (1, 2, 4, 8),
}

BITS = "bits_per_cycle must be 1 with cell: {}, not {}; {}"
PLANES = "a table has one address, and the planes of a cycle would need more"
FUSION = (
    "fusion must be 1 with cell: {}, not {}; "
    "only a bitcell can tell the sign bit of a weight from the others"
)
STORAGE = (
    "storage must be flipflop with cell: {}, not {}; "
    "it says what the bits of a bitcell are stored in"
)
TABLE = (
    "table must be lutram with cell: {}, not blockram; "
    "it says what the tables of a lookup are made for"
)
BANKS = "banks must be {} with {}, not {}; {}"
SHARED = "the banks and the rows of a table share its address bits"
MULTIPLEXER = "every bank is another set of cells behind a multiplexer"


def illegal():
    """Every value that does not go with a cell, written out by hand, and the whole message."""
    cells = Cell.BITCELL, Cell.LOOKUP, Cell.ROM, Cell.NEAR
    for cell in cells[1:]:
        reason = "its multipliers take whole inputs" if cell is Cell.NEAR else PLANES
        for bits in (2, 4, 8, 16):
            yield cell, "bits_per_cycle", bits, BITS.format(cell.value, bits, reason)
        for fusion in (2, 4):
            yield cell, "fusion", fusion, FUSION.format(cell.value, fusion)
        for storage in (Storage.LATCH, Storage.LUTRAM):
            yield cell, "storage", storage, STORAGE.format(cell.value, storage.value)
    for cell in (Cell.BITCELL, Cell.ROM, Cell.NEAR):
        yield cell, "table", Table.BLOCKRAM, TABLE.format(cell.value)
    where = "storage: flipflop"
    yield Cell.BITCELL, "banks", 16, BANKS.format("one of 1, 2, 4, 8", where, 16, MULTIPLEXER)
    where = "cell: lookup"
    yield Cell.LOOKUP, "banks", 16, BANKS.format("one of 1, 2, 4, 8", where, 16, SHARED)
    fixed = "its weights are fixed, so there is one set"
    for banks in (2, 4, 8, 16):
        yield Cell.ROM, "banks", banks, BANKS.format("1", "cell: rom", banks, fixed)
    yield Cell.NEAR, "tree", Tree.CARRY_SAVE, (
        "tree must be carry with cell: near, not carry_save; "
        "it adds one product a cycle and has no tree"
    )
    yield Cell.NEAR, "skip_zero_planes", True, (
        "skip_zero_planes must be false with cell: near, not true; "
        "its multipliers take whole inputs, not planes"
    )


ILLEGAL = list(illegal())


def message_of(fields):
    with pytest.raises(ConfigError) as caught:
        MacroConfig(**(BASE | fields))
    return str(caught.value)


@pytest.mark.parametrize(("cell", "field", "value", "message"), ILLEGAL)
def test_a_value_that_does_not_go_with_the_cell(cell, field, value, message):
    assert message_of({"cell": cell, field: value}) == f"MacroConfig: {message}"


@pytest.mark.parametrize("cell", Cell)
@pytest.mark.parametrize("field", VALUES)
def test_every_other_value_goes(cell, field):
    refused = [value for a, b, value, _ in ILLEGAL if (a, b) == (cell, field)]
    legal = [value for value in VALUES[field] if value not in refused]
    for value in legal:
        config = MacroConfig(**(BASE | {"cell": cell, field: value}))
        assert getattr(config, field) is value
    # The table that the manual shows says the same; but for what storage has to say of banks.
    if (cell, field) != (Cell.BITCELL, "banks"):
        assert set(LEGAL[cell].values.get(field, VALUES[field])) == set(legal)


def test_every_limit_has_a_reason():
    assert set(LEGAL) == set(Cell)
    for cell, limits in LEGAL.items():
        assert set(limits.values) == set(limits.reasons), cell
        for field, legal in limits.values.items():
            is_limit = set(legal) < set(VALUES[field])
            assert bool(limits.reasons[field]) is is_limit, (cell, field)


@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("banks", VALUES["banks"])
def test_banks_of_a_bitcell(storage, banks):
    fields = {"cell": Cell.BITCELL, "storage": storage, "banks": banks}
    if banks == 16 and storage is not Storage.LUTRAM:
        where = f"storage: {storage.value}"
        expected = BANKS.format("one of 1, 2, 4, 8", where, 16, MULTIPLEXER)
        assert message_of(fields) == f"MacroConfig: {expected}"
        assert banks not in STORAGE_BANKS[storage]
    else:
        assert MacroConfig(**(BASE | fields)).banks == banks
        assert banks in STORAGE_BANKS[storage]


@pytest.mark.parametrize("weight_bits", VALUES["weight_bits"])
@pytest.mark.parametrize("fusion", VALUES["fusion"])
def test_fused_weights_have_sixteen_bits_at_most(weight_bits, fusion):
    fields = {"cell": Cell.BITCELL, "weight_bits": weight_bits, "fusion": fusion}
    if (weight_bits, fusion) == (8, 4):
        assert message_of(fields) == (
            "MacroConfig: fusion must be at most 2 with weight_bits: 8, as fused weights have 16 "
            "bits at most, not 4"
        )
    else:
        assert MacroConfig(**(BASE | fields)).fusion == fusion


@pytest.mark.parametrize("input_bits", range(1, 17))
@pytest.mark.parametrize("bits", VALUES["bits_per_cycle"])
def test_no_more_planes_a_cycle_than_inputs_have(input_bits, bits):
    fields = {"cell": Cell.BITCELL, "input_bits": input_bits, "bits_per_cycle": bits}
    if bits > input_bits:
        assert message_of(fields) == (
            f"MacroConfig: bits_per_cycle must be at most input_bits ({input_bits}), not {bits}"
        )
    else:
        assert MacroConfig(**(BASE | fields)).bits_per_cycle == bits


def bounds(low, high, value):
    return f"must be at least {low} and at most {high}, not {value}"


ROM = {"cell": "rom", "rows": 2, "columns": 2}
SHAPE = "weights must be 2 lists of 2 numbers each, not"


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
        ({"weights_seed": -1}, f"weights_seed: {bounds(0, 4294967295, -1)}"),
        ({"weights_seed": 1 << 32}, f"weights_seed: {bounds(0, 4294967295, 1 << 32)}"),
        ({"weight_bits": 3}, "weight_bits: must be one of 1, 2, 4, 8, not 3"),
        ({"weight_bits": "8"}, "weight_bits: must be one of 1, 2, 4, 8, not '8'"),
        ({"banks": 3}, "banks: must be one of 1, 2, 4, 8, 16, not 3"),
        ({"fusion": 3}, "fusion: must be one of 1, 2, 4, not 3"),
        ({"bits_per_cycle": 3}, "bits_per_cycle: must be one of 1, 2, 4, 8, 16, not 3"),
        ({"cell": "ram"}, "cell: must be one of 'bitcell', 'lookup', 'rom', 'near', not 'ram'"),
        ({"storage": "sram"}, "storage: must be one of 'flipflop', 'latch', 'lutram', not 'sram'"),
        ({"table": "bram"}, "table: must be one of 'lutram', 'blockram', not 'bram'"),
        ({"tree": "wallace"}, "tree: must be one of 'carry', 'carry_save', not 'wallace'"),
        ({"target": "gowin"}, "target: must be one of 'generic', 'ecp5', 'ice40', not 'gowin'"),
        ({"skip_zero_planes": 1}, "skip_zero_planes: must be true or false, not 1"),
        ({"name": "Cim"}, f"name: must be text, of the form {PATTERN}, not 'Cim'"),
        ({"name": ""}, f"name: must be text, of the form {PATTERN}, not ''"),
        ({"name": "1st"}, f"name: must be text, of the form {PATTERN}, not '1st'"),
        ({"colums": 3}, f"colums: no such field; did you mean 'columns'? fields are: {NAMES}"),
        ({"rows": 2.0}, "rows: must be an integer, at least 1 and at most 4096, not 2.0"),
        (
            {"cell": "bitcell", "columns": 6, "fusion": 4},
            "columns must be a multiple of fusion (4), not 6",
        ),
        (
            {"cell": "lookup", "weights": [[1] * 4] * 4},
            "weights must be left out with cell: lookup; only a rom has weights of its own",
        ),
        (
            {"cell": "near", "weights_seed": 3},
            "weights_seed must be left out with cell: near; only a rom has weights of its own",
        ),
        (
            ROM | {"weights": [[1, 2], [3, 4]], "weights_seed": 1},
            "weights_seed must be left out where weights are given",
        ),
        (ROM | {"weights": [[1, 2]]}, f"{SHAPE} 1 of 2"),
        (ROM | {"weights": [[1, 2], [3]]}, f"{SHAPE} 2 of 1 or 2"),
        (
            ROM | {"weights": [[1, 2], [3, 8]]},
            "weights must be between -8 and 7 with weight_bits: 4, not 8 in row 1",
        ),
        (
            ROM | {"weights": [[-9, 2], [3, 4]]},
            "weights must be between -8 and 7 with weight_bits: 4, not -9 in row 0",
        ),
        (
            ROM | {"weights": [[1, 0], [-1, 0]], "weight_bits": 1},
            "weights must be between -1 and 0 with weight_bits: 1, not 1 in row 0",
        ),
    ],
)
def test_refused(fields, message):
    assert message_of(fields) == f"MacroConfig: {message}"


def test_messages_are_one_sentence_and_name_what_is_wrong():
    for _, field, value, message in ILLEGAL:
        text = str(getattr(value, "value", value))
        shown = text.lower() if isinstance(value, bool) else text
        assert re.match(rf"{field} must be .* with .*, not {shown}; ", message)
        assert "\n" not in message


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
        {"input_bits": 16}, {"accumulations": 256}, {"pipeline": 12}, {"name": "a" + 47 * "0"},
        {"weights_seed": (1 << 32) - 1, "cell": Cell.ROM},
    ],
)
def test_ends_of_the_ranges_are_accepted(fields):
    config = MacroConfig(**({"rows": 4, "columns": 2} | fields))
    assert {name: getattr(config, name) for name in fields} == fields
