# SPDX-License-Identifier: Apache-2.0
"""The workflow files in docs/ci are what their services take, and call `cimple` as it is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from manual import DOCS, ROOT, extension

from cimple.host.commands.table import COMMANDS
from cimple.verif.bench.simulators import SIMULATORS

ACTIONS = DOCS / "ci" / "cimple-verify.yml"
GITLAB = DOCS / "ci" / "cimple-verify.gitlab-ci.yml"
FILES = [ACTIONS, GITLAB]

command_reference = extension("command_reference")


def scripts(path: Path) -> Iterator[str]:
    """Every shell script in a workflow file."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path == GITLAB:
        yield "\n".join(document["cimple-verify"]["script"])
    else:
        yield from (step["run"] for step in document["jobs"]["verify"]["steps"] if "run" in step)


def commands(path: Path, name: str) -> list[list[str]]:
    """The words behind every call of a program."""
    text = "\n".join(scripts(path)).replace("\\\n", " ")
    lines = (shlex.split(line) for line in text.splitlines() if re.search(rf"\b{name}\b", line))
    found = []
    for words in lines:
        for index, word in enumerate(words):
            if Path(word).name == name:
                found.append(words[index + 1 :])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_cimple_is_called_as_it_is(path: Path) -> None:
    (words,) = commands(path, "cimple")
    command = next(c for c in COMMANDS if c.name == words[0])
    assert command.name == "verify"
    parser = command_reference.command_named(command)
    given = parser.make_context("cimple verify", words[1:]).params
    assert given["config"] == "my.yaml"
    assert given["sim"].split(",") == list(SIMULATORS)
    assert given["junit"] == Path("out.xml")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_system_packages_are_those_of_the_set_up(path: Path) -> None:
    (install,) = [words for words in commands(path, "apt-get") if words[0] == "install"]
    packages = {word for word in install[1:] if not word.startswith("-")}
    listed = (ROOT / "requirements" / "debian.txt").read_text(encoding="utf-8")
    needed = {line.split()[0] for line in listed.splitlines() if line and line[0] not in "#?"}
    # The library of whatever Python there is.
    assert packages == {name.replace("libpython@PYTHON@", "libpython3-dev") for name in needed}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_installed_is_a_real_extra(path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    place: Any = document["cimple-verify"]["variables"] if path == GITLAB else document["env"]
    found = re.fullmatch(r"cimple\[(\w+)\]", place["CIMPLE"])
    assert found is not None
    assert found[1] == next(c.extra for c in COMMANDS if c.name == "verify")
    assert commands(path, "pip") == [["install", "$CIMPLE"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_host_is_named(path: Path) -> None:
    assert "://" not in path.read_text(encoding="utf-8")


def test_the_report_is_kept_though_the_verdict_is_bad() -> None:
    steps = yaml.safe_load(ACTIONS.read_text(encoding="utf-8"))["jobs"]["verify"]["steps"]
    verify = next(i for i, step in enumerate(steps) if "cimple verify" in step.get("run", ""))
    after = steps[verify + 1 :]
    assert [step["if"] for step in after] == ["${{ !cancelled() }}"] * len(after)
    assert any(step.get("with", {}).get("path") == "out.xml" for step in after)
    gitlab = yaml.safe_load(GITLAB.read_text(encoding="utf-8"))["cimple-verify"]["artifacts"]
    assert gitlab == {"when": "always", "reports": {"junit": "out.xml"}}


def test_the_summary_names_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = next(text for text in scripts(ACTIONS) if "GITHUB_STEP_SUMMARY" in text)
    body = script.partition("<<'END'\n")[2].removesuffix("END\n")
    (tmp_path / "out.xml").write_text(
        '<testsuites><testsuite name="d.icarus.seed1" tests="2" failures="1">'
        '<testcase name="timing"/><testcase name="turns"><failure message="late"/></testcase>'
        "</testsuite></testsuites>",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    exec(compile(body, "summary", "exec"), {})
    assert capsys.readouterr().out == "- d.icarus.seed1: 1 of 2 failed\n  - turns: late\n"


def test_actions_starts_on_pushes() -> None:
    """YAML reads a bare `on` as true, so it is quoted."""
    assert set(yaml.safe_load(ACTIONS.read_text(encoding="utf-8"))["on"]) == {
        "push", "pull_request"
    }
