# SPDX-License-Identifier: Apache-2.0
"""Batches of images in `.npy` files, checked against what a network takes."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hdl.errors import CimpleError
from .manifest import Port

__all__ = ["ArrayError", "check_batch", "read_batch", "write_array"]


class ArrayError(CimpleError):
    """An array file that cannot be read or written, or holds something else than is wanted."""


def read_batch(path: Path, port: Port) -> NDArray[Any]:
    """The batch in a `.npy` file. Raises ArrayError as `check_batch` does."""
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise ArrayError(f"{path}: {error.strerror or 'cut short'}") from None
    except (ValueError, EOFError):
        raise ArrayError(
            f"{path}: not a .npy file of numbers, or cut short; write it with numpy.save"
        ) from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise ArrayError(f"{path}: must hold one array (.npy), not an archive (.npz)")
    return check_batch(array, port, str(path))


def check_batch(array: NDArray[Any], port: Port, source: str) -> NDArray[Any]:
    """The batch in the network's own type. Raises ArrayError for another shape or type, or NaN."""
    wanted = ", ".join(["batch", *(str(size) for size in port.shape)])
    if array.shape[1:] != port.shape or array.ndim != len(port.shape) + 1:
        hint = "; add the batch axis" if array.shape == port.shape else ""
        raise ArrayError(
            f"{source}: input '{port.name}' must have shape [{wanted}], not "
            f"{list(array.shape)}{hint}"
        )
    if not len(array):
        raise ArrayError(f"{source}: holds no images")
    if port.dtype == "int8":
        if array.dtype != np.int8:
            raise ArrayError(f"{source}: input '{port.name}' must be int8, not {array.dtype}")
        return array
    if array.dtype.kind != "f":
        raise ArrayError(
            f"{source}: input '{port.name}' must be float32, not {array.dtype}; scale the values "
            "as in training"
        )
    with np.errstate(over="ignore"):
        batch = array.astype(np.float32)
    if (bad := np.argwhere(np.isnan(batch))).size:
        raise ArrayError(f"{source}: holds NaN, first at {bad[0].tolist()}")
    return batch


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a `.npy` file, whole or not at all. Raises ArrayError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with fresh.open("wb") as file:
                np.save(file, array)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise ArrayError(f"{path}: cannot be written: {error.strerror or error}") from None
