# SPDX-License-Identifier: Apache-2.0
"""The command line as Markdown, from the very options that it parses."""

import re
import textwrap
from importlib.util import find_spec
from typing import Any

import typer
from md_pieces import code, escape, table

from cimple.host.commands.table import COMMANDS, Command

__all__ = ["command_line", "command_named", "is_there"]

_STATED_DEFAULT = re.compile(r" \[default: (.*)\]$")


def command_line() -> str:
    """All commands in a list, then each with its arguments and options."""
    rows = (
        (f"[`cimple {command.name}`](#cimple-{command.name})" if is_there(command) else
         code(f"cimple {command.name}"),
         escape(command.summary), code(command.extra) or "none",
         "" if is_there(command) else "planned")
        for command in COMMANDS
    )
    overview = table(["Command", "Purpose", "Extra it needs", ""], rows)
    return "\n".join([overview, *(_section(command) for command in COMMANDS if is_there(command))])


def is_there(command: Command) -> bool:
    """Whether the command's module exists yet."""
    module = command.place.partition(":")[0]
    return find_spec(f"cimple.host.commands.{module}") is not None


def command_named(command: Command) -> Any:
    """The command's parser, of the class that Typer has for it."""
    app = typer.Typer(add_completion=False)
    app.command(command.name)(command.load())
    return typer.main.get_command(app)


def _section(command: Command) -> str:
    parser = command_named(command)
    context = typer.Context(parser)
    usage = " ".join(["cimple", command.name, *parser.collect_usage_pieces(context)])
    arguments = [p for p in parser.params if p.param_type_name == "argument"]
    parts = [
        f"(cimple-{command.name})=\n## cimple {command.name}\n",
        f"```text\n{usage}\n```\n",
        _prose(parser.help or command.summary),
    ]
    if arguments:
        parts.append(table(["Argument", "Meaning"], map(_argument, arguments)))
    for panel, options in _panels(parser).items():
        parts.append(table([panel, "Default", "Meaning"], map(_option, options)))
    return "\n".join(parts)


def _panels(parser: Any) -> dict[str, list[Any]]:
    """The options that help shows, under its headings."""
    panels: dict[str, list[Any]] = {}
    for option in parser.params:
        if option.param_type_name == "option" and not option.hidden:
            panels.setdefault(option.rich_help_panel or "Option", []).append(option)
    return panels


def _prose(text: str) -> str:
    paragraphs = textwrap.dedent(text).split("\n\n")
    return "\n\n".join(escape(paragraph) for paragraph in paragraphs) + "\n"


def _argument(argument: Any) -> tuple[str, str]:
    return code(argument.metavar or argument.name), escape(argument.help or "")


def _option(option: Any) -> tuple[str, str, str]:
    names = ", ".join(code(name) for name in (*option.opts, *option.secondary_opts))
    text = (option.help or "").replace("\\[", "[")
    # Options that stand for fields of a configuration say their default in the text.
    stated = _STATED_DEFAULT.search(text)
    default = "required" if option.required else _default(option.default)
    if stated:
        text, default = text[: stated.start()], code(stated[1])
    return names, default, escape(text)


def _default(value: Any) -> str:
    if value is None or value is False or callable(value):
        return ""
    return code(" ".join(map(str, value)) if isinstance(value, list | tuple) else value)
