# SPDX-License-Identifier: Apache-2.0
"""The fields of the configurations as options, so that their text is nowhere typed twice."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from ...hdl.config import FieldRow, field_table
from ...hdl.kinds import KINDS
from ...hdl.yaml_text import parse_yaml

__all__ = ["given_fields", "with_field_options"]


def with_field_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for every field of every kind to a command that takes ``**fields``."""
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    added: dict[str, inspect.Parameter] = {}
    for kind in KINDS.values():
        for row in field_table(kind.config_class()):
            parameter = _option(row, f"Fields of {_article(kind.name)}")
            added.setdefault(parameter.name, parameter)
    described = signature.replace(parameters=[*own, *added.values()])
    function.__dict__["__signature__"] = described
    return function


def given_fields(options: Mapping[str, str | None]) -> dict[str, Any]:
    """The options that were given, by the name of their field, their text read as YAML."""
    return {
        _field(parameter): _value(_field(parameter), text)
        for parameter, text in options.items()
        if text is not None
    }


def _option(row: FieldRow, panel: str) -> inspect.Parameter:
    bounds = f", {row.range}" if row.range else ""
    default = f" [default: {row.default}]" if row.default is not None else ""
    option = typer.Option(
        f"--{row.name.replace('_', '-')}",
        help=f"{row.description}: {row.type}{bounds}{default}".replace("[", "\\["),
        metavar="VALUE",
        rich_help_panel=panel,
        show_default=False,
        # Those of a nested configuration are another kind's, described there.
        hidden="." in row.name,
    )
    return inspect.Parameter(
        row.name.replace(".", "__"),
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


def _field(parameter: str) -> str:
    return parameter.replace("__", ".")


def _value(field: str, text: str) -> Any:
    return parse_yaml(text, source=f"--{field.replace('_', '-')}")


def _article(kind: str) -> str:
    return "an NPU" if kind == "npu" else f"a {kind}"
