# SPDX-License-Identifier: Apache-2.0
"""YAML text: plain scalars, round trips, and every message for a file that cannot be read."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cimple.hdl.errors import ConfigError
from cimple.hdl.yaml_text import dump_yaml, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"), ("yes", "yes"), ("true", True), ("False", False), ("~", None), ("", None),
        ("12", 12), ("-3", -3), ("+5", 5), ("0x1F", 31), ("0b101", 5), ("0o17", 15),
        ("010", "010"), ("1:30", "1:30"), ("1_000", "1_000"), ("2024-01-01", "2024-01-01"),
        ("1.5", 1.5), ("1e-3", 0.001), ("-.5", -0.5), (".inf", ".inf"), ("'7'", "7"), ("<<", "<<"),
        ("!!str 7", "7"), ("!!float 1", 1.0),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    parsed = parse_yaml(f"a: {text}\n", source="s")["a"]
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "holds no fields"),
        ("# nothing\n", "holds no fields"),
        ("a: 1\nb: 2\na: 3\n", ("line 3, column 1: 'a' is given twice, first on line 1; "
                               "keep one of the two")),
        ("m: {x: 1, 'x': 2}\n", ("line 1, column 11: 'x' is given twice, first on line 1; "
                                "keep one of the two")),
        ("a: [1,\n", ("line 2, column 1: expected the node content, but found '<stream end>' "
                     "(while parsing a flow node)")),
        ("a: 1\n\tb: 2\n", ("line 2, column 1: found character '\\t' that cannot start any token "
                           "(while scanning for the next token)")),
        ("a: b: c\n", "line 1, column 5: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", ("line 2, column 1: but found another document "
                              "(expected a single document in the stream)")),
        ("a: \x00\n", "line 1: the character '\\x00' is not allowed in YAML"),
        ("a: 1\nb: \x07\n", "line 2: the character '\\x07' is not allowed in YAML"),
        ("a: *b\n", "line 1, column 4: found undefined alias 'b'"),
        ("a: !!int x\n", "line 1, column 4: expected an integer, not 'x'"),
        ("a: !!float x\n", "line 1, column 4: expected a number, not 'x'"),
        ("a: !!bool x\n", "line 1, column 4: expected true or false, not 'x'"),
        ("a: " + "9" * 5000, f"line 1, column 4: expected an integer, not '{'9' * 40}'"),
        ("a: !!python/object:os.system x\n", ("line 1, column 4: could not determine a constructor "
         "for the tag 'tag:yaml.org,2002:python/object:os.system'")),
        ("a: !!timestamp x\n", ("line 1, column 4: could not determine a constructor "
         "for the tag 'tag:yaml.org,2002:timestamp'")),
        ("[" * 20_000, "nested too deeply to be a configuration"),
    ],
)
def test_malformed_text(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, source="my.yaml")
    assert str(caught.value) == f"my.yaml: {expected}"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, "cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"a: 1\nb: \xff\n"),
         "line 2: not UTF-8 text; save the file as UTF-8"),
        (lambda path: path.write_bytes(b"ok: \x80"),
         "line 1: not UTF-8 text; save the file as UTF-8"),
    ],
)
def test_unreadable_file(tmp_path: Path, make: Any, expected: str) -> None:
    path = tmp_path / "my.yaml"
    make(path)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(caught.value) == f"{path}: {expected}"


def test_impossible_path() -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml("a\0b")
    assert str(caught.value) == "a\0b: cannot be read: embedded null byte"


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path) == {"a": 1}


def test_merge_and_anchors() -> None:
    text = "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n"
    assert parse_yaml(text, source="s") == {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}


def test_pyyaml_itself_is_untouched() -> None:
    assert yaml.safe_load("[off, 010, 2024-01-01]")[:2] == [False, 8]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]))
    | st.sampled_from(["off", "010", "1e3", "true", "<<", "=", "null", "~", "0x1", "1:30", "-"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc<=:"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("ab"), PLAIN, min_size=1))
def test_dumped_text_gives_the_same_data_back(data: dict[str, Any]) -> None:
    assert parse_yaml(dump_yaml(data), source="s") == data
