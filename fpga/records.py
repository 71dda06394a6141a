# SPDX-License-Identifier: Apache-2.0
"""Records of measurements: JSON files with `results`, which later measurements are merged into."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..hdl.errors import CimpleError

__all__ = ["read_results", "to_results"]

_Results = TypeVar("_Results")


def to_results(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A record of results, each of them as plain data."""
    return {"format_version": 1, "results": list(rows)}


def read_results(path: Path, what: str, parse: Callable[[Any], _Results]) -> _Results:
    """The results in a record.

    Parameters
    ----------
    path : Path
    what : str
        What it is a record of, for the error.
    parse : callable
        Makes results of plain data; may raise KeyError, TypeError, ValueError or AttributeError.

    Raises
    ------
    CimpleError
        The file cannot be read, or is no such record.
    """
    try:
        return parse(json.loads(path.read_text(encoding="utf-8"))["results"])
    except OSError as error:
        raise CimpleError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CimpleError(f"{path}: is no record of {what}; remove it and measure anew") from None
