# SPDX-License-Identifier: Apache-2.0
"""Copies of the sources with a fault in them, and their import in place of the originals."""

import contextlib
import importlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("hdl", "verif", "compiler", "host", "fpga", "ip")


def plant(tree: Path, fault: Mapping[str, str] | None, source: str) -> None:
    """Make `tree` an import path with `cimple`, of which `hdl` is a copy with the fault in it.

    A fault says what it is (`what`), and which text (`find`) of which `file` becomes which other
    (`replace`); `source` is where it is listed.
    """
    package = tree / "cimple"
    package.mkdir()
    # With what Python has compiled: it goes by the times of the sources, which are copied too.
    shutil.copytree(ROOT / "hdl", package / "hdl")
    for room in ROOMS[1:]:
        (package / room).symlink_to(ROOT / room)
    if fault is None:
        return
    path = package / fault["file"]
    text = path.read_text()
    count = text.count(fault["find"])
    assert count == 1, (
        f"{source}: {fault['what']!r}: {fault['find']!r} is {count} times in {fault['file']}, "
        "not once; adapt the entry to the source"
    )
    path.write_text(text.replace(fault["find"], fault["replace"]))


@contextlib.contextmanager
def imports_from(tree: Path) -> Iterator[None]:
    """Have `cimple` imported anew, and from `tree`; afterwards the originals are back.

    What else is imported is shared with the originals: to start a Python for each fault takes
    longer than all that is done in it.
    """
    originals = _take_cimple()
    sys.path.insert(0, str(tree))
    importlib.invalidate_caches()
    try:
        place = importlib.import_module("cimple.hdl").__file__
        assert place is not None
        assert Path(place).is_relative_to(tree), "not the copy"
        yield
    finally:
        sys.path.remove(str(tree))
        _take_cimple()
        sys.modules.update(originals)


def _take_cimple() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.split(".")[0] == "cimple"]
    return {name: sys.modules.pop(name) for name in names}
