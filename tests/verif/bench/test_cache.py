# SPDX-License-Identifier: Apache-2.0
"""Cached builds: built once, shared, never served broken."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cimple.hdl.errors import CimpleError
from cimple.verif.bench.cache import cache_root, cached_build, digest_of


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMPLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Build:
    """Counts how often it was called."""

    def __init__(self, text="result"):
        self.text = text
        self.calls = 0

    def __call__(self, directory: Path):
        self.calls += 1
        (directory / "deep").mkdir()
        (directory / "deep/program").write_text(self.text)
        (directory / "deep/program").chmod(0o755)


def test_the_place(monkeypatch, tmp_path):
    monkeypatch.delenv("CIMPLE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "cimple"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache/cimple"
    monkeypatch.setenv("CIMPLE_CACHE", str(tmp_path / "other"))
    assert cache_root() == tmp_path / "other"


def test_parts_of_the_key_do_not_run_into_each_other():
    digests = {digest_of(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], [])}
    assert len(digests) == 5
    assert digest_of(["ab", b"c"]) == digest_of([b"ab", "c"])


@pytest.mark.usefixtures("root")
def test_built_once_for_one_key():
    build, other = Build(), Build("other")
    first = cached_build(["a", "b"], build)
    assert cached_build(["a", "b"], build) == first
    assert build.calls == 1
    assert (first / "deep/program").read_text() == "result"
    assert os.access(first / "deep/program", os.X_OK)
    second = cached_build(["a", "c"], other)
    assert second != first
    assert (second / "deep/program").read_text() == "other"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "deep/program").write_text("resul"),
        lambda entry: (entry / "deep/program").unlink(),
        lambda entry: (entry / "complete.json").unlink(),
        lambda entry: (entry / "complete.json").write_text("{"),
        lambda entry: (entry / "complete.json").write_text("{}"),
        lambda entry: (entry / "more").write_text("left behind"),
    ],
    ids=["changed", "lost", "no-stamp", "torn-stamp", "empty-stamp", "more"],
)
def test_a_damaged_entry_is_built_again(damage):
    build = Build()
    entry = cached_build(["key"], build)
    damage(entry)
    assert cached_build(["key"], build) == entry
    assert build.calls == 2
    assert sorted(path.name for path in entry.iterdir()) == ["complete.json", "deep"]
    assert (entry / "deep/program").read_text() == "result"


def test_a_failed_build_leaves_nothing(root):
    def fail(directory):
        (directory / "half").write_text("")
        raise CimpleError("no compiler")

    with pytest.raises(CimpleError, match="no compiler"):
        cached_build(["key"], fail)
    left = [path for path in (root / "builds").rglob("*") if path.is_file()]
    assert [path.suffix for path in left] == [".lock"]
    build = Build()
    cached_build(["key"], build)
    assert build.calls == 1


def test_an_interrupted_build_is_no_entry(root):
    """A process that is killed cannot clean up."""
    program = (
        "import os, sys\n"
        "from cimple.verif.bench.cache import cached_build\n"
        "def build(directory):\n"
        "    (directory / 'deep').mkdir()\n"
        "    os._exit(9)\n"
        "cached_build(['key'], build)\n"
    )
    killed = subprocess.run([sys.executable, "-P", "-c", program], check=False)
    assert killed.returncode == 9
    assert list(root.rglob("deep"))
    build = Build()
    entry = cached_build(["key"], build)
    assert build.calls == 1
    assert [path.parent.name for path in root.rglob("deep")] == [entry.name]


def test_two_processes_build_once(root):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from cimple.verif.bench.cache import cached_build\n"
        "def build(directory):\n"
        "    print('built', flush=True)\n"
        "    time.sleep(1)\n"
        "    (directory / 'program').write_text('x')\n"
        "entry = cached_build(['key'], build)\n"
        "assert (entry / 'program').read_text() == 'x'\n"
    )
    command = [sys.executable, "-P", "-c", program]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(printed) == ["", "built\n"]


def test_entries_unused_for_long_are_removed(root):
    old, used = cached_build(["old"], Build()), cached_build(["used"], Build())
    month_ago = time.time() - 31 * 24 * 3600
    for entry in (old, used):
        os.utime(entry / "complete.json", (month_ago, month_ago))
    cached_build(["used"], Build())
    cached_build(["new"], Build())
    assert not old.exists()
    assert used.exists()


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CIMPLE_CACHE", str(tmp_path / "file"))
    with pytest.raises(CimpleError) as caught:
        cached_build(["key"], Build())
    place, _, rest = str(caught.value).partition(": ")
    assert place.startswith(str(tmp_path / "file"))
    assert rest == (
        "cannot keep a simulator build here: Not a directory; "
        "set CIMPLE_CACHE to a directory that can be written"
    )
