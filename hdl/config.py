# SPDX-License-Identifier: Apache-2.0
"""Base class of every configuration: frozen, strict, read from YAML, one digest a value.

    class MacroConfig(Config):
        rows: int = Field(ge=1, le=4096, description="inputs of a dot product")

    MacroConfig(rows=72)                          # in Python
    MacroConfig.from_yaml("edge_64x16.yaml")      # from a file

Either way a wrong value raises `ConfigError`, with one line for each fault.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
    PydanticUndefined,
    core_schema,
    to_jsonable_python,
)

from .config_messages import describe, describe_parts, explain, show
from .errors import ConfigError
from .yaml_text import dump_yaml, read_yaml

__all__ = ["Config", "ConfigError", "FieldRow", "field_table"]


def _make_strict(schema: Any) -> None:
    """Walk a core schema: take scalars as they are, and build nested models without `__init__`.

    Strictness for a whole model would also refuse an enum by value and a list for a tuple. Going
    round our `__init__` lets pydantic gather the faults of nested models with those around them.
    """
    if isinstance(schema, list | tuple):
        for item in schema:
            _make_strict(item)
    elif isinstance(schema, dict):
        kind = schema.get("type")
        if kind in ("int", "float", "bool", "str"):
            schema["strict"] = True
        elif kind == "model":
            schema["custom_init"] = False
        elif kind == "literal":
            _refuse_lookalikes(schema)
            return
        for key, value in schema.items():
            if key not in ("default", "metadata", "serialization"):
                _make_strict(value)


def _refuse_lookalikes(schema: Any) -> None:
    """Make a literal refuse values that are only equal to it, as `true` and `1.0` are to 1."""
    kinds = {type(choice) for choice in schema["expected"]}

    def check(value: Any) -> Any:
        if type(value) not in kinds:
            raise PydanticCustomError("choice", "not one of the choices")
        return value

    inner = schema.copy()
    schema.clear()
    schema.update(core_schema.no_info_before_validator_function(check, inner))


class Config(BaseModel):
    """A set of checked, documented, immutable parameters; subclasses declare the fields.

    Values are taken as they are: `"12"`, `12.5` and `true` are not integers. Enums (give their
    members text as values) and literals may be given by value, and lists fill tuples, as YAML has
    neither. Use tuples, not lists, for fields, so that a configuration stays immutable and
    hashable. Rules that join several fields are pydantic model validators (`mode="after"`) that
    raise ValueError with both numbers.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise ConfigError(explain(error, type(self), type(self).__name__)) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _make_strict(schema)
        return schema

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """The configuration in a YAML file.

        Raises:
            ConfigError: the file cannot be read, is not YAML, or holds a wrong field.
        """
        return cls.from_mapping(read_yaml(path), source=str(path))

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], *, source: str) -> Self:
        """The configuration in plain data; `source` names where it came from in errors."""
        if not isinstance(data, Mapping):
            raise ConfigError(f"{source}: must be {describe(cls)}, not {show(data)}")
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise ConfigError(explain(error, cls, source)) from None

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked like a new one."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**(fields | changes))

    def to_mapping(self) -> dict[str, Any]:
        """All fields, defaults included, as JSON-able data that `from_mapping` takes back."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """All fields, defaults included, as YAML text that `from_yaml` takes back."""
        return dump_yaml(self.to_mapping())

    def digest(self) -> str:
        """SHA-256 (64 hex digits) over the canonical JSON of all fields, defaults included.

        Equal digests mean equal configurations.
        """
        text = json.dumps(self._digested(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _digested(self) -> dict[str, Any]:
        """What the digest is made of: a subclass may leave out a later field at its default."""
        return self.to_mapping()


class FieldRow(NamedTuple):
    """One documented field."""

    name: str
    """Dotted from the outermost configuration; `layers[].rows` inside a list."""
    type: str
    """Kind of value: `an integer`, `one of 'bitcell', 'lookup'`."""
    range: str
    """Bounds: `at least 1 and at most 4096`; empty if there are none."""
    default: str | None
    """As YAML would show it; None if the field is required."""
    description: str


def field_table(cls: type[Config]) -> list[FieldRow]:
    """Every field of a configuration and of those nested in it, in the order of declaration."""
    return _rows(cls, "", None)


def _rows(cls: type[Config], prefix: str, given: Config | None) -> list[FieldRow]:
    rows: list[FieldRow] = []
    for name, field in cls.model_fields.items():
        default = getattr(given, name) if given else field.get_default(call_default_factory=True)
        nested, brackets = _nested(field.annotation)
        if nested is not None:
            inner = default if isinstance(default, nested) else None
            rows += _rows(nested, f"{prefix}{name}{brackets}.", inner)
        else:
            kind, bounds = describe_parts(field.annotation, field.metadata)
            text = field.description or ""
            rows.append(FieldRow(prefix + name, kind, bounds, _default_text(default), text))
    return rows


def _nested(annotation: Any) -> tuple[type[Config] | None, str]:
    """The configuration a field holds, if it does, and `[]` if it holds a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return annotation, ""
    brackets = "[]" if get_origin(annotation) in (list, tuple) else ""
    for member in get_args(annotation):
        if isinstance(member, type) and issubclass(member, Config):
            return member, brackets
    return None, ""


def _default_text(default: Any) -> str | None:
    if default is PydanticUndefined:
        return None
    plain = to_jsonable_python(default)
    return plain if isinstance(plain, str) else json.dumps(plain)
