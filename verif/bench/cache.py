# SPDX-License-Identifier: Apache-2.0
"""Builds that take long, kept by content and shared between processes.

An entry is a directory, named after the digest of all that goes into the build. It appears under
its name only when it is complete, and carries the digests of its files, so that an entry cut short
or damaged is noticed and built again.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ...hdl.errors import CimpleError

__all__ = ["cache_root", "cached_build", "digest_of"]

#: Entries that nobody used for so long are removed when something new is built.
_KEEP_DAYS = 30

_STAMP = "complete.json"


def cache_root() -> Path:
    """Where builds are kept: ``$CIMPLE_CACHE``, else ``cimple`` in the user's cache directory."""
    if chosen := os.environ.get("CIMPLE_CACHE"):
        return Path(chosen).absolute()
    shared = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(shared).expanduser().absolute() / "cimple"


def digest_of(parts: Iterable[str | bytes]) -> str:
    """SHA-256 (64 hex digits) over the parts in order; where one ends counts too."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def cached_build(key_parts: Iterable[str | bytes], build: Callable[[Path], None]) -> Path:
    """The directory that `build` filled for these `key_parts`, now or on an earlier call.

    Only one process builds an entry, others wait for it. What is in the directory must not be
    changed and may be run from there.

    Parameters
    ----------
    key_parts : iterable of str or bytes
        All that the result depends on: sources, flags, versions of the tools.
    build : callable
        Called with an empty directory, which is renamed afterwards: the files must not depend on
        its path. What `build` raises is passed on, and nothing is kept.

    Raises
    ------
    CimpleError
        The cache cannot be written.
    """
    key = digest_of(key_parts)
    entry = cache_root() / "builds" / key[:2] / key
    with _clear_errors(entry):
        entry.parent.mkdir(parents=True, exist_ok=True)
    with _lock(entry):
        if not _is_complete(entry):
            _build_entry(entry, build)
        with _clear_errors(entry):
            os.utime(entry / _STAMP)
    return entry


def _build_entry(entry: Path, build: Callable[[Path], None]) -> None:
    fresh = entry.with_suffix(".part")
    with _clear_errors(entry):
        # What an interrupted build or an older format left behind.
        for leftover in (fresh, entry):
            if leftover.exists():
                shutil.rmtree(leftover)
        fresh.mkdir()
    try:
        build(fresh)
        with _clear_errors(entry):
            digests = json.dumps(_file_digests(fresh), indent=1)
            (fresh / _STAMP).write_text(digests, encoding="utf-8")
            fresh.rename(entry)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _remove_unused(cache_root() / "builds")


def _is_complete(entry: Path) -> bool:
    """Whether the entry holds just the files that it was made with, unchanged."""
    try:
        digests = json.loads((entry / _STAMP).read_text(encoding="utf-8"))
        return digests == _file_digests(entry)
    except (OSError, ValueError):
        return False


def _file_digests(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != _STAMP)
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _remove_unused(builds: Path) -> None:
    """Keep the cache from growing for ever. Another process may be doing the same."""
    oldest = time.time() - _KEEP_DAYS * 24 * 3600
    for stamp in builds.glob(f"*/*/{_STAMP}"):
        with contextlib.suppress(OSError):
            if stamp.stat().st_mtime < oldest:
                shutil.rmtree(stamp.parent)


@contextlib.contextmanager
def _lock(entry: Path) -> Iterator[None]:
    """Hold the entry; the lock ends with its process, however that ends."""
    try:
        from filelock import FileLock
    except ImportError:
        raise CimpleError(
            "simulation needs the package filelock: pip install 'cimple[sim]'"
        ) from None
    lock = FileLock(f"{entry}.lock")
    with _clear_errors(entry):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _clear_errors(entry: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or entry
        raise CimpleError(
            f"{place}: cannot keep a simulator build here: {error.strerror or error}; "
            "set CIMPLE_CACHE to a directory that can be written"
        ) from None
