# SPDX-License-Identifier: Apache-2.0
"""The NPU's parameters: what is accepted, every message, and every formula against examples."""

import pytest

from cimple.hdl.config import ConfigError
from cimple.hdl.macro.config import Cell, MacroConfig
from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import Opcode, Queue

NAMES = (
    "name, macro, macros, activation_bytes, activation_port, weight_bytes, weight_port, "
    "external_port, channels, lanes, requantisers, partial_sum_words, taps, descriptors, "
    "queue_depth, stamps"
)
PATTERN = "^[a-z][a-z0-9_]{0,47}$"
MACRO = {"rows": 12, "columns": 6}


def bounds(low, high, value):
    return f"must be at least {low} and at most {high}, not {value}"


def outside(field, low, high):
    """A value below and one above a range, with the message."""
    return [({field: value}, f"{field}: {bounds(low, high, value)}")
            for value in (low - 1, high + 1)]


RANGES = {
    "activation_bytes": (256, 1 << 20), "weight_bytes": (256, 1 << 24), "channels": (8, 16384),
    "partial_sum_words": (16, 65536), "descriptors": (16, 65536), "queue_depth": (1, 16),
}
CHOICES = {
    "activation_port": (4, 8, 16, 32), "weight_port": (4, 8, 16, 32), "lanes": (1, 2, 4, 8, 16),
    "requantisers": (1, 2, 4, 8, 16), "external_port": (0, 4, 8, 16, 32),
    "macros": (1, 2, 4, 8), "stamps": (16, 32, 64, 128), "taps": (16, 32, 64, 128, 256),
}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        *(case for field, ends in RANGES.items() for case in outside(field, *ends)),
        *(
            ({field: 3}, f"{field}: must be one of {', '.join(map(str, choices))}, not 3")
            for field, choices in CHOICES.items()
        ),
        ({"lanes": 32}, "lanes: must be one of 1, 2, 4, 8, 16, not 32"),
        ({"activation_port": 64}, "activation_port: must be one of 4, 8, 16, 32, not 64"),
        ({"name": "NPU"}, f"name: must be text, of the form {PATTERN}, not 'NPU'"),
        ({"lane": 2}, f"lane: no such field; did you mean 'lanes'? fields are: {NAMES}"),
        ({"queue_depth": 2.0},
         "queue_depth: must be an integer, at least 1 and at most 16, not 2.0"),
        ({"macro": MACRO | {"rows": 0}}, f"macro.rows: {bounds(1, 4096, 0)}"),
        ({"macro": MACRO | {"weight_bits": 4}}, "macro.weight_bits must be 8 in an NPU, not 4"),
        ({"macro": MACRO | {"input_bits": 9}}, "macro.input_bits must be 8 in an NPU, not 9"),
        ({"macro": MACRO | {"accumulations": 2}},
         "macro.accumulations must be 1 in an NPU, not 2"),
        ({"macro": MACRO | {"cell": "bitcell", "fusion": 2}},
         "macro.fusion must be 1 in an NPU, not 2"),
        ({"macro": MACRO | {"cell": "bitcell", "bits_per_cycle": 4}},
         "macro.bits_per_cycle must be 1 in an NPU, not 4"),
        *(
            ({"macro": MACRO | {"cell": cell}},
             f"macro.cell must be bitcell or lookup in an NPU, not {cell}")
            for cell in ("rom", "near")
        ),
        (
            {"lanes": 8, "activation_port": 4},
            ("lanes must be at most activation_port (4), as the channels of a tap are read at "
             "once, not 8"),
        ),
        ({"requantisers": 8},
         "requantisers must be at most lanes (4), as sums come from so many, not 8"),
        (
            {"external_port": 16, "weight_port": 8},
            ("external_port must be at most weight_port (8), as a beat is written to the weight "
             "memory at once, not 16"),
        ),
        ({"activation_bytes": 16380}, "activation_bytes must be a multiple of 8, not 16380"),
        ({"weight_bytes": 264, "weight_port": 16},
         "weight_bytes must be a multiple of 16, not 264"),
        ({"macros": 2, "lanes": 4},
         "requantisers must divide macro.columns (6) where there are several macros, not 4"),
        ({"channels": 130}, "channels must be a multiple of 4, not 130"),
        ({"channels": 129, "requantisers": 2}, "channels must be a multiple of 2, not 129"),
        (
            {"channels": 16, "lanes": 16, "activation_port": 16},
            ("channels must be at least twice requantisers (32), as an addition takes so many, "
             "not 16"),
        ),
    ],
)
def test_refused(fields, message):
    with pytest.raises(ConfigError) as caught:
        NpuConfig.from_mapping({"macro": MACRO} | fields, source="npu.yaml")
    assert str(caught.value) == f"npu.yaml: {message}"


def test_macro_is_required():
    with pytest.raises(ConfigError) as caught:
        NpuConfig.from_mapping({}, source="npu.yaml")
    names = ", ".join(MacroConfig.model_fields)
    assert str(caught.value) == (
        f"npu.yaml: macro: is required: a mapping with the fields {names}"
    )


@pytest.mark.parametrize(
    "fields",
    [
        *({field: end, "lanes": 2} for field, ends in RANGES.items() for end in ends),
        *({"activation_port": 32, "weight_port": 32, "requantisers": 1, field: choice}
          for field, choices in CHOICES.items() if field != "requantisers" for choice in choices),
        *({"activation_port": 32, "lanes": 16, "requantisers": choice}
          for choice in CHOICES["requantisers"]),
        {"lanes": 4, "activation_port": 4},
    ],
)
def test_ends_of_the_ranges_are_accepted(fields):
    macro = MACRO | {"columns": 16}
    config = NpuConfig.from_mapping({"macro": macro} | fields, source="npu.yaml")
    assert {name: getattr(config, name) for name in fields} == fields


#: Two configurations and what follows from them, counted by hand.
EXAMPLES = [
    (
        {
            "macro": {"rows": 20, "columns": 8, "cell": "lookup", "banks": 2,
                      "skip_zero_planes": True},
            "macros": 2, "activation_bytes": 1000, "activation_port": 8, "weight_bytes": 528,
            "weight_port": 16, "external_port": 8, "channels": 48, "lanes": 2,
            "partial_sum_words": 100,
            "descriptors": 17, "stamps": 64,
        },
        {
            "queues": tuple(Queue), "opcodes": tuple(Opcode),
            # 66 beats of 8 bytes; bursts of 2 KiB.
            "beat_bits": 3, "weight_beat_bits": 7, "burst_beats": 256,
            "activation_address_bits": 10, "activation_lane_bits": 3, "weight_words": 33,
            # A row of 8 bytes is a word of 16; 8 table entries take longer than 3 rows.
            "row_words": 1, "group_words": 3, "group_bytes": 48, "load_interval": 8,
            # A tap of two channels is a word of 16 bytes.
            "tap_words": 1, "tap_bytes": 16,
            "channel_words": 24, "weight_word_bits": 6, "channel_word_bits": 5,
            "partial_sum_bits": 7, "program_word_bits": 9, "descriptor_bits": 5, "fetch_bits": 5,
            "stamp_bits": 6,
            "array": MacroConfig(rows=20, columns=8, cell=Cell.LOOKUP, banks=2),
            "columns": 16, "most_split": 1, "pool_lanes": 8,
            "beats": 8, "sum_beats": 1,
        },
    ),
    (
        {
            "macro": {"rows": 1, "columns": 1, "cell": "bitcell"},
            "activation_bytes": 256, "activation_port": 4, "weight_bytes": 256, "weight_port": 32,
            "external_port": 32, "channels": 16, "lanes": 4, "requantisers": 2,
            "partial_sum_words": 16, "descriptors": 16, "stamps": 16,
        },
        {
            "queues": tuple(Queue), "opcodes": tuple(Opcode),
            # A page of 4 KiB has 128 beats.
            "beat_bits": 5, "weight_beat_bits": 3, "burst_beats": 128,
            "activation_address_bits": 8, "activation_lane_bits": 2, "weight_words": 8,
            "row_words": 1, "group_words": 1, "group_bytes": 32, "load_interval": 1,
            "tap_words": 1, "tap_bytes": 32,
            "channel_words": 8, "weight_word_bits": 3, "channel_word_bits": 3,
            "partial_sum_bits": 4, "program_word_bits": 8, "descriptor_bits": 4, "fetch_bits": 5,
            "stamp_bits": 4,
            "array": MacroConfig(rows=1, columns=1, cell=Cell.BITCELL),
            "columns": 1, "most_split": 0, "pool_lanes": 4,
            "beats": 1, "sum_beats": 2,
        },
    ),
]


@pytest.mark.parametrize(("fields", "derived"), EXAMPLES)
def test_what_follows(fields, derived):
    config = NpuConfig.from_mapping(fields, source="npu.yaml")
    assert {name: getattr(config, name) for name in derived} == derived
    names = {name for name, value in vars(NpuConfig).items() if isinstance(value, property)}
    assert names == set(derived)


def test_an_npu_without_an_external_port_is_what_it_was():
    """Neither queue nor opcode, and the digest of before there were such ports."""
    config = NpuConfig.from_mapping({"macro": MACRO}, source="npu.yaml")
    assert config.queues == (Queue.LOAD, Queue.COMPUTE, Queue.VECTOR)
    assert set(Opcode) - set(config.opcodes) == {Opcode.FETCH}
    assert config.digest() == (
        "ed957de4b6fc4a89fbc0b7d49b3a687a45997f35d2061746ceda73dacd5dfdbb"
    )
    assert config.replace(external_port=8).digest() != config.digest()


LOADING = [
    # A word a row; a table of 4 rows has 16 entries. Then five words a row, 20 a group.
    ({"rows": 12, "columns": 4}, 4, 1, 16),
    ({"rows": 12, "columns": 17}, 4, 5, 20),
    ({"rows": 12, "columns": 17}, 32, 1, 16),
    ({"rows": 12, "columns": 9, "cell": "bitcell"}, 4, 3, 3),
    # 512 entries and one cycle, then nine rows, of which all but the first two wait for memory.
    ({"rows": 20, "columns": 9, "table": "blockram"}, 4, 3, 513 + 2 + 7 * 3),
    ({"rows": 20, "columns": 9, "table": "blockram", "banks": 2}, 4, 3, 256),
]


@pytest.mark.parametrize(("macro", "port", "row_words", "load_interval"), LOADING)
def test_loading(macro, port, row_words, load_interval):
    fields = {"macro": macro, "weight_port": port}
    config = NpuConfig.from_mapping(fields, source="npu.yaml")
    assert (config.row_words, config.load_interval) == (row_words, load_interval)


def test_as_many_requantisers_as_lanes_unless_said():
    macro = {"macro": {"rows": 4, "columns": 8}}
    for fields in ({}, {"lanes": 8}, {"lanes": 1}):
        config = NpuConfig.from_mapping(macro | fields, source="npu.yaml")
        assert config.requantisers == config.lanes
    config = NpuConfig(macro=MacroConfig(rows=4, columns=8), lanes=8, requantisers=2)
    assert (config.lanes, config.requantisers) == (8, 2)
