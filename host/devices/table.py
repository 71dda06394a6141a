# SPDX-License-Identifier: Apache-2.0
"""Devices by the names that users give. The only place that knows them all."""

import importlib
from collections.abc import Callable
from typing import Any

from ...hdl.npu.config import NpuConfig
from .build import Progress
from .device import Device, DeviceError
from .pipe import DEFAULT_TIMEOUT

__all__ = ["DEVICES", "open_device"]

#: Name, and `module:function` in this package; the module is imported when it is asked for.
DEVICES = {
    "golden": "golden:golden_device",
    "verilator": "verilator:verilator_device",
    "icarus": "icarus:icarus_device",
}


def open_device(
    name: str, config: NpuConfig, *, timeout: int = DEFAULT_TIMEOUT,
    progress: Progress = lambda message: None,
) -> Device:
    """The device of that name, to be used in a `with` statement.

    Args:
        name: one of `DEVICES`.
        config: the NPU that it is.
        timeout: most clock cycles that an answer may take.
        progress: told what takes time.

    Raises:
        CimpleError: there is no such device, or it cannot be made.
    """
    known = ", ".join(DEVICES)
    if "/" in name or name.upper().startswith("COM"):
        raise DeviceError(
            f"{name}: serial ports are not supported yet in this version; devices are {known}"
        )
    if name not in DEVICES:
        raise DeviceError(f"device must be one of {known}, not {name!r}")
    module, _, function = DEVICES[name].partition(":")
    make: Callable[..., Any] = getattr(
        importlib.import_module(f".{module}", __package__), function
    )
    return make(config, timeout=timeout, progress=progress)
