# SPDX-License-Identifier: Apache-2.0
"""Records of results: a JSON file for programs, and a page made from it beside it."""

import json
from pathlib import Path
from typing import Any

from ..hdl.errors import CimpleError

__all__ = ["read_results", "write_results"]


def read_results(path: Path) -> dict[str, Any]:
    """The entry `results` of a record; nothing where there is no record yet.

    Raises:
        CimpleError: the file cannot be read, or is no record.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CimpleError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        results = None
    if not isinstance(results, dict):
        raise CimpleError(f"{path}: is no record of results; remove it and measure anew")
    return results


def write_results(stem: Path, results: dict[str, Any], page: str) -> list[Path]:
    """Write `<stem>.json` and `<stem>.md`; each is complete before it replaces an older one.

    Raises:
        CimpleError: they cannot be written.
    """
    record = json.dumps({"format_version": 1, "results": results}, indent=1) + "\n"
    written = []
    for suffix, text in ((".json", record), (".md", page)):
        path = stem.with_name(stem.name + suffix)
        unfinished = path.with_name(f"{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            raise CimpleError(
                f"{path}: cannot be written: {error.strerror}; choose another directory"
            ) from None
        written.append(path)
    return written
