# SPDX-License-Identifier: Apache-2.0
"""Configurations: what they accept, and every message in full."""

import hashlib
import pickle
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from cimple.hdl.config import Config, ConfigError, FieldRow, field_table
from cimple.hdl.errors import CimpleError
from cimple.hdl.yaml_text import parse_yaml


class Cell(Enum):
    BITCELL = "bitcell"
    LOOKUP = "lookup"


class Macro(Config):
    rows: int = Field(ge=1, le=4096, description="inputs of a dot product")
    weight_bits: Literal[1, 4, 8] = Field(default=8, description="bits of a weight")
    cell: Cell = Field(default=Cell.BITCELL, description="how weights are held")
    signed: bool = False
    load: float = Field(default=0.5, gt=0, lt=1)
    name: str = "macro"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.cell is Cell.LOOKUP and self.rows % 4:
            raise ValueError(f"rows must be a multiple of 4 for lookup, not {self.rows}")
        return self


class Npu(Config):
    macro: Macro
    spare: tuple[Macro, ...] = ()
    pads: tuple[Annotated[int, Field(ge=0)], ...] = (1,)
    bus: int | None = Field(default=None, multiple_of=8, description="bits, if there is a bus")
    lanes: int | Literal["auto"] = "auto"


FIELDS = "rows, weight_bits, cell, signed, load, name"


def message(make: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        make()
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"rows": 0}, "rows: must be at least 1 and at most 4096, not 0"),
        ({"rows": 4097}, "rows: must be at least 1 and at most 4096, not 4097"),
        ({"rows": "12"}, "rows: must be an integer, at least 1 and at most 4096, not '12'"),
        ({"rows": True}, "rows: must be an integer, at least 1 and at most 4096, not true"),
        ({"rows": 12.0}, "rows: must be an integer, at least 1 and at most 4096, not 12.0"),
        ({"rows": None}, "rows: must be an integer, at least 1 and at most 4096, not null"),
        (
            {"rows": 1 << 20000},
            "rows: must be at least 1 and at most 4096, not an integer of 20001 bits",
        ),
        ({}, "rows: is required: an integer, at least 1 and at most 4096"),
        ({"rows": 4, "weight_bits": 5}, "weight_bits: must be one of 1, 4, 8, not 5"),
        ({"rows": 4, "weight_bits": 4.0}, "weight_bits: must be one of 1, 4, 8, not 4.0"),
        ({"rows": 4, "weight_bits": True}, "weight_bits: must be one of 1, 4, 8, not true"),
        ({"rows": 4, "cell": "rom"}, "cell: must be one of 'bitcell', 'lookup', not 'rom'"),
        ({"rows": 4, "signed": 1}, "signed: must be true or false, not 1"),
        ({"rows": 4, "load": 1}, "load: must be greater than 0 and less than 1, not 1"),
        (
            {"rows": 4, "load": float("nan")},
            "load: must be a number, greater than 0 and less than 1, not nan",
        ),
        ({"rows": 4, "name": ["a", "b"]}, "name: must be text, not a list of 2"),
        (
            {"rows": 4, "row": 5},
            f"row: no such field; did you mean 'rows'? fields are: {FIELDS}",
        ),
        ({"rows": 4, "zzz": 5}, f"zzz: no such field; fields are: {FIELDS}"),
        ({"rows": 6, "cell": "lookup"}, "rows must be a multiple of 4 for lookup, not 6"),
    ],
)
def test_wrong_field(fields: dict[str, Any], expected: str) -> None:
    assert message(lambda: Macro(**fields)) == f"Macro: {expected}"
    assert message(lambda: Macro.from_mapping(fields, source="m.yaml")) == f"m.yaml: {expected}"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"macro": {"rows": 0}}, "macro.rows: must be at least 1 and at most 4096, not 0"),
        (
            {"macro": {"rows": 6, "cell": "lookup"}},
            "macro: rows must be a multiple of 4 for lookup, not 6",
        ),
        (
            {"macro": {"rows": 4, "Row": 1}},
            f"macro.Row: no such field; did you mean 'rows'? fields are: {FIELDS}",
        ),
        ({"macro": 3}, f"macro: must be a mapping with the fields {FIELDS}, not 3"),
        ({}, f"macro: is required: a mapping with the fields {FIELDS}"),
        (
            {"macro": {"rows": 4}, "spare": [{"rows": 4}, {"rows": -1}]},
            "spare[1].rows: must be at least 1 and at most 4096, not -1",
        ),
        ({"macro": {"rows": 4}, "pads": [0, -2]}, "pads[1]: must be at least 0, not -2"),
        (
            {"macro": {"rows": 4}, "pads": 1},
            "pads: must be a list, each entry an integer, at least 0, not 1",
        ),
        (
            {"macro": {"rows": 4}, "bus": 12},
            "bus: must be an integer or null, a multiple of 8, not 12",
        ),
        ({"macro": {"rows": 4}, "lanes": "all"}, "lanes: must be an integer or 'auto', not 'all'"),
        (
            {"macro": {"rows": 4, 7: 1}},
            f"macro.7: no such field; fields are: {FIELDS}",
        ),
    ],
)
def test_wrong_nested_field(fields: dict[str, Any], expected: str) -> None:
    assert message(lambda: Npu.from_mapping(fields, source="n.yaml")) == f"n.yaml: {expected}"
    assert message(lambda: Npu(**fields)) == f"Npu: {expected}"


def test_all_faults_of_a_file_in_one_error(tmp_path: Path) -> None:
    path = tmp_path / "npu.yaml"
    path.write_text("macro:\n  row: 72\n  weight_bits: 3\nlane: 4\n")
    assert message(lambda: Npu.from_yaml(path)).split("\n") == [
        f"{path}: macro.rows: is required: an integer, at least 1 and at most 4096",
        f"{path}: macro.weight_bits: must be one of 1, 4, 8, not 3",
        f"{path}: macro.row: no such field; did you mean 'rows'? fields are: {FIELDS}",
        (f"{path}: lane: no such field; did you mean 'lanes'? "
        "fields are: macro, spare, pads, bus, lanes"),
    ]


def test_top_level_must_be_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "macro.yaml"
    path.write_text("- 1\n- 2\n")
    expected = f"{path}: must be a mapping with the fields {FIELDS}, not a list of 2"
    assert message(lambda: Macro.from_yaml(path)) == expected


def test_a_long_value_is_cut_short() -> None:
    text = message(lambda: Macro(rows=4, cell="x" * 10_000))  # pyright: ignore[reportArgumentType]
    assert text == f"Macro: cell: must be one of 'bitcell', 'lookup', not '{'x' * 56}..."


def test_error_is_the_users_and_hides_pydantic() -> None:
    with pytest.raises(CimpleError) as caught:
        Npu(macro=Macro(rows=0))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_values_survive_every_form() -> None:
    config = Npu(macro=Macro(rows=72, cell=Cell.LOOKUP, name="off"), spare=(Macro(rows=1),), bus=64)
    plain = config.to_mapping()
    assert plain["macro"] == {
        "rows": 72, "weight_bits": 8, "cell": "lookup", "signed": False, "load": 0.5, "name": "off",
    }
    assert Npu.from_mapping(plain, source="s") == config
    assert hash(Npu.from_mapping(plain, source="s")) == hash(config)
    assert Npu(**plain) == config


@given(
    rows=st.integers(1, 4096),
    load=st.floats(0, 1, exclude_min=True, exclude_max=True),
    name=st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t")),
)
def test_yaml_gives_the_same_config_back(rows: int, load: float, name: str) -> None:
    config = Macro(rows=rows, load=load, name=name)
    text = config.to_yaml()
    assert Macro.from_mapping(parse_yaml(text, source="s"), source="s") == config


def test_digest_covers_every_field_and_nothing_else() -> None:
    config = Macro(rows=72)
    canonical = (
        '{"cell":"bitcell","load":0.5,"name":"macro","rows":72,"signed":false,"weight_bits":8}'
    )
    assert config.digest() == hashlib.sha256(canonical.encode()).hexdigest()
    assert Macro(rows=72, weight_bits=8).digest() == config.digest()
    changes: dict[str, Any] = {"rows": 73, "weight_bits": 4, "cell": "lookup", "signed": True}
    others = [config.replace(**{name: value}).digest() for name, value in changes.items()]
    assert len({config.digest(), *others}) == len(changes) + 1


def test_replace_checks_like_a_new_one() -> None:
    config = Npu(macro=Macro(rows=4))
    assert config.replace(bus=8) == Npu(macro=Macro(rows=4), bus=8)
    assert message(lambda: config.replace(bus=7)).startswith("Npu: bus: must be")
    assert message(lambda: config.replace(bos=7)).startswith("Npu: bos: no such field; did you")


def test_frozen() -> None:
    config = Macro(rows=4)
    with pytest.raises(ValidationError, match="frozen"):
        config.rows = 5  # pyright: ignore[reportAttributeAccessIssue]


def test_field_table() -> None:
    table = {row.name: row for row in field_table(Npu)}
    assert list(table)[:2] == ["macro.rows", "macro.weight_bits"]
    assert "spare[].rows" in table
    assert table["macro.rows"] == FieldRow(
        "macro.rows", "an integer", "at least 1 and at most 4096", None, "inputs of a dot product"
    )
    assert table["macro.cell"] == FieldRow(
        "macro.cell", "one of 'bitcell', 'lookup'", "", "bitcell", "how weights are held"
    )
    assert table["bus"] == FieldRow(
        "bus", "an integer or null", "a multiple of 8", "null", "bits, if there is a bus"
    )
    assert table["pads"].default == "[1]"


def test_field_table_takes_defaults_from_a_default_nested_config() -> None:
    class Outer(Config):
        macro: Macro = Macro(rows=9, signed=True)

    table = {row.name: row.default for row in field_table(Outer)}
    assert (table["macro.rows"], table["macro.signed"]) == ("9", "true")
