# SPDX-License-Identifier: Apache-2.0
"""Commands that the manual shows exist, and take the options they are shown with."""

import re
import shlex
from collections.abc import Iterator

import pytest
import typer
from manual import ROOT, blocks, extension

from cimple.hdl.generate import generate
from cimple.hdl.load import load_config
from cimple.host.commands.table import COMMANDS
from cimple.host.digits import digits

command_reference = extension("command_reference")


def shown() -> Iterator[tuple[str, str]]:
    """Place and text of every line of a shell block."""
    for block in blocks("shell"):
        for line in block.text.replace("\\\n", " ").splitlines():
            if line.strip() and not line.startswith("#"):
                yield str(block), line.strip()


def first_word(line: str) -> str:
    return line.split()[0].removeprefix(".venv/bin/")


CIMPLE = [(place, line) for place, line in shown() if first_word(line) == "cimple"]
MAKE = [(place, line) for place, line in shown() if first_word(line) == "make"]
DEMO = [(place, line) for place, line in shown() if "cimple.host.digits " in line]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def parse(line: str) -> None:
    """Raise unless `cimple` would take the words of the line; nothing runs."""
    words = shlex.split(line, comments=True)[1:]
    command = next((c for c in COMMANDS if words and c.name == words[0]), None)
    if command is None:
        assert words in (["--help"], ["--version"]), f"no such command: {line}"
        return
    command_reference.command_named(command).make_context(f"cimple {command.name}", words[1:])


@pytest.mark.parametrize(("place", "line"), CIMPLE)
def test_cimple_takes_it(place: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize(("place", "line"), MAKE)
def test_make_has_the_target(place: str, line: str) -> None:
    assert shlex.split(line, comments=True)[1] in TARGETS


def test_lint_commands_are_those_of_the_manifest() -> None:
    lint = generate(load_config("edge_64x16")).manifest["lint"]
    assert set(lint.values()) <= {line for _, line in shown()}


@pytest.mark.parametrize(("place", "line"), DEMO)
def test_the_demonstration_has_the_option(place: str, line: str) -> None:
    options = typer.main.get_command(demonstration()).params
    given = {word for word in shlex.split(line) if word.startswith("--")}
    assert given <= {name for option in options for name in option.opts} | {"--help"}, place


def demonstration() -> typer.Typer:
    app = typer.Typer()
    app.command()(digits)
    return app


def test_every_page_for_beginners_shows_commands() -> None:
    places = {place.partition(":")[0] for place, _ in CIMPLE}
    names = ("generate", "verify", "run-network", "digits", "demo")
    guides = {f"docs/guides/{name}.md" for name in names}
    assert guides | {"README.md", "docs/quickstart.md"} <= places


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cimple generate edge_64x16 --colums 32", "No such option: --colums"),
        ("cimple verify my.yaml --simulator icarus", "No such option: --simulator"),
        ("cimple verify my.yaml --seeds many", "should be a valid integer"),
        ("cimple verify", "Missing parameter: config"),
        ("cimple verfiy my.yaml", "no such command"),
    ],
)
def test_wrong_commands_are_noticed(line: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        parse(line)


def test_the_reference_lists_every_option() -> None:
    text = command_reference.command_line()
    for command in COMMANDS:
        assert f"cimple {command.name}`" in text
        if command_reference.is_there(command):
            section = text.partition(f"## cimple {command.name}\n")[2].partition("\n## ")[0]
            for parameter in command_reference.command_named(command).params:
                if parameter.param_type_name == "option" and not parameter.hidden:
                    assert f"`{parameter.opts[0]}`" in section, (command.name, parameter.name)
