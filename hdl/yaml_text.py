# SPDX-License-Identifier: Apache-2.0
"""YAML as Cimple reads and writes it: the YAML 1.2 core scalars, nothing said twice.

PyYAML follows YAML 1.1, where `off` is a boolean, `010` is eight, `1:30` is ninety and `1e-3` is
text. Here `true` and `false` are the only booleans, a number is written plainly, and everything
else is text, so that a setting named `off` means itself.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError

_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
)


class _Loader(yaml.SafeLoader):
    """Safe loader with the scalars above, which refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                line = key.start_mark.line + 1
                if key.value in first:
                    twice = f"{key.value!r} is given twice, first on line {first[key.value]}"
                    raise _refuse(key, f"{twice}; keep one of the two")
                first[key.value] = line
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Safe dumper that quotes what `_Loader` would not read back as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _refuse(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _construct_bool(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    text = loader.construct_scalar(node).lower()
    if text not in ("true", "false"):
        raise _refuse(node, f"expected true or false, not {text!r}")
    return text == "true"


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    try:
        return int(text, 0)
    except ValueError:
        raise _refuse(node, f"expected an integer, not {text[:40]!r}") from None


def _construct_float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node)
    try:
        return float(text)
    except ValueError:
        raise _refuse(node, f"expected a number, not {text[:40]!r}") from None


# Each class gets tables of its own, or the additions below would reach every user of PyYAML.
_Loader.yaml_implicit_resolvers = {}
_Dumper.yaml_implicit_resolvers = {}
_Loader.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in ("null", "str", "seq", "map")
}
for _name, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), _first
        )
_Loader.add_constructor("tag:yaml.org,2002:merge", yaml.SafeLoader.construct_yaml_str)
_Loader.add_constructor("tag:yaml.org,2002:bool", _construct_bool)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def read_yaml(path: str | Path) -> Any:
    """Parse one YAML file.

    Raises:
        ConfigError: the file is missing, unreadable, not UTF-8, empty or not YAML; the text names
            the file and, for a fault inside it, line and column.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}: line {line}: not UTF-8 text; save the file as UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {_reason(error)}") from None
    return parse_yaml(text, source=str(path))


def parse_yaml(text: str, *, source: str) -> Any:
    """Parse YAML text; `source` names it in errors, which are those of `read_yaml`."""
    try:
        document = yaml.load(text, Loader=_Loader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{source}: line {line}: the character {chr(error.character)!r} is not allowed in YAML"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{source}: {_where(error)}") from None
    except RecursionError:
        raise ConfigError(f"{source}: nested too deeply to be a configuration") from None
    if document is None:
        raise ConfigError(f"{source}: holds no fields")
    return document


def dump_yaml(data: Any) -> str:
    """Plain data as YAML text, fields in the given order; `parse_yaml` gives the data back."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _where(error: yaml.MarkedYAMLError) -> str:
    """Line, column, what is wrong and what the parser was doing there."""
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    doing = f" ({error.context})" if error.context else ""
    return f"{place}{error.problem}{doing}"
