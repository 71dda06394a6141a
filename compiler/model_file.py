# SPDX-License-Identifier: Apache-2.0
"""What files of all formats of networks have in common: reading them."""

from pathlib import Path

from .errors import ModelError

__all__ = ["read_model"]


def read_model(path: Path, kind: str) -> bytes:
    """The content of a file that should be of a kind. Raises ModelError where there is none."""
    if path.is_dir():
        raise ModelError(f"is a folder, not {kind} file")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError("no such file") from None
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}") from None
