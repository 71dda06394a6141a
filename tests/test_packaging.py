# SPDX-License-Identifier: Apache-2.0
"""The wheel built from the sdist holds everything and runs; the working tree is what is tested."""

import importlib.metadata
import shutil
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOMS = ("hdl", "verif", "compiler", "host", "fpga", "ip")

IMPORT_ALL = """
import importlib, pathlib, pkgutil, sys
import cimple
found = [m.name for m in pkgutil.walk_packages(cimple.__path__, "cimple.")]
for name in found:
    if not name.endswith(".__main__"):
        module = importlib.import_module(name)
        assert pathlib.Path(module.__file__).is_relative_to(sys.prefix), module.__file__
print(*found, sep="\\n")
"""


def run(*command: str | Path, cwd: Path) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def files_of_the_rooms(root: Path) -> set[str]:
    """Every file of the rooms, tracked by git or not, but for caches."""
    files = [file for room in ROOMS for file in (root / room).rglob("*") if file.is_file()]
    paths = {file.relative_to(root).as_posix() for file in files}
    return {path for path in paths if "__pycache__" not in path}


@pytest.fixture(scope="module")
def packages(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel built from it, out of a copy of the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for path in files_of_the_rooms(root) | {"pyproject.toml", "setup.py", "LICENSE", "README.md"}:
        if (root / path).exists():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / path, copy / path)
    run(sys.executable, "-P", "-m", "build", "--no-isolation", copy, cwd=copy.parent)
    return copy / "dist"


@pytest.fixture(scope="module")
def installed(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment that has the wheel, and borrows its dependencies from this one.

    A folder named in a .pth file is put on the path, but the .pth files inside it, and so the
    editable install, are not read.
    """
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home)
    (Path(purelib.strip()) / "borrowed.pth").write_text("\n".join(site.getsitepackages()))
    (wheel,) = packages.glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps",
        "--force-reinstall", wheel, cwd=home)
    return python.parent


@pytest.mark.xdist_group("packaging")
def test_sdist_and_wheel_hold_every_file(root: Path, packages: Path) -> None:
    wanted = files_of_the_rooms(root)
    assert len(wanted) > 20
    (sdist,) = packages.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert wanted - names == set()
    (wheel,) = packages.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name.removeprefix("cimple/") for name in archive.namelist()}
    assert wanted - names == set()
    extra = {name for name in names - wanted if ".dist-info/" not in name}
    assert extra == set()


@pytest.mark.xdist_group("packaging")
def test_every_module_of_the_wheel_can_be_imported(root: Path, installed: Path) -> None:
    found = run(installed / "python", "-P", "-c", IMPORT_ALL, cwd=installed).split()
    sources = {path for path in files_of_the_rooms(root) if path.endswith(".py")}
    modules = {path.removesuffix(".py").removesuffix("/__init__") for path in sources}
    assert set(found) == {"cimple." + module.replace("/", ".") for module in modules}


@pytest.mark.xdist_group("packaging")
def test_the_installed_command_runs(installed: Path) -> None:
    printed = run(installed / "cimple", "--version", cwd=installed)
    assert importlib.metadata.version("cimple") in printed


def test_this_environment_imports_the_tree_itself(root: Path) -> None:
    for room in ROOMS:
        module = importlib.import_module(f"cimple.{room}")
        assert module.__file__ == str(root / room / "__init__.py")
