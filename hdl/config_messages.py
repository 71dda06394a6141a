# SPDX-License-Identifier: Apache-2.0
"""What a configuration field allows, in words, and one clear line for each rejected value.

The words come from the field's own type and bounds, so a range is typed once, at the field.
"""

import difflib
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

_KINDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    set: "a list",
    frozenset: "a list",
    dict: "a mapping",
}
# Bounds as pydantic keeps them, in the order in which they are read out.
_BOUNDS = (
    ("ge", "at least {}"),
    ("gt", "greater than {}"),
    ("le", "at most {}"),
    ("lt", "less than {}"),
    ("multiple_of", "a multiple of {}"),
    ("min_length", "{} or more long"),
    ("max_length", "{} or fewer long"),
    ("pattern", "of the form {}"),
)
_RANGE_ERRORS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")


def describe(annotation: Any, metadata: list[Any] | None = None) -> str:
    """What a type with its bounds allows: `an integer, at least 1 and at most 4096`."""
    kind, bounds = describe_parts(annotation, metadata)
    return f"{kind}, {bounds}" if bounds else kind


def describe_parts(annotation: Any, metadata: list[Any] | None = None) -> tuple[str, str]:
    """The same in two: `an integer` and `at least 1 and at most 4096` (or nothing)."""
    annotation, metadata = _unwrap(annotation, metadata or [])
    bounds = [
        words.format(value)
        for name, words in _BOUNDS
        for item in metadata
        if (value := getattr(item, name, None)) is not None
    ]
    return _describe_kind(annotation), " and ".join(bounds)


def explain(error: ValidationError, model: type[BaseModel], source: str) -> str:
    """All that pydantic rejected, a line each: `source: field: what is allowed, not value`."""
    lines = [_explain_one(details, model, source) for details in error.errors()]
    return "\n".join(dict.fromkeys(lines))


def dotted(location: tuple[int | str, ...]) -> str:
    """A place inside nested fields and lists: `layers[2].rows`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def show(value: Any) -> str:
    """A rejected value as the user would recognise it, cut short if long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Enum):
        return show(value.value)
    if isinstance(value, Mapping | BaseModel):
        return "a mapping"
    if isinstance(value, list | tuple | set | frozenset):
        return f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _explain_one(details: ErrorDetails, model: type[BaseModel], source: str) -> str:
    kind, location = details["type"], details["loc"]
    path, annotation, metadata, parent = _resolve(model, location)
    place = f"{source}: {path}: " if path else f"{source}: "
    if kind in ("extra_forbidden", "invalid_key"):
        return place + _unknown(str(location[-1]), parent)
    if kind == "value_error":
        return f"{place}{details.get('ctx', {}).get('error', details['msg'])}"
    if kind == "missing":
        return f"{place}is required: {describe(annotation, metadata)}"
    _, bounds = describe_parts(annotation, metadata)
    allowed = bounds if kind in _RANGE_ERRORS and bounds else describe(annotation, metadata)
    return f"{place}must be {allowed}, not {show(details['input'])}"


def _unknown(name: str, parent: type[BaseModel]) -> str:
    names = list(parent.model_fields)
    near = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return f"no such field;{hint} fields are: {', '.join(names)}"


def _unwrap(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """Move what `Annotated` says about a type to its metadata."""
    metadata = list(_flat(metadata))
    while get_origin(annotation) is Annotated:
        annotation, *extra = get_args(annotation)
        metadata += _flat(extra)
    return annotation, metadata


def _flat(metadata: list[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else [item]


def _describe_kind(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return _choice([show(a) for a in args])
    if origin in (Union, types.UnionType):
        return " or ".join("null" if a is type(None) else describe(a) for a in args)
    if origin in (list, tuple, set, frozenset) and args:
        return f"a list, each entry {describe(args[0])}"
    if origin is dict:
        return f"a mapping, each value {describe(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _choice([show(member.value) for member in annotation])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a mapping with the fields {', '.join(annotation.model_fields)}"
    return _KINDS.get(annotation, str(getattr(annotation, "__name__", annotation)))


def _choice(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"one of {', '.join(values)}"


def _resolve(
    model: type[BaseModel], location: tuple[int | str, ...]
) -> tuple[str, Any, list[Any], type[BaseModel]]:
    """Dotted path, type and bounds of the place, and the model that holds its last field.

    Pydantic names the member of a union in the location; that part is not a field and is left out.
    """
    annotation, metadata, parent = model, [], model
    path: list[int | str] = []
    for part in location:
        annotation = _without_none(annotation)
        origin, args = get_origin(annotation), get_args(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            parent, path = annotation, [*path, str(part)]
            field = annotation.model_fields.get(str(part))
            annotation = field.annotation if field else None
            metadata = list(field.metadata) if field else []
        elif origin in (Union, types.UnionType):
            models = [a for a in args if getattr(a, "model_fields", None) and a.__name__ == part]
            annotation = models[0] if models else annotation
        else:
            path.append(part)
            annotation, metadata = _entry(annotation, part), []
        annotation, metadata = _unwrap(annotation, metadata)
    return dotted(tuple(path)), annotation, metadata, parent


def _without_none(annotation: Any) -> Any:
    rest = [a for a in get_args(annotation) if a is not type(None)]
    optional = get_origin(annotation) in (Union, types.UnionType) and len(rest) == 1
    return _unwrap(rest[0], [])[0] if optional else annotation


def _entry(annotation: Any, part: int | str) -> Any:
    """Type of one entry of a list, a fixed-length tuple or a mapping."""
    args = get_args(annotation)
    if get_origin(annotation) is tuple and isinstance(part, int) and Ellipsis not in args:
        return args[part] if part < len(args) else None
    return args[-1] if get_origin(annotation) is dict else next(iter(args), None)
