# SPDX-License-Identifier: Apache-2.0
"""`cimple prove`: what it tries, what it says, how it ends."""

from pathlib import Path

import pytest

from cimple.hdl.errors import CimpleError
from cimple.host import cli
from cimple.verif.formal.properties import PROPERTIES
from cimple.verif.formal.run import Verdict
from cimple.verif.formal.tools import Tools


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["prove", *words])
    return int(stop.value.code or 0)


@pytest.fixture
def tried(monkeypatch) -> list[str]:
    """Proving without a solver, where `turns` fails; what has been tried."""
    names: list[str] = []

    def prove(property_, config, tools, *, timeout, keep):
        names.append(f"{property_.name} {config.name}")
        if property_.name == "turns":
            return Verdict("failed", ("writes_get_their_turn",), 1, "")
        return Verdict("proven", (), 1, "")

    place = "cimple.host.commands.prove"
    monkeypatch.setattr(f"{place}.prove_property", prove)
    monkeypatch.setattr(f"{place}.find_tools", lambda: Tools("sby", Path()))
    return names


def test_without_a_configuration_all_sizes_are_proven(tried, capsys):
    assert command() == 1
    sizes = [(each, size) for each in PROPERTIES for size in (*each.sizes, *each.longer)]
    assert tried == [f"{each.name} {size}" for each, size in sizes]
    out = capsys.readouterr().out
    turns = sum(name.startswith("turns ") for name in tried)
    assert f"{len(tried) - turns} of {len(tried)} proven" in out


def test_a_broken_claim_is_named(tried, capsys):
    assert command("tiny_4x1", "-p", "turns", "-p", "streams") == 1
    assert tried == ["streams tiny_4x1", "turns tiny_4x1"]
    out = capsys.readouterr().out
    assert "failed    1.0 s: there is a run that breaks writes_get_their_turn" in out
    assert "1 of 2 proven" in out


def test_what_is_beyond_a_solver_is_skipped(tried, capsys):
    assert command("edge_16x4", "--property", "product", "--property", "planes") == 0
    assert tried == ["planes edge_16x4"]
    assert "skipped   beyond a solver: rows is 16" in capsys.readouterr().out


def test_what_a_macro_does_not_have_is_skipped(tried, capsys):
    assert command("tiny_4x1", "-p", "fusion", "-p", "planes") == 0
    assert tried == ["planes tiny_4x1"]
    out = capsys.readouterr().out
    assert "skipped   nothing to prove: columns cannot be fused with fusion: 1" in out


def test_an_npu_stands_for_its_macro(tried):
    assert command("npu_tiny", "-p", "planes") == 0
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "speed"], "--property speed: no such property; properties are: streams, "),
        (["nowhere"], "nowhere: no such file or preset; "),
        (["edge_16x4", "-p", "product"], "nothing could be proven: every property was skipped"),
    ],
)
def test_what_cannot_be_tried_is_an_error(words, message, tried, capsys):
    assert command(*words) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert tried == []


def test_missing_tools_are_an_error(monkeypatch, capsys):
    def none():
        raise CimpleError("proofs need z3")

    monkeypatch.setattr("cimple.host.commands.prove.find_tools", none)
    assert command() == 2
    assert capsys.readouterr().err == "error: proofs need z3\n"
