# SPDX-License-Identifier: Apache-2.0
"""requirements/install.sh says in one message what is missing and how to get it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NEEDED = ("bash", "env", "cat", "dirname", "flock", "mkdir", "readlink", "rm", "sha256sum",
          "perl", "make", "ccache", "iverilog")
INPUTS = ("pyproject.toml", "setup.py", "requirements")


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """A checkout with a `bin` of its own, where g++ is missing and the user is not root."""
    for name in INPUTS:
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for name in NEEDED:
        where = shutil.which(name)
        assert where, f"{name} is needed to test the set-up"
        (tmp_path / "bin" / name).symlink_to(where)
    put(tmp_path, "apt-get", "exit 100")
    put(tmp_path, "id", "echo 1000")
    put(tmp_path, "sudo", "exit 1")
    return tmp_path


def put(tree: Path, name: str, body: str) -> None:
    """A program in `bin` that stands for the real one."""
    path = tree / "bin" / name
    path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
    path.chmod(0o755)


def set_up(tree: Path, python: str = sys.executable) -> tuple[int, str]:
    environment = {"PATH": str(tree / "bin"), "PYTHON": python, "HOME": str(tree)}
    result = subprocess.run(
        [tree / "requirements" / "install.sh"], env=environment, cwd="/", timeout=60,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    assert not (tree / ".venv").exists()
    return result.returncode, result.stdout + result.stderr


def test_without_rights_it_names_the_command(tree: Path) -> None:
    (tree / "bin" / "iverilog").unlink()
    assert set_up(tree) == (1, (
        "set-up: system packages are missing, and installing them takes rights "
        "that you do not have here; run\n"
        "set-up:     sudo apt-get install --no-install-recommends g++ iverilog\n"
        "set-up: (or ask an administrator to), then run the same command again\n"
    ))


def test_with_sudo_it_installs(tree: Path) -> None:
    put(tree, "sudo", 'shift; [[ $1 == true ]] || exec "$@"')
    put(tree, "apt-get", f'echo "$DEBIAN_FRONTEND $*" >>"{tree}/log"; exit 100')
    code, printed = set_up(tree)
    assert code == 1
    assert printed.endswith(
        "set-up: apt-get could not install: g++\n"
        "set-up: its reason is above; put it right, or install them by hand, "
        "then run the same command again\n"
    )
    assert (tree / "log").read_text().splitlines() == [
        "noninteractive update -q",
        "noninteractive install --yes --no-install-recommends g++",
    ]


def test_an_installation_that_changed_nothing_is_noticed(tree: Path) -> None:
    put(tree, "id", "echo 0")
    put(tree, "apt-get", "exit 0")
    code, printed = set_up(tree)
    assert (code, printed.splitlines()[-1]) == (
        1, "set-up: still not found after the installation: g++"
    )


def test_on_another_system_it_names_what_is_missing(tree: Path) -> None:
    (tree / "bin" / "apt-get").unlink()
    code, printed = set_up(tree)
    assert (code, printed.splitlines()[0]) == (1, "set-up: missing on this system: g++")


def test_python_that_is_too_old_is_refused(tree: Path) -> None:
    put(tree, "old-python", "exit 1")
    assert set_up(tree, "old-python") == (1, (
        "set-up: no suitable Python among: old-python\n"
        "set-up: needed: Python 3.11 or newer with venv and a shared libpython "
        "(built with --enable-shared)\n"
        "set-up: install one, or name one: make PYTHON=/path/to/python3\n"
    ))


def test_what_only_tests_want_may_be_missing(tree: Path) -> None:
    """Set-up goes on, up to the virtual environment, which is where it ends here."""
    put(tree, "g++", "exit 0")
    body = f'[[ "$*" == *" venv "* ]] && exit 1; exec {sys.executable} "$@"'
    put(tree, "python-without-venv", body)
    code, printed = set_up(tree, "python-without-venv")
    lines = printed.splitlines()
    going_on = "going on without chromium chromium-driver: tests that need them are skipped"
    assert f"set-up: {going_on}" in lines
    assert (code, lines[-1]) == (1, "set-up: python could not create .venv; its reason is above")


@pytest.mark.xdist_group("set-up")
def test_groups_of_tests_are_kept_together(request: pytest.FixtureRequest) -> None:
    """Else both cores would compile the same WebAssembly wheel or build the same simulator."""
    if getattr(request.config.option, "loadgroup", False):
        assert request.node.nodeid.endswith("@set-up")


def test_the_shell_script_is_executable(root: Path) -> None:
    assert os.access(root / "requirements" / "install.sh", os.X_OK)
    assert os.access(root / ".ci" / "run", os.X_OK)
